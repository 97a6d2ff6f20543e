"""The caller's side: a code, and a new password that only its owner knows.

The code is spent when, and only when, the directory has taken the password. Every
other end leaves it valid for as long as it was given, and says so.
"""

import hmac
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from ent.annuaire.helpdesk.accounts import Account, find_account
from ent.annuaire.helpdesk.codes import Code
from ent.annuaire.helpdesk.desk import Actor, Desk, Operation
from ent.annuaire.helpdesk.signon import SignOnUnavailable
from ent.annuaire.helpdesk.storage import StoredCode
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.annuaire.limits.attempts import CODE
from ent.annuaire.uncertain import password_was_set
from ent.directory import (
    AccountState,
    Change,
    Conflict,
    DirectoryRefused,
    DirectoryUnavailable,
    NoSuchEntry,
    NotAllowed,
    WriteUncertain,
)

log = logging.getLogger(__name__)

# Wrong tries of a dead code that still get a line; beyond, only the journal hears.
_HEARD = 20
# Seconds to wait for a directory that stopped answering in the middle. Below the
# database's statement_timeout, within which others wait for the same code.
PATIENCE = 4.0


class CodeRefused(Exception):  # noqa: N818 - says what happened, as callers read it
    """Wrong login, wrong, replaced or expired code, too many tries: which, is nobody's to know."""


class PasswordNotTaken(Exception):  # noqa: N818
    """The directory's rule refuses this password. The code stays valid."""


class AccountClosed(Exception):  # noqa: N818
    """The code was right, and the account was closed since it was given. state: to what."""

    def __init__(self, state: AccountState | None) -> None:
        super().__init__(state.name if state else "no account")
        self.state = state


class NotChanged(Exception):  # noqa: N818
    """The directory does not answer: nothing was changed and the code stays valid."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__("the directory does not answer")
        self.expires_at = expires_at


class OutcomeUnknown(Exception):  # noqa: N818
    """The directory stopped answering in the middle: the new password is set, or is not."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__("the directory stopped answering")
        self.expires_at = expires_at


@dataclass(frozen=True, slots=True)
class Done:
    """The password is set. name: for the last page."""

    uid: str
    name: str


def redeem(desk: Desk, login: str, code: Code, password: str, address: str) -> Done:
    """Set the password that the owner of this code has chosen.

    Done twice with the same password (double click, reload, an answer that was
    lost), it says both times that it is done.

    login: as typed. password: one that keeps the rule.
    address: network address of who tries.

    Raises:
        ent.annuaire.limits.attempts.TooManyAttempts: nothing was tried.
        CodeRefused, PasswordNotTaken, AccountClosed: nothing was changed.
        NotChanged, OutcomeUnknown: the directory is away.
        DatabaseError: nothing was changed.

    """
    login = login.strip().lower()
    attempt = desk.attempts.begin(CODE, login, address)
    actor = Actor("", address)
    stored = _entitled(desk, actor, login, code)
    # the code was right: what follows is no guess of anybody's
    attempt.succeeded()
    with desk.operation(actor, Action.REDEEM, stored.person) as operation:
        return _with_code(desk, operation, stored, password)


def _entitled(desk: Desk, actor: Actor, login: str, code: Code) -> StoredCode:
    """The stored code, if this is it; a wrong one is counted. Raises CodeRefused."""
    with desk.store.transaction():
        stored = desk.store.code_locked(login)
        given = code.digest(desk.config.code_key.encode(), login)
        same = hmac.compare_digest(given, stored.digest if stored else b"")
        why = _refusal(desk, stored, same=same)
        if not why and stored:
            return stored
        if stored:
            desk.store.code_failed(login)
            if stored.failures < _HEARD:
                desk.record(actor, Action.REDEEM, Outcome.REFUSED, login, why)
    log.info("code refused: %s (%s)", why, actor.address)
    raise CodeRefused


def _refusal(desk: Desk, stored: StoredCode | None, *, same: bool) -> str:
    if stored is None:
        return "no-code"
    if stored.failures >= desk.config.code_tries:
        return "tries"
    if not same:
        return "wrong-code"
    if desk.clock() >= stored.expires_at + _grace(stored):
        return "expired"
    return ""


def _grace(stored: StoredCode) -> timedelta:
    # whoever sends the same form again learns that it was done, a while longer
    return timedelta(minutes=10) if stored.used_at else timedelta(0)


def _with_code(desk: Desk, operation: Operation, first: StoredCode, password: str) -> Done:
    try:
        account = find_account(desk.directory, first.person)
        if account is None or not account.may_sign_in:
            raise AccountClosed(account.state if account else None)
        used = _spend(desk, operation, account, first, password)
        if used:
            _same_as_before(desk, account, first, password)
            operation.last_words(Outcome.DONE, "again")
    except CodeRefused:
        operation.last_words(Outcome.REFUSED, "used")
        raise
    except PasswordNotTaken:
        operation.last_words(Outcome.REFUSED, "rule")
        raise
    except AccountClosed:
        operation.last_words(Outcome.REFUSED, "state")
        raise
    except OutcomeUnknown:
        operation.last_words(Outcome.UNCERTAIN, "directory")
        raise
    except (NotChanged, DirectoryUnavailable) as error:
        log.error("directory: %s", error)
        operation.last_words(Outcome.FAILED, "directory")
        raise NotChanged(first.expires_at) from error
    _open_the_sign_on(desk, account.uid)
    return Done(account.uid, account.name)


def _spend(
    desk: Desk, operation: Operation, account: Account, first: StoredCode, password: str
) -> bool:
    """Set the password and mark the code, in one transaction; whether it was spent before."""
    taken = False
    try:
        with desk.store.transaction():
            # from here on others with the same code wait, and then find it spent
            stored = desk.store.code_locked(first.person)
            if stored is None or stored.digest != first.digest:
                raise CodeRefused
            if stored.used_at is not None:
                return True
            _set_password(desk, account, stored, password)
            taken = True
            desk.store.code_used(stored.person, desk.clock())
            operation.end(Outcome.DONE)
    except DatabaseError:
        if not taken:
            raise
        # the password is set, whatever became of the code: this must be said to the person
        log.exception("code of %s used, and this could not be kept", first.person)
        operation.last_words(Outcome.DONE, "not-spent")
    return False


def _set_password(desk: Desk, account: Account, stored: StoredCode, password: str) -> None:
    try:
        # in clear over TLS: slapd checks its rule, hashes, and ends its lock
        desk.directory.modify(account.dn, [Change.replace("userPassword", password)])
    except Conflict as error:
        log.info("password of %s not taken: %s", account.uid, error)
        raise PasswordNotTaken from error
    except (NotAllowed, NoSuchEntry) as error:
        # closed between the look and the write
        raise AccountClosed(None) from error
    except WriteUncertain as error:
        log.warning("password of %s: no answer, looking again: %s", account.uid, error)
        try:
            done = password_was_set(desk.directory, account.dn, password, PATIENCE)
        except DirectoryUnavailable as silence:
            raise OutcomeUnknown(stored.expires_at) from silence
        if not done:
            raise NotChanged(stored.expires_at) from error


def _same_as_before(desk: Desk, account: Account, first: StoredCode, password: str) -> None:
    """The code was spent. Whoever sends the same again is told it is done; others are refused."""
    try:
        same = desk.directory.check_password(account.dn, password)
    except DirectoryRefused:
        same = False
    if not same:
        with desk.store.transaction():
            desk.store.code_failed(first.person)
        raise CodeRefused


def _open_the_sign_on(desk: Desk, uid: str) -> None:
    """Forget the failures that led to the telephone; not done, it is over in minutes."""
    try:
        desk.sign_on.forget(uid)
    except SignOnUnavailable as error:
        log.warning("sign-on: failures of %s not forgotten: %s", uid, error)
