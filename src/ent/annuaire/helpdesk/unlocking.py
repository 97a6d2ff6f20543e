"""Lifting what wrong tries have locked: in the directory, at the sign-on, on annuaire's forms."""

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ent.annuaire.helpdesk.accounts import Account
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.signon import SignOnUnavailable
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.directory import Change, DirectoryRefused, DirectoryUnavailable, StaleEntry

log = logging.getLogger(__name__)


class Where(enum.StrEnum):
    """What was lifted, or not."""

    DIRECTORY = "directory"
    SIGN_ON = "sign-on"
    ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True)
class Lifted:
    """done: what is open now. failed: what could not be reached, to be tried again."""

    done: tuple[Where, ...]
    failed: tuple[Where, ...]


def lift(desk: Desk, actor: Actor, account: Account) -> Lifted:
    """Lift every lock of this person. Each has its own lines in the trail.

    What the directory's administrator locked stays locked. Raises DatabaseError
    when the trail cannot be written: what has no line was not lifted.
    """
    ways: dict[Where, Callable[[], object]] = {
        Where.SIGN_ON: lambda: desk.sign_on.forget(account.uid),
        Where.ATTEMPTS: lambda: desk.attempts.lift(account.uid),
    }
    if account.locked_at and not account.locked_for_good:
        ways = {Where.DIRECTORY: lambda: _unlock(desk, account), **ways}
    done, failed = [], []
    for where, way in ways.items():
        with desk.operation(actor, Action.UNLOCK, account.uid, where) as operation:
            try:
                way()
            except (DirectoryUnavailable, DirectoryRefused, SignOnUnavailable) as error:
                log.warning("lock of %s (%s) not lifted: %s", account.uid, where, error)
                operation.end(Outcome.FAILED)
                failed.append(where)
            else:
                operation.end(Outcome.DONE)
                done.append(where)
    return Lifted(tuple(done), tuple(failed))


def _unlock(desk: Desk, account: Account) -> None:
    try:
        desk.directory.modify(account.dn, [Change.delete("pwdAccountLockedTime")])
    except StaleEntry:
        log.info("%s was unlocked meanwhile", account.uid)
