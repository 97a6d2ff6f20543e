"""Giving a code to a caller who was verified."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ent.annuaire.helpdesk.accounts import Account, find_account
from ent.annuaire.helpdesk.codes import Code, new_code
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.diagnosis import verified_until
from ent.annuaire.helpdesk.storage import StoredCode
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.directory import AccountState


class NotVerified(Exception):  # noqa: N818 - says what happened, as callers read it
    """The agent has not verified the caller, or too long ago."""


class NotOpen(Exception):  # noqa: N818
    """The account cannot have a new password. state: why."""

    def __init__(self, state: AccountState | None) -> None:
        super().__init__(state.name if state else "no account")
        self.state = state


@dataclass(frozen=True, slots=True)
class Issued:
    """What the agent reads out, once. The code is nowhere else."""

    account: Account
    code: Code
    expires_at: datetime


def issue(desk: Desk, actor: Actor, uid: str) -> Issued:
    """A new code for this person, in the place of any other.

    Raises:
        NotOpen: there is no such account, or it may not sign in.
        NotVerified: verify the caller first.
        DirectoryUnavailable, DatabaseError: there is no code.

    """
    account = find_account(desk.directory, uid)
    if account is None:
        raise NotOpen(None)
    if not account.may_sign_in:
        desk.record(actor, Action.ISSUE, Outcome.REFUSED, account.uid, "state")
        raise NotOpen(account.state)
    if verified_until(desk, actor, account.uid) is None:
        desk.record(actor, Action.ISSUE, Outcome.REFUSED, account.uid, "not-verified")
        raise NotVerified
    code, now = new_code(), desk.clock()
    stored = StoredCode(
        person=account.uid,
        digest=code.digest(desk.config.code_key.encode(), account.uid),
        issued_at=now,
        expires_at=now + timedelta(minutes=desk.config.code_minutes),
        issued_by=actor.login,
    )
    with desk.store.transaction():
        desk.store.put_code(stored)
        desk.record(
            actor, Action.ISSUE, Outcome.DONE, account.uid, f"minutes:{desk.config.code_minutes}"
        )
    return Issued(account, code, stored.expires_at)
