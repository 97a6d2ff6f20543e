"""Counting attempts, lifting locks; many at once are tests/integration's, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import annuaire_app

annuaire_app.start()

from django.apps import apps  # noqa: E402
from django.db import OperationalError  # noqa: E402

from ent.annuaire.limits import locks  # noqa: E402
from ent.annuaire.limits.attempts import (  # noqa: E402
    ACTIVATION,
    CODE,
    PASSWORD,
    Limits,
    TooManyAttempts,
)
from ent.annuaire.limits.config import LimitsConfig  # noqa: E402
from ent.annuaire.limits.models import Count  # noqa: E402
from ent.annuaire.limits.rules import Rule  # noqa: E402

HOME = "192.0.2.7"
CONFIG = LimitsConfig(
    account=Rule(free=2, first_delay=10, longest_delay=60, lock_after=5, forget_after=600),
    network=Rule(free=4, first_delay=10, longest_delay=60, lock_after=0, forget_after=600),
    exempt=("198.51.100.0/24",),
)


class Clock:
    """Time as the test lets it pass."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(locks.timezone, "now", clock)
    return clock


@pytest.fixture
def limits(clock: Clock) -> Iterator[Limits]:
    yield Limits(CONFIG, clock)
    Count.objects.all().delete()


def fail(limits: Limits, clock: Clock, times: int, account: str = "ann", **more: str) -> None:
    """Fail so often, waiting as long as it takes."""
    for _ in range(times):
        clock.pass_(61)
        limits.begin(more.get("task", ACTIVATION), account, more.get("address", HOME))


def wait(limits: Limits, account: str = "ann", address: str = HOME, task: str = ACTIVATION) -> int:
    """Seconds to wait before an attempt would be heard; -1: locked."""
    try:
        limits.check(task, account, address)
    except TooManyAttempts as refusal:
        return -1 if refusal.wait is None else refusal.wait
    return 0


def test_an_attempt_counts_before_it_is_made(limits: Limits, clock: Clock) -> None:
    """A process killed in the middle has failed: nobody gets a try for free."""
    limits.begin(ACTIVATION, "ann", HOME)
    assert {(one.task, one.subject, one.failures) for one in Count.objects.all()} == {
        ("activation", "ann", 1),
        ("network", HOME, 1),
    }


def test_delays_grow(limits: Limits, clock: Clock) -> None:
    waits = []
    for _ in range(4):
        limits.begin(ACTIVATION, "ann", HOME)
        waits.append(wait(limits))
        clock.pass_(waits[-1])
    assert waits == [0, 0, 10, 20]


def test_during_a_delay_nothing_is_tried_or_counted(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 3)
    clock.pass_(9)
    with pytest.raises(TooManyAttempts) as refused:
        limits.begin(ACTIVATION, "ann", HOME)
    assert refused.value.wait == 1
    assert Count.objects.get(task=ACTIVATION).failures == 3
    clock.pass_(1)
    limits.begin(ACTIVATION, "ann", HOME)


def test_without_a_delay_the_order_of_clocks_does_not_matter(limits: Limits, clock: Clock) -> None:
    """Of two at the same moment, the later may have read its clock first."""
    limits.begin(ACTIVATION, "ann", HOME)
    clock.pass_(-0.01)
    limits.begin(ACTIVATION, "bob", HOME).succeeded()
    limits.begin(ACTIVATION, "ann", HOME)


def test_then_a_lock_that_time_does_not_lift(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 5)
    assert wait(limits) == -1
    clock.pass_(400 * 24 * 3600)
    assert wait(limits) == -1
    assert limits.clear() == 1  # the network's
    assert wait(limits) == -1
    with pytest.raises(TooManyAttempts):
        limits.begin(ACTIVATION, "ann", "203.0.113.9")


def test_the_help_desk_sees_and_lifts(limits: Limits, clock: Clock) -> None:
    assert locks.locks_of("ann") == []
    fail(limits, clock, 5)
    since = clock.now
    fail(limits, clock, 3, task=CODE, address="198.51.100.1")
    assert locks.locks_of("Ann") == [
        locks.Lock(ACTIVATION, 5, since, None),
        locks.Lock(CODE, 3, clock.now, clock.now + timedelta(seconds=10)),
    ]
    assert [one.task for one in locks.lift("ANN")] == [ACTIVATION, CODE]
    assert locks.locks_of("ann") == []
    assert wait(limits, address="198.51.100.1") == 0
    assert locks.lift("ann") == []


def test_success_forgets_the_account_and_not_the_network(limits: Limits, clock: Clock) -> None:
    """Somebody with an account of their own cannot reset the count of their network."""
    fail(limits, clock, 2)
    limits.begin(ACTIVATION, "ann", HOME).succeeded()
    assert not Count.objects.filter(subject="ann").exists()
    assert Count.objects.get(subject=HOME).failures == 2


def test_an_attempt_that_could_not_be_made(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 4)
    clock.pass_(60)
    limits.begin(ACTIVATION, "ann", HOME).not_made()  # would have been the fifth: a lock
    assert Count.objects.get(subject="ann").failures == 4
    assert Count.objects.get(subject="ann").locked_at is None
    assert Count.objects.get(subject=HOME).failures == 4


def test_a_network_slows_many_accounts(limits: Limits, clock: Clock) -> None:
    for number in range(5):
        limits.begin(ACTIVATION, f"ann{number}", HOME)
    assert wait(limits, "somebody-else") == 10
    assert wait(limits, "somebody-else", task=PASSWORD) == 10
    assert wait(limits, "somebody-else", "192.0.2.8") == 0


def test_an_ipv6_network_is_one(limits: Limits, clock: Clock) -> None:
    for number in range(5):
        limits.begin(ACTIVATION, f"ann{number}", f"2001:db8:1:2::{number}")
    assert wait(limits, "bob", "2001:db8:1:2:ffff::1") == 10
    assert wait(limits, "bob", "2001:db8:1:3::1") == 0


def test_an_exempt_network_is_counted_by_account_only(limits: Limits, clock: Clock) -> None:
    for number in range(20):
        limits.begin(ACTIVATION, f"ann{number}", "198.51.100.7")
    assert wait(limits, "bob", "198.51.100.7") == 0
    fail(limits, clock, 5, address="198.51.100.7")
    assert wait(limits, address="198.51.100.7") == -1


def test_a_login_that_is_none_is_counted_too(limits: Limits, clock: Clock) -> None:
    """One-time codes come with whatever login somebody typed."""
    for _ in range(3):
        limits.begin(CODE, "Ä" * 5000, "198.51.100.7")
    assert wait(limits, "ä" * 5000, "198.51.100.7", CODE) == 10
    assert len(Count.objects.get().subject) == 64


def test_tasks_are_counted_apart(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 5)
    assert wait(limits) == -1
    assert wait(limits, task=PASSWORD, address="192.0.2.99") == 0


def test_the_case_of_a_login_makes_no_second_account(limits: Limits, clock: Clock) -> None:
    for uid in ("ann", "Ann", "ANN"):
        limits.begin(ACTIVATION, uid, HOME)
    assert wait(limits, "aNN") == 10


def test_failures_are_forgotten_in_time(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 4)
    clock.pass_(600)
    limits.begin(ACTIVATION, "ann", HOME)
    assert Count.objects.get(subject="ann").failures == 1


def test_the_nightly_timer_removes_what_is_forgotten(limits: Limits, clock: Clock) -> None:
    fail(limits, clock, 1, "old", address="192.0.2.1")
    clock.pass_(599)
    limits.begin(ACTIVATION, "ann", HOME)
    clock.pass_(1)
    assert limits.clear() == 2
    assert {one.subject for one in Count.objects.all()} == {"ann", HOME}
    Count.objects.update(last=datetime(2020, 1, 1, tzinfo=UTC))
    with annuaire_app.public():  # by the clock of the machine
        assert apps.get_app_config("annuaire_limits").clean() == 2
    assert not Count.objects.exists()


def test_without_a_database_nothing_is_tried(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(Count.objects, "bulk_create", down)
    with pytest.raises(OperationalError):
        limits.begin(ACTIVATION, "ann", HOME)


def test_a_database_lost_after_the_attempt_costs_the_person_nothing(
    limits: Limits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = limits.begin(ACTIVATION, "ann", HOME)

    def down(*_: object, **__: object) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(Count.objects, "select_for_update", down)
    attempt.succeeded()
    assert Count.objects.get(subject="ann").failures == 1
