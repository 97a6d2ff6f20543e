"""Attempts: counted as failures before anything is tried, so that no crash forgets one."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from ent.annuaire.limits.config import LimitsConfig
from ent.annuaire.limits.models import Count
from ent.annuaire.limits.rules import Rule
from ent.web.network import network_of

log = logging.getLogger(__name__)

ACTIVATION = "activation"
PASSWORD = "password"  # noqa: S105 - the name of a task
CODE = "code"
NETWORK = "network"
_LONGEST = 64


class TooManyAttempts(Exception):  # noqa: N818 - says what happened, as callers read it
    """Nothing was tried, and nothing was counted.

    wait: seconds after which the next attempt is heard; None: the account is
        locked for this task until the help desk lifts it.
    """

    def __init__(self, wait: int | None) -> None:
        super().__init__("locked" if wait is None else f"{wait} s to wait")
        self.wait = wait


@dataclass(frozen=True)
class Limits:
    """The limits of this process's settings; the counts are everybody's."""

    config: LimitsConfig
    clock: Callable[[], datetime] = field(default=timezone.now)

    def begin(self, task: str, account: str, address: str) -> "Attempt":
        """Count an attempt, before it is made; the attempt says how it ended.

        task: ACTIVATION, PASSWORD or CODE.
        account: login of whose secret is tried.
        address: network address of who tries (`ent.web.network.client_address`).

        Raises TooManyAttempts, or DatabaseError when it cannot be counted: then
        nothing must be tried either.
        """
        now = self.clock()
        # durable: the outermost transaction, so that it is on disk when this returns
        with transaction.atomic(durable=True):
            counts = [
                (_locked_row(task, subject, now), rule)
                for task, subject, rule in self._subjects(task, account, address)
            ]
            for count, rule in counts:
                _forget(count, rule, now)
            _refuse(counts, now)
            for count, rule in counts:
                count.failures += 1
                count.last = now
                count.free_at = _free_at(count, rule)
                count.locked_at = now if rule.locks_after(count.failures) else None
                count.save()
        return Attempt(self, tuple(count.pk for count, _ in counts))

    def check(self, task: str, account: str, address: str) -> None:
        """Raise what `begin` would raise now, and count nothing: for pages before the attempt."""
        now = self.clock()
        counts = [
            (count, rule)
            for task, subject, rule in self._subjects(task, account, address)
            for count in Count.objects.filter(task=task, subject=subject)
        ]
        for count, rule in counts:
            _forget(count, rule, now)
        _refuse(counts, now)

    def clear(self) -> int:
        """Remove counts that are forgotten anyway; how many. For the nightly timer."""
        now = self.clock()
        removed = 0
        for of_network, rule in ((True, self.config.network), (False, self.config.account)):
            old = Count.objects.filter(
                last__lte=now - timedelta(seconds=rule.forget_after), locked_at=None
            )
            old = old.filter(task=NETWORK) if of_network else old.exclude(task=NETWORK)
            removed += old.delete()[0]
        return removed

    def _subjects(self, task: str, account: str, address: str) -> list[tuple[str, str, Rule]]:
        """Task, subject and rule of each count, in the one order in which rows are locked."""
        subjects = [(task, subject_of(account), self.config.account)]
        if not self.config.exempts(address):
            subjects.append((NETWORK, network_of(address), self.config.network))
        return sorted(subjects, key=lambda one: one[:2])


def subject_of(account: str) -> str:
    """As counts name an account: logins compare without case; nobody's is longer."""
    return account.lower()[:_LONGEST]


def limits() -> Limits:
    """The limits of the public process's settings file."""
    return Limits(settings.ANNUAIRE.limits)


@dataclass(frozen=True)
class Attempt:
    """An attempt that is counted as a failure until it is said to be none."""

    limits: Limits
    counts: tuple[int, ...]

    def succeeded(self) -> None:
        """The secret was right: the account's failures are forgotten, the network's one less.

        A database that is gone now changes nothing for the person: it is logged.
        """
        self._undo(forget_account=True)

    def not_made(self) -> None:
        """Nothing could be tried, for no fault of the person's: as if it had not begun."""
        self._undo(forget_account=False)

    def _undo(self, *, forget_account: bool) -> None:
        try:
            with transaction.atomic():
                for count in (
                    Count.objects.select_for_update()
                    .filter(pk__in=self.counts)
                    .order_by("task", "subject")
                ):
                    if forget_account and count.task != NETWORK:
                        count.delete()
                        continue
                    config = self.limits.config
                    rule = config.network if count.task == NETWORK else config.account
                    count.failures = max(count.failures - 1, 0)
                    count.free_at = _free_at(count, rule)
                    if not rule.locks_after(count.failures):
                        count.locked_at = None
                    count.save()
        except DatabaseError as error:
            log.error("limits: the end of an attempt is not recorded: %s", error)


def _locked_row(task: str, subject: str, now: datetime) -> Count:
    """The count, locked until the end of the transaction; a new one if there is none."""
    while True:
        # inserting what is there already does nothing
        Count.objects.bulk_create(
            [Count(task=task, subject=subject, last=now)], ignore_conflicts=True
        )
        # none: it was there, and a success or the help desk has removed it since
        if found := Count.objects.select_for_update().filter(task=task, subject=subject).first():
            return found


def _free_at(count: Count, rule: Rule) -> datetime | None:
    # none at all without a delay: clocks of two processes at work may differ by a little
    delay = rule.delay_after(count.failures)
    return count.last + delay if delay else None


def _forget(count: Count, rule: Rule, now: datetime) -> None:
    old = count.last + timedelta(seconds=rule.forget_after) <= now
    if old and count.locked_at is None:
        count.failures, count.free_at = 0, None


def _refuse(counts: list[tuple[Count, Rule]], now: datetime) -> None:
    if any(count.locked_at for count, _ in counts):
        raise TooManyAttempts(None)
    wait = max(
        ((count.free_at - now).total_seconds() for count, _ in counts if count.free_at), default=0.0
    )
    if wait > 0:
        raise TooManyAttempts(math.ceil(wait))
