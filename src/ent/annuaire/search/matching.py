"""Whom to ask the directory for: the people that match what somebody typed, the best first.

Every word asked for has to begin a word of the person; the order of the words is
of no account. When few are found so, words with one typing mistake count too, and
come after. Words reach SQL as parameters, and hold letters and digits only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import connection

from ent.annuaire.search.models import Misspelling
from ent.annuaire.search.spelling import variants, within_one_mistake

Profile = Literal["personnel", "etudiant", "tous"]

# Words this short are looked for as whole words, unless another word is with them.
_SHORT = 2
# When fewer are found as typed, mistakes of typing are thought of.
_FEW = 8
_MOST_CORRECTIONS = 12


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    words: of the name, folded (`names.asked_words`); none: everybody of the structures.
    codes: structures (supannCodeEntite); None: any.
    """

    words: tuple[str, ...]
    profile: Profile = "tous"
    codes: frozenset[str] | None = None


def matches(query: Query, limit: int) -> list[str]:
    """Logins of at most `limit` people, the best match first. Reads the index only."""
    if query.codes is not None and not query.codes:
        return []
    found = _find(query, [()] * len(query.words), limit)
    if query.words and len(found) < min(_FEW, limit):
        corrections = [_corrections(word) for word in query.words]
        if any(corrections):
            known = set(found)
            found += [uid for uid in _find(query, corrections, limit) if uid not in known]
    return found[:limit]


def _corrections(word: str) -> tuple[str, ...]:
    """The words of the index that are one mistake of typing away."""
    candidates = (
        Misspelling.objects.filter(variant__in=variants(word))
        .exclude(word=word)
        .values_list("word", flat=True)
        .distinct()
    )
    close = sorted(one for one in candidates if within_one_mistake(word, one))
    return tuple(close[:_MOST_CORRECTIONS])


def _find(query: Query, corrections: Sequence[Sequence[str]], limit: int) -> list[str]:
    """People who have a word for each one asked for: it or one that it begins, or a correction."""
    conditions = _Terms()
    whole_words, surnames = _Terms(), _Terms()
    for word, others in zip(query.words, corrections, strict=True):
        whole = len(word) <= _SHORT and len(query.words) == 1
        exact = [f"% {one} %" for one in (word, *others)]
        conditions.any_like("words", exact if whole else [f"% {word}%", *exact[1:]])
        whole_words.any_like("words", exact)
        surnames.any_like("sort", [f"{word}%", *(f"{one} %" for one in others)])
    if query.profile != "tous":
        conditions.texts.append("staff" if query.profile == "personnel" else "student")
    if query.codes is not None:
        marks = ", ".join(["%s"] * len(query.codes))
        conditions.texts.append(
            f"uid IN (SELECT person_id FROM search_membership WHERE code IN ({marks}))"  # noqa: S608
        )
        conditions.parameters += sorted(query.codes)
    order = ["sort", "uid"]
    if query.words:
        # more whole words first; then surnames that begin so
        score = " + ".join(f"CASE WHEN {text} THEN 1 ELSE 0 END" for text in whole_words.texts)
        surname = f"CASE WHEN {' OR '.join(surnames.texts)} THEN 0 ELSE 1 END"
        order = [f"{score} DESC", surname, *order]
    statement = (
        f"SELECT uid FROM search_person WHERE {' AND '.join(conditions.texts) or 'TRUE'} "  # noqa: S608
        f"ORDER BY {', '.join(order)} LIMIT %s"
    )
    parameters = [*conditions.parameters, *whole_words.parameters, *surnames.parameters, limit]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [uid for (uid,) in cursor.fetchall()]


class _Terms:
    """Pieces of SQL, and the parameters that go with them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.parameters: list[str | int] = []

    def any_like(self, column: str, patterns: Sequence[str]) -> None:
        self.texts.append(f"({' OR '.join([f'{column} LIKE %s'] * len(patterns))})")
        self.parameters += patterns
