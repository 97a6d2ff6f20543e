"""Why somebody cannot sign in, as findings that `texts` puts into words."""

import enum
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ent.annuaire.helpdesk.accounts import Account, find_account
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.moves import Move, MovesUnavailable
from ent.annuaire.helpdesk.signon import SignOnUnavailable
from ent.annuaire.helpdesk.storage import StoredCode
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.directory import AccountState

log = logging.getLogger(__name__)


class Cause(enum.StrEnum):
    """What is the matter. The first group is the account's state, the second comes and goes."""

    NOT_ACTIVATED = "not-activated"
    SUSPENDED = "suspended"
    DEPARTED = "departed"
    EXPIRED = "expired"
    UNKNOWN_STATE = "unknown-state"
    GRACE = "grace"
    NOTHING = "nothing"

    DIRECTORY_LOCK = "directory-lock"
    ADMINISTRATOR_LOCK = "administrator-lock"
    SIGN_ON_CLOSED = "sign-on-closed"
    SIGN_ON_UNKNOWN = "sign-on-unknown"
    ATTEMPTS = "attempts"


_OF_STATE = {
    AccountState.PRE_CREATED: Cause.NOT_ACTIVATED,
    AccountState.SUSPENDED: Cause.SUSPENDED,
    AccountState.DEPARTED: Cause.DEPARTED,
    AccountState.EXPIRED: Cause.EXPIRED,
    AccountState.GRACE: Cause.GRACE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps the person from signing in, or that they should know.

    since, until: when known. count: failures. task: what was tried (limits).
    """

    cause: Cause
    since: date | datetime | None = None
    until: date | datetime | None = None
    count: int = 0
    task: str = ""

    @property
    def liftable(self) -> bool:
        """Whether staff can end it."""
        return self.cause in (Cause.DIRECTORY_LOCK, Cause.SIGN_ON_CLOSED, Cause.ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A person, and what was found.

    code: the code under way, if one is valid.
    verified_until: until when this agent may give a code, None when they have not
        verified the caller.
    moves: what became of their mailing lists; None: that could not be read.
    """

    account: Account
    findings: tuple[Finding, ...]
    code: StoredCode | None
    verified_until: datetime | None
    moves: tuple[Move, ...] | None = ()

    @property
    def liftable(self) -> bool:
        """Whether there is a lock to lift."""
        return any(one.liftable for one in self.findings)


def examine(desk: Desk, actor: Actor, uid: str) -> Diagnosis | None:
    """What keeps this person from signing in; None: there is no such person.

    Raises DirectoryUnavailable, or DatabaseError.
    """
    account = find_account(desk.directory, uid)
    if account is None:
        return None
    now = desk.clock()
    findings = [*_state(account), *_locks(desk, account, now)]
    if account.state is AccountState.ACTIVE and not findings:
        findings = [Finding(Cause.NOTHING, since=account.since)]
    diagnosis = Diagnosis(
        account=account,
        findings=tuple(findings),
        code=_valid_code(desk, account.uid, now),
        verified_until=verified_until(desk, actor, account.uid),
        moves=_moves(desk, account.uid),
    )
    desk.record(actor, Action.VIEW, Outcome.DONE, account.uid)
    return diagnosis


def verified_until(desk: Desk, actor: Actor, uid: str) -> datetime | None:
    """Until when this agent's verification of the caller holds; None: there is none."""
    time = timedelta(minutes=desk.config.verification_minutes)
    proved = desk.store.proved_at(actor.login, uid, desk.clock() - time)
    return proved + time if proved else None


def _state(account: Account) -> list[Finding]:
    if account.state is None:
        return [Finding(Cause.UNKNOWN_STATE)]
    if cause := _OF_STATE.get(account.state):
        return [Finding(cause, since=account.since, until=account.until)]
    return []


def _locks(desk: Desk, account: Account, now: datetime) -> list[Finding]:
    found = []
    if account.locked_for_good:
        found.append(Finding(Cause.ADMINISTRATOR_LOCK))
    elif until := account.locked_until(now, desk.config.lockout_seconds):
        for_good = until == datetime.max.replace(tzinfo=UTC)
        found.append(
            Finding(
                Cause.DIRECTORY_LOCK,
                since=account.locked_at,
                until=None if for_good else until,
            )
        )
    try:
        failures = desk.sign_on.failures(account.uid)
    except SignOnUnavailable as error:
        log.warning("sign-on: %s", error)
        found.append(Finding(Cause.SIGN_ON_UNKNOWN))
    else:
        if failures.seconds:
            until = now + timedelta(seconds=failures.seconds)
            found.append(Finding(Cause.SIGN_ON_CLOSED, until=until, count=failures.count))
    found += [
        Finding(
            Cause.ATTEMPTS, since=lock.since, until=lock.until, count=lock.failures, task=lock.task
        )
        for lock in desk.attempts.locks_of(account.uid)
    ]
    return found


def _moves(desk: Desk, uid: str) -> tuple[Move, ...] | None:
    try:
        return tuple(desk.moves.of(uid)) if desk.moves else ()
    except MovesUnavailable as error:
        log.warning("moves of subscriptions: %s", error)
        return None


def _valid_code(desk: Desk, uid: str, now: datetime) -> StoredCode | None:
    code = desk.store.code(uid)
    if code is None or code.used_at or code.expires_at <= now:
        return None
    return code if code.failures < desk.config.code_tries else None
