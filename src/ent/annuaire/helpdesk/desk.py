"""What the business steps need, and how an action gets into the trail."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from django.utils import timezone

from ent.annuaire.helpdesk.config import HelpdeskConfig
from ent.annuaire.helpdesk.moves import Moves
from ent.annuaire.helpdesk.signon import SignOn
from ent.annuaire.helpdesk.storage import Store
from ent.annuaire.helpdesk.trail import Action, Entry, Outcome
from ent.annuaire.limits import locks
from ent.annuaire.limits.attempts import Attempt, limits
from ent.annuaire.limits.locks import Lock
from ent.directory import Directory

log = logging.getLogger(__name__)


class Attempts(Protocol):
    """What the steps use of `ent.annuaire.limits`. Every method may raise DatabaseError."""

    def begin(self, task: str, account: str, address: str) -> Attempt:
        """Count an attempt before it is made."""

    def locks_of(self, account: str) -> list[Lock]:
        """What keeps a person from trying."""

    def lift(self, account: str) -> list[Lock]:
        """Forget the failures of a person."""


class OwnAttempts:
    """The limits of this process's settings."""

    def begin(self, task: str, account: str, address: str) -> Attempt:
        """Count an attempt."""
        return limits().begin(task, account, address)

    def locks_of(self, account: str) -> list[Lock]:
        """Read the person's locks."""
        return locks.locks_of(account)

    def lift(self, account: str) -> list[Lock]:
        """Remove the person's counts."""
        return locks.lift(account)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where. login "" is the caller, on the public page."""

    login: str
    address: str


@dataclass(frozen=True)
class Desk:
    """The directory as annuaire-helpdesk sees it, what is kept, and the site's rules.

    moves: None where nothing moves subscriptions.
    """

    directory: Directory
    store: Store
    sign_on: SignOn
    attempts: Attempts
    config: HelpdeskConfig
    moves: Moves | None = None
    clock: Callable[[], datetime] = field(default=timezone.now)

    def record(
        self, actor: Actor, action: Action, outcome: Outcome, person: str = "", detail: str = ""
    ) -> None:
        """Write one line. Raises DatabaseError: then the action must not take place."""
        self.store.write(
            Entry(
                action=action,
                outcome=outcome,
                agent=actor.login,
                address=actor.address,
                person=person,
                detail=detail,
            )
        )

    @contextmanager
    def operation(
        self, actor: Actor, action: Action, person: str, detail: str = ""
    ) -> Iterator["Operation"]:
        """Do something that reaches beyond the database, between two lines of the trail.

        The first is on disk before the block begins. The block says how it ended
        (`Operation.end`); if it ends in an error, that is what the second line says.
        """
        operation = Operation(self, actor, action, person, secrets.token_hex(8), detail)
        with self.store.transaction():
            operation.write(Outcome.BEGUN, detail)
        try:
            yield operation
        except Exception as error:
            if not operation.ended:
                operation.last_words(Outcome.FAILED, f"error:{type(error).__name__}")
            raise
        if not operation.ended:
            operation.end(Outcome.DONE, detail)


@dataclass
class Operation:
    """An action under way."""

    desk: Desk
    actor: Actor
    action: Action
    person: str
    number: str
    detail: str
    ended: bool = False

    def write(self, outcome: Outcome, detail: str = "") -> None:
        """Write a line, in the caller's transaction if there is one."""
        self.desk.store.write(
            Entry(
                action=self.action,
                outcome=outcome,
                agent=self.actor.login,
                address=self.actor.address,
                person=self.person,
                operation=self.number,
                detail=detail,
            )
        )

    def end(self, outcome: Outcome, detail: str = "") -> None:
        """Write the line that says how it ended."""
        self.write(outcome, detail or self.detail)
        self.ended = True

    def last_words(self, outcome: Outcome, detail: str = "") -> None:
        """The same after something that cannot be undone: a trail that is away changes nothing now.

        The line "begun" is there, and the journal gets what the trail could not.
        """
        self.ended = True
        try:
            self.write(outcome, detail or self.detail)
        except Exception:
            log.exception(
                "trail: operation %s of %r on %s ended %s (%s), and this could not be written",
                self.number,
                self.actor.login,
                self.person,
                outcome,
                detail,
            )
