"""Codes and trail in PostgreSQL (schema helpdesk)."""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from ent.annuaire.helpdesk.models import OneTimeCode, TrailLine
from ent.annuaire.helpdesk.trail import Action, Entry, Line, Outcome

journal = logging.getLogger("ent.annuaire.helpdesk.trail")


@dataclass(frozen=True, slots=True)
class StoredCode:
    """What is kept of a code; see `models.OneTimeCode`."""

    person: str
    digest: bytes
    issued_at: datetime
    expires_at: datetime
    issued_by: str
    failures: int = 0
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines of the trail an auditor wants. Texts are compared without regard to case.

    since, before: instants; `before` is not in it.
    below: only lines with a smaller number.
    steps: with the lines that only say that something was begun, when another
        line says how it ended.
    """

    person: str = ""
    agent: str = ""
    action: str = ""
    outcome: str = ""
    since: datetime | None = None
    before: datetime | None = None
    below: int | None = None
    steps: bool = False


class Store(Protocol):
    """What the business steps keep. Every method may raise django.db.DatabaseError."""

    def transaction(self) -> AbstractContextManager[Any]:
        """All that is written inside is written together, or nothing of it."""

    def write(self, entry: Entry) -> None:
        """Add a line to the trail."""

    def unproved(self, since: datetime, *, person: str = "", agent: str = "") -> int:
        """Verifications of this person, or by this agent, since then that did not succeed."""

    def proved_at(self, agent: str, person: str, since: datetime) -> datetime | None:
        """When this agent last verified this person, if that was since then."""

    def code(self, person: str) -> StoredCode | None:
        """The person's code, valid or not."""

    def code_locked(self, person: str) -> StoredCode | None:
        """The same, which nobody else sees until the transaction ends."""

    def put_code(self, code: StoredCode) -> None:
        """In the place of the one the person has."""

    def code_failed(self, person: str) -> None:
        """One more wrong try."""

    def code_used(self, person: str, at: datetime) -> None:
        """A password was chosen with it."""

    def clear_codes(self, before: datetime) -> int:
        """Remove codes that ended before; how many."""

    def expire(self, days: int) -> int:
        """Take away lines older than this, leaving one that says so; how many."""

    def lines(self, selection: Selection) -> "QuerySet[TrailLine] | list[TrailLine]":
        """Lines, the newest first."""

    def chain(self) -> Iterator[Line]:
        """All lines in their order, a few at a time."""


class DatabaseStore:
    """The store in the process's database."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Durable: what was written is on disk when the block has been left."""
        return transaction.atomic(durable=True)

    def write(self, entry: Entry) -> None:
        """Add a line; the journal gets it when it is on disk."""
        given = asdict(entry)
        columns = ", ".join(given)
        values = ", ".join(["%s"] * len(given))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO helpdesk_trailline (number, at, previous, hash, {columns})"  # noqa: S608
                f" VALUES (0, now(), '', '', {values}) RETURNING number, at, previous, hash",
                [str(one) for one in given.values()],
            )
            number, at, previous, digest = cursor.fetchone()
        line = {"number": number, "at": at.isoformat(), **given, "previous": previous}
        text = json.dumps(line | {"hash": digest}, ensure_ascii=False)
        transaction.on_commit(lambda: journal.info("%s", text))

    def unproved(self, since: datetime, *, person: str = "", agent: str = "") -> int:
        """Those begun, less those that ended well or could not be made."""
        found = TrailLine.objects.filter(action=Action.VERIFY, at__gte=since)
        found = found.filter(person=person) if person else found.filter(agent=agent)
        counts = found.aggregate(
            begun=Count("number", filter=Q(outcome=Outcome.BEGUN)),
            ended=Count("number", filter=Q(outcome__in=(Outcome.DONE, Outcome.FAILED))),
        )
        return int(counts["begun"] - counts["ended"])

    def proved_at(self, agent: str, person: str, since: datetime) -> datetime | None:
        """From the trail: there is no second record of it."""
        found = TrailLine.objects.filter(
            action=Action.VERIFY, outcome=Outcome.DONE, agent=agent, person=person, at__gte=since
        )
        return found.order_by("-number").values_list("at", flat=True).first()

    def code(self, person: str) -> StoredCode | None:
        """The person's row."""
        return _stored(OneTimeCode.objects.filter(person=person).first())

    def code_locked(self, person: str) -> StoredCode | None:
        """The person's row, locked."""
        return _stored(OneTimeCode.objects.select_for_update().filter(person=person).first())

    def put_code(self, code: StoredCode) -> None:
        """One row for a person: the one before is gone."""
        values = asdict(code)
        OneTimeCode.objects.update_or_create(person=values.pop("person"), defaults=values)

    def code_failed(self, person: str) -> None:
        """Count it where it is, whoever else counts."""
        code = OneTimeCode.objects.select_for_update().get(person=person)
        code.failures += 1
        code.save(update_fields=["failures"])

    def code_used(self, person: str, at: datetime) -> None:
        """Mark it."""
        OneTimeCode.objects.filter(person=person).update(used_at=at)

    def clear_codes(self, before: datetime) -> int:
        """Remove rows."""
        return OneTimeCode.objects.filter(expires_at__lt=before).delete()[0]

    def expire(self, days: int) -> int:
        """By the function that may (migration 0001)."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT helpdesk_expire(%s)", [days])
            return int(cursor.fetchone()[0])

    def lines(self, selection: Selection) -> QuerySet[TrailLine]:
        """A query, not yet asked."""
        found = TrailLine.objects.order_by("-number")
        if selection.person:
            found = found.filter(person=selection.person.strip().lower())
        if selection.agent:
            found = found.filter(agent=selection.agent.strip().lower())
        if selection.action:
            found = found.filter(action=selection.action)
        if selection.outcome:
            found = found.filter(outcome=selection.outcome)
        if selection.since:
            found = found.filter(at__gte=selection.since)
        if selection.before:
            found = found.filter(at__lt=selection.before)
        if selection.below is not None:
            found = found.filter(number__lt=selection.below)
        if not selection.steps:
            later = TrailLine.objects.filter(
                operation=OuterRef("operation"), number__gt=OuterRef("number")
            )
            found = found.exclude(Q(outcome=Outcome.BEGUN) & Q(Exists(later)))
        return found

    def chain(self) -> Iterator[Line]:
        """Through a cursor of the server's, in one snapshot: later lines are not in it."""
        for row in TrailLine.objects.order_by("number").iterator(chunk_size=2000):
            yield Line(
                number=row.number,
                at=row.at,
                agent=row.agent,
                address=row.address,
                action=row.action,
                person=row.person,
                outcome=row.outcome,
                operation=row.operation,
                detail=row.detail,
                previous=row.previous,
                hash=row.hash,
            )


def _stored(row: OneTimeCode | None) -> StoredCode | None:
    if row is None:
        return None
    return StoredCode(
        person=row.person,
        digest=bytes(row.digest),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        issued_by=row.issued_by,
        failures=row.failures,
        used_at=row.used_at,
    )
