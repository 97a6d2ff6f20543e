"""The sign-on's own count of wrong passwords, by login (docs/sso.md, "Guessing").

Two functions of its database are all this can reach. They take the login hashed
with a key of their own, as the sign-on stores it.
"""

import hmac
from dataclasses import dataclass
from typing import Protocol

from django.db import DatabaseError, connections

ALIAS = "signon"


class SignOnUnavailable(Exception):  # noqa: N818 - says what happened, as callers read it
    """The sign-on's database gave no answer. The message is for the log."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed sign-ins of late. seconds: for how long the login is still closed there."""

    count: int
    seconds: int


class SignOn(Protocol):
    """What the steps ask of the sign-on. Each raises SignOnUnavailable."""

    def failures(self, login: str) -> Failures:
        """How many there were, and whether the login is closed."""

    def forget(self, login: str) -> int:
        """Open the login again; how many failures were forgotten."""


@dataclass(frozen=True)
class DatabaseSignOn:
    """The sign-on's database, reached as a role that may call two functions."""

    key: str

    def failures(self, login: str) -> Failures:
        """Ask `helpdesk.failures`."""
        row = self._ask("SELECT failures, closed_seconds FROM helpdesk.failures(%s)", login)
        return Failures(int(row[0]), int(row[1] or 0))

    def forget(self, login: str) -> int:
        """Ask `helpdesk.forget_failures`."""
        return int(self._ask("SELECT helpdesk.forget_failures(%s)", login)[0])

    def _ask(self, sql: str, login: str) -> tuple[int, ...]:
        # as Ent::Auth does it (roles/lemonldap)
        text = f"login:{login.strip().lower()}"
        name = hmac.new(self.key.encode(), text.encode(), "sha256").hexdigest()
        try:
            with connections[ALIAS].cursor() as cursor:
                cursor.execute(sql, [name])
                return tuple(cursor.fetchone())
        except DatabaseError as error:
            raise SignOnUnavailable(str(error)) from error
