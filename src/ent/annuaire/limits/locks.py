"""What keeps a person from trying, and lifting it: for the help desk's process."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ent.annuaire.limits.attempts import NETWORK, subject_of
from ent.annuaire.limits.models import Count


@dataclass(frozen=True, slots=True)
class Lock:
    """Why nothing that this person tries is heard.

    task: ACTIVATION, PASSWORD or CODE of `attempts`.
    failures: how many there were.
    since: the last of them.
    until: when the delay is over; None: a lock, which somebody has to lift.
    """

    task: str
    failures: int
    since: datetime
    until: datetime | None


def locks_of(account: str) -> list[Lock]:
    """What keeps the person with this login from trying just now.

    Raises DatabaseError when that cannot be known.
    """
    now = timezone.now()
    return [
        Lock(count.task, count.failures, count.last, None if count.locked_at else count.free_at)
        for count in Count.objects.filter(subject=subject_of(account))
        .exclude(task=NETWORK)
        .order_by("task")
        if count.locked_at or (count.free_at and count.free_at > now)
    ]


def lift(account: str) -> list[Lock]:
    """Forget every failure of the person with this login; returns what kept them until now.

    Failures of the network they sit in are not theirs, and stay.
    """
    with transaction.atomic():
        found = locks_of(account)
        Count.objects.filter(subject=subject_of(account)).exclude(task=NETWORK).delete()
    return found
