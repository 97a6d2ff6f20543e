"""The life of an account, day by day."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.directory import AccountState
from ent.harpege.account import Decision, Presence, Standing, StateDate, decide
from ent.harpege.config import Policy
from harpege_store import TODAY, days

POLICY = Policy(grace=30, suspended=180)
PRESENT = Standing(Presence.PRESENT)
VANISHED = Standing(Presence.VANISHED)
A, P, G, D, X = (
    AccountState.ACTIVE,
    AccountState.PRE_CREATED,
    AccountState.GRACE,
    AccountState.DEPARTED,
    AccountState.EXPIRED,
)


def left(ago: int) -> Standing:
    return Standing(Presence.LEFT, days(-ago))


def state(before: AccountState, standing: Standing, today: date = TODAY) -> AccountState:
    return decide(before, None, standing, POLICY, today).state


def test_a_state_date_is_what_it_was_written_as() -> None:
    dated = StateDate(G.value, date(2026, 11, 23), date(2026, 12, 22))
    assert str(dated) == "{COMPTE}A:SupannSursis:20261123:20261222"
    assert StateDate.parse(str(dated)) == dated
    open_end = StateDate(A.value, date(2026, 11, 23), None)
    assert str(open_end) == "{COMPTE}A:SupannActif:20261123:"
    assert StateDate.parse(str(open_end)) == open_end


@pytest.mark.parametrize(
    "value", ["", "{MAIL}A:Actif:20260101:", "{COMPTE}A:SupannActif", "{COMPTE}A:X:20261399:"]
)
def test_what_is_no_state_date(value: str) -> None:
    assert StateDate.parse(value) is None


@pytest.mark.parametrize("before", [A, P])
def test_who_is_present_stays(before: AccountState) -> None:
    assert decide(before, None, PRESENT, POLICY, TODAY) == Decision(before, None)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(1, G), (30, G), (31, D), (210, D), (211, X), (4000, X)],
)
def test_each_delay_counts_from_the_last_day(ago: int, expected: AccountState) -> None:
    assert state(A, left(ago)) is expected
    assert state(G, left(ago)) is expected


def test_the_grace_says_until_when() -> None:
    decision = decide(A, None, left(1), POLICY, TODAY)
    assert decision.dated == StateDate(G.value, TODAY, days(29))
    assert decide(G, decision.dated, left(1), POLICY, TODAY).dated is None
    suspended = decide(G, decision.dated, left(31), POLICY, TODAY)
    assert suspended.dated == StateDate(D.value, TODAY, days(179))


def test_who_was_never_activated_has_no_grace() -> None:
    assert state(P, left(1)) is D
    assert state(P, VANISHED) is D
    assert state(P, left(211)) is X


def test_nobody_who_died_signs_in() -> None:
    assert state(A, Standing(Presence.DEAD, TODAY)) is D
    assert state(G, Standing(Presence.DEAD, days(-10))) is D
    assert state(A, Standing(Presence.DEAD, days(-181))) is X


@pytest.mark.parametrize(("before", "after"), [(A, A), (G, A), (D, P), (X, P), (P, P)])
def test_who_comes_back(before: AccountState, after: AccountState) -> None:
    decision = decide(before, None, PRESENT, POLICY, TODAY)
    assert decision.state is after
    if after is not before:
        assert decision.dated == StateDate(after.value, TODAY, None)


def test_a_departure_never_goes_back_by_itself() -> None:
    # the last day was corrected to a later one that is past as well
    assert state(D, left(1)) is D
    assert state(X, left(1)) is X
    assert state(X, VANISHED) is X


def test_who_vanishes_has_every_delay_from_the_day_it_was_noticed() -> None:
    current, dated, seen = A, None, []
    for number in range(300):
        decision = decide(current, dated, VANISHED, POLICY, days(number))
        if decision.state is not current:
            seen.append((number, decision.state))
            assert decision.dated is not None
            assert decision.dated.since == days(number)
        current, dated = decision.state, decision.dated or dated
    assert seen == [(0, G), (30, D), (210, X)]


def test_a_suspension_by_the_administration_is_left_alone_and_told() -> None:
    for standing in (left(1000), VANISHED, Standing(Presence.DEAD, days(-1000))):
        decision = decide(AccountState.SUSPENDED, None, standing, POLICY, TODAY)
        assert decision.state is AccountState.SUSPENDED
        assert decision.dated is None
        assert decision.note is not None
    assert decide(AccountState.SUSPENDED, None, PRESENT, POLICY, TODAY).note is None


def test_activation_does_not_date_its_state_so_the_feed_does() -> None:
    dated = StateDate(P.value, days(-5), None)
    assert decide(A, dated, PRESENT, POLICY, TODAY).dated == StateDate(A.value, TODAY, None)


def test_a_delay_of_nothing_is_skipped() -> None:
    at_once = dataclasses.replace(POLICY, grace=0)
    assert decide(A, None, left(1), at_once, TODAY).state is D
    assert decide(A, None, VANISHED, at_once, TODAY).state is D
    nothing = dataclasses.replace(POLICY, grace=0, suspended=0)
    assert decide(A, None, left(1), nothing, TODAY).state is X


STANDINGS = st.one_of(
    st.just(PRESENT),
    st.just(VANISHED),
    st.integers(1, 800).map(left),
    st.integers(0, 800).map(lambda ago: Standing(Presence.DEAD, days(-ago))),
)
DATES = st.none() | st.builds(
    StateDate,
    st.sampled_from([one.value for one in AccountState]),
    st.none() | st.integers(0, 400).map(lambda ago: days(-ago)),
    st.none() | st.integers(-400, 400).map(days),
)


@given(
    st.sampled_from(AccountState),
    DATES,
    STANDINGS,
    st.integers(0, 60),
    st.integers(0, 200),
)
def test_deciding_twice_changes_nothing(
    before: AccountState, dated: StateDate | None, standing: Standing, grace: int, suspended: int
) -> None:
    policy = Policy(grace=grace, suspended=suspended)
    first = decide(before, dated, standing, policy, TODAY)
    again = decide(first.state, first.dated or dated, standing, policy, TODAY)
    assert again.state is first.state
    assert again.dated is None


@given(st.sampled_from([A, P, G, D, X]), st.integers(0, 700), st.integers(0, 400))
def test_a_run_that_was_late_ends_where_daily_runs_do(
    before: AccountState, ago: int, late: int
) -> None:
    standing = Standing(Presence.LEFT, TODAY - timedelta(ago))
    now = decide(before, None, standing, POLICY, TODAY)
    later = decide(now.state, now.dated, standing, POLICY, days(late))
    assert later.state is decide(before, None, standing, POLICY, days(late)).state
    assert later.state.may_sign_in <= now.state.may_sign_in
