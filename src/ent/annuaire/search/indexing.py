"""Keeping the index: what the directory shows the public, under the words it is looked for.

The identity annuaire-search reads the directory, so the index never holds
anybody or anything that is not public. It follows by modifyTimestamp; somebody
who is no longer shown (red list, departure) leaves no trace of that there, so
the pages drop whom the directory does not give, and a comparison with the whole
directory takes them out.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from django.db import connection, transaction
from django.utils import timezone

from ent.annuaire.search.models import Membership, Misspelling, Person, Progress
from ent.annuaire.search.names import indexed_words
from ent.annuaire.search.spelling import variants
from ent.directory import Directory, Entry, Filter, Scope, at_least, instant, present
from ent.naming import fold

log = logging.getLogger(__name__)
Item = TypeVar("Item")

NAMES = ("cn", "sn", "givenName", "displayName")
ATTRIBUTES = (
    "uid",
    *NAMES,
    "eduPersonAffiliation",
    "supannEntiteAffectation",
    "supannEntiteAffectationPrincipale",
    "modifyTimestamp",
)
STAFF = frozenset({"employee", "staff", "faculty", "teacher", "researcher", "emeritus"})
STUDENT = frozenset({"student"})

# Goes up when the same entry gives other words: everybody is then indexed anew.
_VERSION = 1
_BATCH = 500
# A change becomes visible when it is complete, which may be after a younger one did.
_OVERLAP = timedelta(seconds=10)
_SETTLED = timedelta(minutes=2)
_LOCK = 0x656E7401  # any number that nobody else locks in this database


class NobodyShown(Exception):  # noqa: N818
    """The directory shows this service nobody at all: a fault of its rights, not of its people."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the index holds of a person (`models.Person`, `models.Membership`)."""

    uid: str
    words: str
    sort: str
    staff: bool
    student: bool
    seen: str
    codes: frozenset[str]


def row_of(entry: Entry) -> Row:
    """From an entry read with ATTRIBUTES."""
    words = indexed_words(name for attribute in NAMES for name in entry.texts(attribute))
    affiliations = {one.lower() for one in entry.texts("eduPersonAffiliation")}
    return Row(
        uid=entry.text("uid").lower(),
        words=f" {' '.join(sorted(words))} ",
        sort=fold(f"{entry.text('sn')} {entry.text('givenName')}"),
        staff=not affiliations.isdisjoint(STAFF),
        student=not affiliations.isdisjoint(STUDENT),
        seen=f"{entry.text('modifyTimestamp')}/{_VERSION}",
        codes=frozenset(
            entry.texts("supannEntiteAffectation")
            + entry.texts("supannEntiteAffectationPrincipale")
        ),
    )


def take_over_changes(directory: Directory) -> int:
    """Index what changed since the last time; how many people. Raises DirectoryUnavailable."""
    now = timezone.now()
    progress = Progress.objects.get_or_create(pk=1)[0]
    changed = 0
    last = instant(progress.changed)
    if last is not None:
        since = last if now - last > _SETTLED else last - _OVERLAP
        where = at_least("modifyTimestamp", since.strftime("%Y%m%d%H%M%SZ"))
        newest = progress.changed
        for rows in _read(directory, where):
            changed += _store(rows)
            newest = max(newest, *(row.seen.partition("/")[0] for row in rows))
        progress.changed = newest
    progress.checked_at = now
    progress.save(update_fields=["changed", "checked_at"])
    return changed


def compare_whole(directory: Directory) -> tuple[int, int]:
    """Make the index what the directory shows; how many people were (changed, taken out).

    Raises DirectoryUnavailable; NobodyShown, leaving the index as it is.
    """
    now = timezone.now()
    changed, newest = 0, ""
    found: set[str] = set()
    for rows in _read(directory, present("uid")):
        changed += _store(rows)
        found.update(row.uid for row in rows)
        newest = max(newest, *(row.seen.partition("/")[0] for row in rows))
    present_uids = set(Person.objects.values_list("uid", flat=True))
    if present_uids and not found:
        raise NobodyShown(
            f"the directory shows cn=annuaire-search nobody, the index has {len(present_uids)} "
            "people; it stays as it is. Look at the rights of that identity (roles/openldap)."
        )
    gone = present_uids - found
    forget(gone)
    # Words that nobody has any more do no harm: they lead to nobody.
    Progress.objects.update_or_create(
        pk=1, defaults={"changed": newest, "checked_at": now, "full_at": now}
    )
    return changed, len(gone)


def forget(uids: Iterable[str]) -> None:
    """Take people out of the index."""
    for batch in _batches(sorted(uids)):
        Person.objects.filter(uid__in=batch).delete()


def is_whole() -> bool:
    """Whether the index was ever compared with the whole directory."""
    return Progress.objects.filter(full_at__isnull=False).exists()


@contextmanager
def alone() -> Iterator[bool]:
    """Whether this process, and no other, keeps the index inside the block."""
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _read(directory: Directory, where: Filter) -> Iterator[list[Row]]:
    entries = directory.paged(
        f"ou=people,{directory.settings.suffix}",
        where,
        ATTRIBUTES,
        Scope.CHILDREN,
        page_size=_BATCH,
    )
    rows = (row_of(entry) for entry in entries if entry.text("uid"))
    return _batches(rows)


def _store(rows: Iterable[Row]) -> int:
    """Write what differs, all of a batch or nothing; how many people differed."""
    wanted = {row.uid: row for row in rows}
    with transaction.atomic():
        known = {one.uid: one for one in Person.objects.filter(uid__in=wanted)}
        codes: dict[str, set[str]] = {uid: set() for uid in known}
        for person_id, code in Membership.objects.filter(person__in=known).values_list(
            "person_id", "code"
        ):
            codes[person_id].add(code)
        changed = [
            row
            for row in wanted.values()
            if row.uid not in known
            or codes[row.uid] != row.codes
            or any(
                getattr(known[row.uid], name) != getattr(row, name)
                for name in ("words", "sort", "staff", "student", "seen")
            )
        ]
        if not changed:
            return 0
        Person.objects.bulk_create(
            [
                Person(row.uid, row.words, row.sort, row.staff, row.student, row.seen)
                for row in changed
            ],
            update_conflicts=True,
            unique_fields=["uid"],
            update_fields=["words", "sort", "staff", "student", "seen"],
        )
        Membership.objects.filter(person__in=[row.uid for row in changed]).delete()
        Membership.objects.bulk_create(
            Membership(person_id=row.uid, code=code) for row in changed for code in row.codes
        )
        words = {word for row in changed for word in row.words.split()}
        words -= set(
            Misspelling.objects.filter(word__in=words).values_list("word", flat=True).distinct()
        )
        Misspelling.objects.bulk_create(
            (
                Misspelling(word=word, variant=variant)
                for word in words
                for variant in variants(word)
            ),
            ignore_conflicts=True,
        )
    return len(changed)
