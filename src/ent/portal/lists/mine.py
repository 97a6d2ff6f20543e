"""What « Mes listes » shows to somebody, and what becomes of a click."""

import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from ent.portal.lists.sympa import MailingList, NoSuchList, Refused, Sympa, SympaUnavailable

_VISIBLE_KEPT = 30.0  # seconds for which the lists that somebody may see are kept
_PEOPLE_KEPT = 500  # people whose lists are kept, before those that are too old are thrown away


class Outcome(StrEnum):
    """What became of a click."""

    JOINED = "joined"
    ALREADY_ON = "already-on"
    ASKED_TO_JOIN = "asked-to-join"
    LEFT = "left"
    ALREADY_OFF = "already-off"
    ASKED_TO_LEAVE = "asked-to-leave"
    NOT_OPEN = "not-open"
    NOT_TO_LEAVE = "not-to-leave"
    FROM_DIRECTORY = "from-directory"
    NO_SUCH_LIST = "no-such-list"
    UNKNOWN = "unknown"  # Sympa gave no answer: done, or not


@dataclass(frozen=True, slots=True)
class Own:
    """A list that the person is on, owns or moderates. fed: its members come from the directory."""

    list: MailingList
    fed: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """A person's lists. open: those they could join; None: Sympa did not tell."""

    own: tuple[Own, ...]
    open: tuple[MailingList, ...] | None


class Lists:
    """The lists of Sympa, as people see and change them.

    from_directory: patterns of the names of lists whose members come from the directory.
    """

    def __init__(self, sympa: Sympa, from_directory: Iterable[str]) -> None:
        self._sympa = sympa
        self._patterns = tuple(from_directory)
        self._visible: dict[str, tuple[float, list[MailingList]]] = {}
        self._mutex = threading.Lock()

    def fed(self, name: str) -> bool:
        """Whether the members of this list come from the directory."""
        return any(fnmatchcase(name, one) for one in self._patterns)

    def overview(self, person: str) -> Overview:
        """What there is for the person with this address. Raises SympaUnavailable."""
        own = _sorted(self._sympa.of(person))
        names = {one.name for one in own if one.subscriber}
        try:
            visible = self._visible_to(person)
        except SympaUnavailable:
            visible = None
        # owners and moderators who do not receive the messages find the list among their own
        mine = names | {one.name for one in own}
        return Overview(
            own=tuple(Own(one, self.fed(one.name)) for one in own),
            open=visible
            if visible is None
            else tuple(one for one in visible if one.name not in mine and not self.fed(one.name)),
        )

    def join(self, person: str, name: str, their_name: str) -> Outcome:
        """Subscribe the person."""

        def join() -> Outcome:
            if self._is_on(person, name):
                return Outcome.ALREADY_ON
            self._sympa.subscribe(person, name, their_name)
            return Outcome.JOINED if self._is_on(person, name) else Outcome.ASKED_TO_JOIN

        return self._asked(name, join, refused=Outcome.NOT_OPEN)

    def leave(self, person: str, name: str) -> Outcome:
        """Unsubscribe the person."""

        def leave() -> Outcome:
            if not self._is_on(person, name):
                return Outcome.ALREADY_OFF
            self._sympa.sign_off(person, name)
            return Outcome.ASKED_TO_LEAVE if self._is_on(person, name) else Outcome.LEFT

        return self._asked(name, leave, refused=Outcome.NOT_TO_LEAVE)

    def _asked(self, name: str, step: Callable[[], Outcome], refused: Outcome) -> Outcome:
        if self.fed(name):
            return Outcome.FROM_DIRECTORY
        try:
            return step()
        except Refused:
            return refused
        except NoSuchList:
            return Outcome.NO_SUCH_LIST
        except SympaUnavailable:
            return Outcome.UNKNOWN

    def _is_on(self, person: str, name: str) -> bool:
        return any(one.name == name and one.subscriber for one in self._sympa.of(person))

    def _visible_to(self, person: str) -> list[MailingList]:
        now = time.monotonic()
        with self._mutex:
            until, kept = self._visible.get(person, (0.0, []))
        if now < until:
            return kept
        found = _sorted(self._sympa.visible(person))
        with self._mutex:
            if len(self._visible) >= _PEOPLE_KEPT:
                self._visible = {key: one for key, one in self._visible.items() if now < one[0]}
            if len(self._visible) < _PEOPLE_KEPT:
                self._visible[person] = (time.monotonic() + _VISIBLE_KEPT, found)
        return found


def matching(lists: Iterable[MailingList], typed: str) -> list[MailingList]:
    """The lists of which name or subject has every word of `typed`, accents and case aside."""
    words = _plain(typed).split()
    return [
        one for one in lists if all(word in _plain(f"{one.name} {one.subject}") for word in words)
    ]


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in parts if not unicodedata.combining(one))


def _sorted(lists: Iterable[MailingList]) -> list[MailingList]:
    # Sympa tells a list once for each of its topics
    return [one for _, one in sorted({one.name: one for one in lists}.items())]
