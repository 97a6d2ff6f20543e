"""A help desk without HTTP, PostgreSQL and slapd: what is kept and who answers are the test's.

Imported as `import helpdesk_desk`, before what needs Django: it sets that up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError

import annuaire_app

annuaire_app.start()

from ent.annuaire.helpdesk.config import HelpdeskConfig, SignOnConfig  # noqa: E402
from ent.annuaire.helpdesk.desk import Actor, Desk  # noqa: E402
from ent.annuaire.helpdesk.moves import Move, MovesUnavailable  # noqa: E402
from ent.annuaire.helpdesk.signon import Failures, SignOnUnavailable  # noqa: E402
from ent.annuaire.helpdesk.storage import Selection, StoredCode  # noqa: E402
from ent.annuaire.helpdesk.trail import START, Entry, Line, Outcome, digest  # noqa: E402
from ent.annuaire.limits.attempts import TooManyAttempts  # noqa: E402
from ent.annuaire.limits.locks import Lock  # noqa: E402
from ent.directory import (  # noqa: E402
    AccountState,
    Change,
    Directory,
    DirectorySettings,
    DirectoryUnavailable,
    Filter,
)
from ent.directory import Entry as LdapEntry  # noqa: E402
from ent.web.config import Database  # noqa: E402

SUFFIX = "dc=univ-provence,dc=fr"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AGENT = Actor("sfaure", "192.0.2.10")
CALLER = "192.0.2.20"
STAFF = f"cn=helpdesk,ou=groups,{SUFFIX}"
AUDITORS = f"cn=auditors,ou=groups,{SUFFIX}"


def config(**changes: Any) -> HelpdeskConfig:
    """The section of the settings file."""
    values: dict[str, Any] = {
        "staff_group": STAFF,
        "auditors_group": AUDITORS,
        "code_key": "c" * 50,
        "portal_url": "https://ent.univ-provence.fr/",
        "sign_on": SignOnConfig(database=Database(name=":memory:"), failures_key="f" * 50),
    }
    return HelpdeskConfig(**(values | changes))


def person(
    uid: str, state: AccountState | None = AccountState.ACTIVE, **more: Any
) -> dict[str, Any]:
    """Attributes of somebody; texts or lists of texts."""
    return {
        "uid": uid,
        "displayName": "Jeanne Martin",
        "givenName": "Jeanne",
        "sn": "Martin",
        "cn": "Martin Jeanne",
        "mail": "jeanne.martin@univ-provence.fr",
        "supannEmpId": "10001",
        "supannOIDCDateDeNaissance": "1975-03-14",
        "userPassword": "ancien-2026",
        **({"supannRessourceEtat": state.value} if state else {}),
        **more,
    }


class FakeDirectory(Directory):
    """Entries by DN. `before`, `after`: called around a change, to break it there."""

    def __init__(self, *people: dict[str, Any]) -> None:
        super().__init__(
            DirectorySettings("ldaps://ldap.invalid", SUFFIX, f"cn=x,{SUFFIX}", "secret")
        )
        self.entries = {f"uid={one['uid']},ou=people,{SUFFIX}": one for one in people}
        self.groups: dict[str, set[str]] = {STAFF: set(), AUDITORS: set()}
        self.down = False
        self.before: Any = lambda: None
        self.after: Any = lambda: None
        self.asked: list[Filter] = []

    def _up(self) -> None:
        if self.down:
            raise DirectoryUnavailable("down")

    def one(self, base: str, where: Filter, *_: Any, **__: Any) -> LdapEntry | None:
        self._up()
        uid = str(where).removeprefix("(uid=").removesuffix(")").lower()
        for dn, entry in self.entries.items():
            if entry["uid"] == uid:
                return _ldap(dn, entry)
        return None

    def search(
        self, base: str, where: Filter, *_: Any, limit: int = 0, **__: Any
    ) -> list[LdapEntry]:
        self._up()
        self.asked.append(where)
        found = [_ldap(dn, one) for dn, one in self.entries.items() if matches(str(where), one)]
        return found[: limit or None]

    def structure(self, code: str) -> None:
        self._up()

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        self._up()
        if dn in self.groups:
            return value in self.groups[dn]
        return self.entries[dn].get(attribute) == value

    def modify(self, dn: str, changes: Any) -> None:
        self._up()
        self.before()
        for change in changes:
            _apply(self.entries[dn], change)
        self.after()

    def check_password(self, dn: str, password: str) -> bool:
        self._up()
        return bool(self.entries[dn].get("userPassword") == password)

    def ping(self) -> None:
        self._up()


def _apply(entry: dict[str, Any], change: Change) -> None:
    name = {"userpassword": "userPassword", "pwdaccountlockedtime": "pwdAccountLockedTime"}
    key = name[change.attribute.lower()]
    if change.values:
        entry[key] = change.values[0]
    else:
        entry.pop(key)


def _ldap(dn: str, entry: dict[str, Any]) -> LdapEntry:
    values = {
        name: [one.encode() for one in ([value] if isinstance(value, str) else value)]
        for name, value in entry.items()
    }
    return LdapEntry.from_ldap(dn, values)


def matches(where: str, entry: dict[str, Any]) -> bool:
    """A little of RFC 4515: and, or, equality and substrings, without regard to case."""
    if where[1] in "&|":
        parts, depth, start = [], 0, 2
        for at, character in enumerate(where):
            if at < 2 or at == len(where) - 1:
                continue
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0:
                parts.append(where[start : at + 1])
                start = at + 1
        return (all if where[1] == "&" else any)(matches(one, entry) for one in parts)
    name, _, value = where[1:-1].partition("=")
    own = entry.get(name, [])
    texts = [one.lower() for one in ([own] if isinstance(own, str) else own)]
    wanted = value.lower()
    if wanted.startswith("*") and wanted.endswith("*"):
        return any(wanted[1:-1] in one for one in texts)
    return wanted in texts


@dataclass
class MemoryStore:
    """A store whose transactions take everything back when they fail."""

    clock: Any
    entries: list[tuple[datetime, Entry]] = field(default_factory=list)
    codes: dict[str, StoredCode] = field(default_factory=dict)
    down: bool = False
    #: refuses to write entries for which this is true
    refuses: Any = field(default=lambda entry: False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        kept = list(self.entries), dict(self.codes)
        self._up()
        try:
            yield
            self._up()
        except BaseException:
            self.entries[:], self.codes = kept
            raise

    def _up(self) -> None:
        if self.down:
            raise OperationalError("down")

    def write(self, entry: Entry) -> None:
        self._up()
        if self.refuses(entry):
            raise OperationalError("this line cannot be written")
        self.entries.append((self.clock(), entry))

    def unproved(self, since: datetime, *, person: str = "", agent: str = "") -> int:
        mine = [
            one.outcome
            for at, one in self.entries
            if one.action == "verify"
            and at >= since
            and (one.person == person if person else one.agent == agent)
        ]
        return mine.count(Outcome.BEGUN) - mine.count(Outcome.DONE) - mine.count(Outcome.FAILED)

    def proved_at(self, agent: str, person: str, since: datetime) -> datetime | None:
        return max(
            (
                at
                for at, one in self.entries
                if one.action == "verify"
                and one.outcome == Outcome.DONE
                and (one.agent, one.person) == (agent, person)
                and at >= since
            ),
            default=None,
        )

    def code(self, person: str) -> StoredCode | None:
        self._up()
        return self.codes.get(person)

    code_locked = code

    def put_code(self, code: StoredCode) -> None:
        self._up()
        self.codes[code.person] = code

    def code_failed(self, person: str) -> None:
        self._up()
        code = self.codes[person]
        self.codes[person] = replace(code, failures=code.failures + 1)

    def code_used(self, person: str, at: datetime) -> None:
        self._up()
        self.codes[person] = replace(self.codes[person], used_at=at)

    def clear_codes(self, before: datetime) -> int:
        return 0

    def expire(self, days: int) -> int:
        return 0

    def lines(self, selection: Selection) -> list[Any]:
        found = list(self.chain())[::-1]
        if selection.person:
            found = [one for one in found if one.person == selection.person]
        if selection.below:
            found = [one for one in found if one.number < selection.below]
        return found

    def chain(self) -> Iterator[Line]:
        yield from chained(self.entries)

    # what tests read

    def said(self) -> list[str]:
        """action outcome person detail of every line."""
        return [
            " ".join(filter(None, (one.action, one.outcome, one.person, one.detail)))
            for _, one in self.entries
        ]


def chained(
    entries: list[tuple[datetime, Entry]], number: int = 1, previous: str = START
) -> Iterator[Line]:
    """Lines as the database makes them of entries."""
    for at, one in entries:
        line = Line(
            number=number,
            at=at,
            agent=one.agent,
            address=one.address,
            action=str(one.action),
            person=one.person,
            outcome=str(one.outcome),
            operation=one.operation,
            detail=one.detail,
            previous=previous,
            hash="",
        )
        line = replace(line, hash=digest(line))
        yield line
        number, previous = number + 1, line.hash


@dataclass
class FakeSignOn:
    """Failures by login."""

    counts: dict[str, Failures] = field(default_factory=dict)
    down: bool = False

    def failures(self, login: str) -> Failures:
        if self.down:
            raise SignOnUnavailable("down")
        return self.counts.get(login, Failures(0, 0))

    def forget(self, login: str) -> int:
        if self.down:
            raise SignOnUnavailable("down")
        return self.counts.pop(login, Failures(0, 0)).count


@dataclass
class FakeMoves:
    """What became of mailing lists, by login."""

    made: dict[str, list[Move]] = field(default_factory=dict)
    down: bool = False

    def of(self, login: str) -> list[Move]:
        if self.down:
            raise MovesUnavailable("down")
        return self.made.get(login, [])


@dataclass
class FakeAttempts:
    """Locks by login, and what became of attempts."""

    locks: dict[str, list[Lock]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    refuse: TooManyAttempts | None = None

    def begin(self, task: str, account: str, address: str) -> Any:
        if self.refuse:
            raise self.refuse
        self.ended.append(f"begun {task} {account} {address}")
        return self

    def succeeded(self) -> None:
        self.ended.append("succeeded")

    def locks_of(self, account: str) -> list[Lock]:
        return self.locks.get(account, [])

    def lift(self, account: str) -> list[Lock]:
        return self.locks.pop(account, [])


@dataclass
class Scene:
    """A desk, and its parts under their own types. Time stands still unless moved."""

    directory: FakeDirectory
    now: datetime = NOW
    sign_on: FakeSignOn = field(default_factory=FakeSignOn)
    attempts: FakeAttempts = field(default_factory=FakeAttempts)
    moves: FakeMoves = field(default_factory=FakeMoves)

    def __post_init__(self) -> None:
        self.store = MemoryStore(lambda: self.now)
        self.desk = Desk(
            directory=self.directory,
            store=self.store,  # type: ignore[arg-type]
            sign_on=self.sign_on,
            attempts=self.attempts,  # type: ignore[arg-type]
            config=config(),
            moves=self.moves,
            clock=lambda: self.now,
        )

    def configure(self, **changes: Any) -> None:
        """Other settings."""
        self.desk = replace(self.desk, config=config(**changes))

    def passes(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def password(self, uid: str) -> str:
        """The person's present password."""
        return str(self.directory.entries[f"uid={uid},ou=people,{SUFFIX}"]["userPassword"])
