"""What became of somebody's mailing lists when their address changed (docs/listmove.md).

The worker on the list host writes it down; the role `helpdesk` may read that table.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import DatabaseError, connections

ALIAS = "listmove"
SHOWN = 100  # of one person, the latest


class MovesUnavailable(Exception):  # noqa: N818 - says what happened, as callers read it
    """The worker's database gave no answer. The message is for the log."""


@dataclass(frozen=True, slots=True)
class Move:
    """A subscription, ownership or moderation under an old address, and what became of it.

    role, outcome, reason: in the words of the worker's table; reason "" unless it failed.
    """

    at: datetime
    old_address: str
    new_address: str
    list: str
    role: str
    outcome: str
    reason: str = ""


class Moves(Protocol):
    """What the diagnosis asks of the worker's table."""

    def of(self, login: str) -> list[Move]:
        """The last that is known of each, the latest first. Raises MovesUnavailable."""


class DatabaseMoves:
    """The worker's table."""

    def of(self, login: str) -> list[Move]:
        """Of what was tried more than once, only how it ended."""
        try:
            with connections[ALIAS].cursor() as cursor:
                cursor.execute(_LAST, [login, SHOWN])
                return [Move(*row) for row in cursor.fetchall()]
        except DatabaseError as error:
            raise MovesUnavailable(str(error)) from error


_LAST = """
SELECT at, old_address, new_address, list, role, outcome, reason
  FROM (SELECT DISTINCT ON (old_address, list, role) *
          FROM move WHERE login = %s
         ORDER BY old_address, list, role, id DESC) AS last
 ORDER BY at DESC, id DESC
 LIMIT %s
"""
