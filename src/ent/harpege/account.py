"""The life of an account: from what Harpège says of a person, and the state it has, to the next.

The directory is the only memory: supannRessourceEtat holds the state,
supannRessourceEtatDate since when and until when. Delays count from the last day of work,
which Harpège says; of somebody who vanished from Harpège, from the day the feed noticed.
"""

from __future__ import annotations

import enum
import re
from datetime import date, timedelta
from typing import NamedTuple

from ent.directory import AccountState
from ent.harpege.config import Policy
from ent.harpege.messages import Text, tell

_DATED = re.compile(r"(\{COMPTE\}[^:]+:[^:]+):(\d{8})?:(\d{8})?", re.IGNORECASE)


class Presence(enum.Enum):
    """What Harpège says of a person's work."""

    PRESENT = "present"  # at work, or arriving within the lead
    LEFT = "left"  # the last day is past
    DEAD = "dead"
    VANISHED = "vanished"  # no row that would make them staff, any more


class Standing(NamedTuple):
    """Somebody's presence.

    day: LEFT: the last day of work; DEAD: the day of death; otherwise None.
    """

    presence: Presence
    day: date | None = None


class StateDate(NamedTuple):
    """A value of supannRessourceEtatDate: `{COMPTE}A:SupannSursis:20261123:20261222`.

    since, until: first and last day of the state, either may be unknown.
    """

    state: str
    since: date | None
    until: date | None

    @classmethod
    def parse(cls, value: str) -> StateDate | None:
        """Read a value; None when it is not one of an account, or not a date."""
        found = _DATED.fullmatch(value)
        if not found:
            return None
        try:
            since, until = (
                date(int(day[:4]), int(day[4:6]), int(day[6:])) if day else None
                for day in found.group(2, 3)
            )
        except ValueError:
            return None
        return cls(found[1], since, until)

    def __str__(self) -> str:
        return f"{self.state}:{_day(self.since)}:{_day(self.until)}"


class Decision(NamedTuple):
    """The state that the account should have.

    dated: what supannRessourceEtatDate should say; None leaves it as it is.
    note: what a person should know, or None.
    """

    state: AccountState
    dated: StateDate | None
    note: Text | None = None


def decide(
    state: AccountState, dated: StateDate | None, standing: Standing, policy: Policy, today: date
) -> Decision:
    """What becomes of an account of this state, whose `dated` the directory says.

    Who is present: stays, or in the grace becomes active again; later comes back as
    pre-created, with the same login and addresses, to be activated anew. Who left: grace,
    suspended, expired, each in its time and never back. Who was never activated, or died,
    has no grace. A suspension by the administration is the administration's.
    """
    if state is AccountState.SUSPENDED:
        note = None
        if standing.presence is not Presence.PRESENT:
            note = tell("Parti, et le compte reste suspendu par l’administration : à elle d’agir.")
        return Decision(state, None, note)
    if standing.presence is Presence.PRESENT:
        wanted, until = _present(state), None
    else:
        wanted, until = _gone(state, dated, standing, policy, today)
    if wanted is state:
        return Decision(state, _redated(state, dated, until, today))
    return Decision(wanted, StateDate(wanted.value, today, until))


def created(today: date) -> Decision:
    """The state of a new account."""
    state = AccountState.PRE_CREATED
    return Decision(state, StateDate(state.value, today, None))


def _present(state: AccountState) -> AccountState:
    if state is AccountState.GRACE:
        return AccountState.ACTIVE
    if state in (AccountState.DEPARTED, AccountState.EXPIRED):
        return AccountState.PRE_CREATED
    return state


def _gone(
    state: AccountState, dated: StateDate | None, standing: Standing, policy: Policy, today: date
) -> tuple[AccountState, date | None]:
    """The stage of a departure, and its last day."""
    if state is AccountState.EXPIRED:
        return state, None
    grace, suspended = timedelta(policy.grace), timedelta(policy.suspended)
    # never activated; or already without sign-in, which only an activation gives back
    without_grace = state in (AccountState.PRE_CREATED, AccountState.DEPARTED)
    if standing.presence is Presence.DEAD:
        grace_ends = day_before(standing.day or today)
        suspended_ends = grace_ends + suspended
        without_grace = True
    elif standing.day is not None:
        grace_ends = standing.day + grace
        suspended_ends = grace_ends + suspended
    else:
        # vanished: each stage counts from the day on which it was noticed
        since = today
        if state in (AccountState.GRACE, AccountState.DEPARTED) and dated and _same(dated, state):
            since = dated.since or today
        if without_grace:
            grace_ends = day_before(since)
            suspended_ends = grace_ends + suspended
        else:
            grace_ends = day_before(since) + grace
            suspended_ends = day_before(today) + suspended
    if today <= grace_ends and not without_grace:
        return AccountState.GRACE, grace_ends
    if today <= suspended_ends:
        return AccountState.DEPARTED, suspended_ends
    return AccountState.EXPIRED, None


def _redated(
    state: AccountState, dated: StateDate | None, until: date | None, today: date
) -> StateDate | None:
    if dated is None:
        # only of a departure is the day needed later
        if state in (AccountState.GRACE, AccountState.DEPARTED):
            return StateDate(state.value, today, until)
        return None
    if not _same(dated, state):
        # activation and the help desk change states without dating them
        return StateDate(state.value, today, until)
    return None if dated.until == until else StateDate(state.value, dated.since, until)


def _same(dated: StateDate, state: AccountState) -> bool:
    return dated.state.lower() == state.value.lower()


def day_before(day: date) -> date:
    """The day before `day`."""
    return day - timedelta(1)


def _day(day: date | None) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}" if day else ""
