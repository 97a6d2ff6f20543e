"""Finding a caller: by names, login or address; people on the red list too.

The directory compares with accents and knows no spelling mistakes, so it is asked
widely, and what it gives is sifted here with `ent.naming.fold`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ent.annuaire.helpdesk.accounts import Account
from ent.directory import (
    Directory,
    Filter,
    all_of,
    any_of,
    contains,
    equals,
)
from ent.naming import fold

SHOWN = 30
LONGEST = 100
_WIDELY = 150
_WORDS = 5
_BETWEEN = re.compile(r"[\s,;]+")
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,31}")
# Letters that French names write with and without accents, cedillas or in ligatures.
_VARYING = re.compile(r"[^bdfghjklmpqrtvwx]+")
_NAMES = ("cn", "displayName")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave.

    exact: people whom all words fit.
    near: people whom only some words fit, or nearly; only when nobody fits exactly.
    more: there are more than are shown; ask for more words.
    """

    exact: tuple[Account, ...]
    near: tuple[Account, ...]
    more: bool

    @property
    def count(self) -> int:
        """How many people are shown."""
        return len(self.exact) + len(self.near)


def find(directory: Directory, typed: str) -> Found:
    """People whom `typed` may mean, the best first. Raises DirectoryUnavailable."""
    typed = " ".join(typed[:LONGEST].replace("\0", " ").split())
    base = f"ou=people,{directory.settings.suffix}"

    def ask(where: Filter, limit: int) -> list[Account]:
        entries = directory.search(base, where, Account.ATTRIBUTES, limit=limit)
        return [Account.from_entry(entry) for entry in entries]

    if "@" in typed:
        addressed = any_of(equals("mail", typed), equals("supannAutreMail", typed))
        if people := ask(addressed, 2):
            return Found(tuple(people), (), more=False)
        typed = typed.partition("@")[0].replace(".", " ")
    words = [word for word in _BETWEEN.split(typed) if fold(word)][:_WORDS]
    if not words:
        return Found((), (), more=False)
    found: dict[str, Account] = {}
    if _LOGIN.fullmatch(typed.lower()):
        found.update((one.dn, one) for one in ask(equals("uid", typed), 2))
    by_login = set(found)
    for where in _questions(words):
        found.update((one.dn, one) for one in ask(where, _WIDELY))
        exact = [one for one in found.values() if one.dn in by_login or _fits(one, words)]
        if exact:
            return _found(exact, (), words)
    return _found((), found.values(), words)


def _questions(words: Sequence[str]) -> Iterable[Filter]:
    """From the narrow to the wide."""
    yield all_of(*(_word(one) for one in words))
    if len(words) > 1:
        # one by one in one search would let the first of many Jean fill the limit
        yield from (_word(one) for one in sorted(words, key=len, reverse=True))
    for word in words:
        parts = [part for part in _VARYING.split(fold(word)) if part]
        if parts:
            yield any_of(*(all_of(*(contains(name, one) for one in parts)) for name in _NAMES))


def _word(word: str) -> Filter:
    plain = fold(word).replace(" ", "")
    spellings = dict.fromkeys([word, fold(word)])
    return any_of(
        *(contains(name, spelling) for name in _NAMES for spelling in spellings),
        contains("uid", plain),
    )


def _found(exact: Iterable[Account], near: Iterable[Account], words: Sequence[str]) -> Found:
    best = sorted(exact, key=lambda one: (fold(one.name), one.uid))
    ranked = sorted(near, key=lambda one: (-_closeness(one, words), fold(one.name), one.uid))
    likely = [one for one in ranked if _closeness(one, words) > 0]
    shown = best[:SHOWN], likely[: SHOWN // 3]
    return Found(tuple(shown[0]), tuple(shown[1]), more=len(best) > SHOWN)


def _fits(account: Account, words: Sequence[str]) -> bool:
    """Whether every word begins a word of the name, or of the login or address."""
    return all(
        any(own.startswith(part) for own in _own_words(account))
        for word in words
        for part in fold(word).split()
    )


def _closeness(account: Account, words: Sequence[str]) -> int:
    """How many of the words fit, a letter more or less notwithstanding."""
    own = _own_words(account)
    return sum(
        any(one.startswith(part) or _one_slip(part, one) for one in own)
        for word in words
        for part in fold(word).split()
    )


def _own_words(account: Account) -> set[str]:
    name = fold(account.name).split()
    # « Le Goff » is also looked for in one word
    joined = {"".join(name[start:]) for start in range(len(name))}
    return {*name, *joined, account.uid, *fold(account.mail.partition("@")[0]).split()}


def _one_slip(typed: str, name: str) -> bool:
    """Whether one letter wrong, missing, too many or exchanged with the next leads to the name."""
    if len(typed) < 4 or abs(len(typed) - len(name)) > 1:
        return False
    start = next(
        (at for at, (one, other) in enumerate(zip(typed, name, strict=False)) if one != other),
        min(len(typed), len(name)),
    )
    rest, other = typed[start:], name[start:]
    return (
        rest[1:] == other[1:]
        or rest[1:] == other
        or rest == other[1:]
        or (rest[1::-1] == other[:2] and rest[2:] == other[2:])
    )
