"""Sympa's tables, the directory and the ledger of the list mover in memory, for its unit tests.

They hold states and change them as the real ones do; nothing is a list of expected calls. The real
ones are in tests/integration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ent.listmove.addresses import Holder, SamePeople, canonic, owner
from ent.listmove.ledger import Done, Intent, Wanted
from ent.listmove.sympa import Left
from ent.listmove.tables import EXCLUDED, Row
from ent.listmove.worker import Worker

AIX, MRS, NEW = "up.univ-aix.fr", "up.univ-mrs.fr", "univ-provence.fr"
SAME = SamePeople((AIX, MRS))
DONE_FIELDS = ("login", "old_address", "new_address", "list", "role", "outcome", "reason")


def holder(
    uid: str, *addresses: str, mail: str = "", active: bool = True, receives: bool = True
) -> Holder:
    """A person; the address in the new domain is made of the login, unless it is given."""
    target = (mail or f"{uid}@{NEW}") if active else ""
    return Holder(uid, target, frozenset({*addresses, target} - {""}), bool(target) and receives)


@dataclass
class Tables:
    """What Sympa holds, with what is looked at when it is asked."""

    there: set[Row] = field(default_factory=set)

    def rows(self, addresses: Collection[str]) -> list[Row]:
        found = (row for row in self.there if canonic(row.address) in addresses)
        return sorted(found, key=lambda row: (row.address, row.list, row.role))

    def close(self) -> None:
        pass


@dataclass
class Sympa:
    """Moves as the helper does: twins are merged, what a data source gives stays.

    trouble: called before and after each change; it may raise.
    """

    tables: Tables
    trouble: Callable[[], None] = lambda: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def move(self, old: str, new: str) -> list[Left]:
        self.asked.append((old, new))
        for row in sorted(self.tables.there, key=lambda row: (row.list, row.role)):
            if row.address in (old, canonic(old)) and not row.included and row.address != new:
                if row.list in self.refused:
                    continue
                self.trouble()
                self.tables.there.discard(row)
                there = {(one.address, one.list, one.role) for one in self.tables.there}
                if (new, row.list, row.role) not in there:
                    self.tables.there.add(Row(new, row.list, row.role))
                self.trouble()
        return [
            Left(row.address, row.list, row.role, "included" if row.included else "refused")
            for row in self.tables.there
            if row.address in (old, canonic(old)) and row.address != new
        ]

    def close(self) -> None:
        pass


@dataclass
class Ledger:
    """What was noted, with the rules of the database."""

    done: list[Done] = field(default_factory=list)
    intended: dict[tuple[str, str, str, str], Intent] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)
    stored: str | None = None

    def want(self, people: Iterable[str], *, cookie: str | None = None) -> None:
        for uid in people:
            known = self.wanted.get(uid)
            self.wanted[uid] = Wanted(uid, known.mark + 1 if known else 0, 0)
            self.waits.pop(uid, None)
        self.stored = cookie or self.stored

    def also_want(self, people: Iterable[str]) -> None:
        self.want([uid for uid in people if uid not in self.wanted])

    def looked_at(self, wanted: Wanted) -> None:
        known = self.wanted.get(wanted.uid)
        if known and known.mark == wanted.mark:
            del self.wanted[wanted.uid]

    def retry(self, wanted: Wanted, seconds: float) -> None:
        known = self.wanted.get(wanted.uid)
        if known and known.mark == wanted.mark:
            self.wanted[wanted.uid] = Wanted(wanted.uid, wanted.mark, known.tries + 1)
            self.waits[wanted.uid] = seconds

    def intend(self, intents: Sequence[Intent]) -> None:
        for one in intents:
            key = (one.login, one.old_address, one.list, one.role)
            self.intended.setdefault(key, one)

    def intents(self, login: str) -> list[Intent]:
        return [one for key, one in sorted(self.intended.items()) if one.login == login]

    def settle(self, intents: Sequence[Intent], done: Sequence[Done]) -> list[Done]:
        for one in intents:
            self.intended.pop((one.login, one.old_address, one.list, one.role), None)
        noted = []
        for row in done:
            same = [
                known
                for known in self.done
                if (known.login, known.old_address, known.list, known.role)
                == (row.login, row.old_address, row.list, row.role)
            ]
            if row.outcome == "failed" and same and fields(same[-1])[5:] == fields(row)[5:]:
                continue
            self.done.append(row)
            noted.append(row)
        return noted

    def forget_old(self, days: int) -> None:
        pass


class Parts:
    """A worker with all of these."""

    def __init__(self, rows: Iterable[Row], people: Iterable[Holder]) -> None:
        self.tables = Tables(set(rows))
        self.sympa = Sympa(self.tables)
        self.ledger = Ledger()
        self.people = {one.uid: one for one in people}
        self.worker = worker(self)

    def expected(self) -> set[Row]:
        """What Sympa should hold in the end."""
        rows = set()
        for row in self.tables.there:
            whose = owner(canonic(row.address), self.people.values(), SAME)
            if isinstance(whose, Holder) and whose.follows and not row.included:
                rows.add(Row(whose.mail, row.list, row.role))
            else:
                rows.add(row)
        included = {(one.address, one.list, one.role) for one in rows if one.included}
        return {
            row for row in rows if row.included or (row.address, row.list, row.role) not in included
        }


def worker(parts: Parts) -> Worker:
    """A worker over parts in memory instead of connections."""
    made: Any = Worker.__new__(Worker)
    made.settings = SimpleNamespace(journal_days=1, retry_seconds=60, reconcile_seconds=60)
    made.ledger, made.tables, made.sympa = parts.ledger, parts.tables, parts.sympa
    made.same_people = SAME
    made._ended, made._work = threading.Event(), threading.Event()
    made.person = parts.people.get
    made.people_with = lambda addresses: [
        one for one in parts.people.values() if one.addresses & set(addresses)
    ]
    return made


def fields(done: Done) -> tuple[str, ...]:
    """What tests compare of a row about a move."""
    return tuple(getattr(done, name) for name in DONE_FIELDS)


__all__ = ["AIX", "EXCLUDED", "MRS", "NEW", "SAME", "Parts", "fields", "holder"]
