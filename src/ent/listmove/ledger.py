"""What was done, what is to be done, and how far the directory was followed.

A PostgreSQL database of the worker's own, so that a lists host can be rebuilt without loss. Every
method is one transaction. One worker has it at a time: the connection holds a lock, which ends
with it.
"""

import json
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from ent.listmove.database import Connected, Connection
from ent.web.config import Database

_LOCK = 0x656E74  # "ent": the database is ours alone, any number does
_SCHEMA = """
CREATE TABLE IF NOT EXISTS move (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    login text NOT NULL,
    old_address text NOT NULL,
    new_address text NOT NULL,
    list text NOT NULL,
    role text NOT NULL CHECK (role IN ('subscriber', 'owner', 'editor')),
    outcome text NOT NULL CHECK (outcome IN ('moved', 'merged', 'failed')),
    reason text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS move_of_login ON move (login, at);
CREATE INDEX IF NOT EXISTS move_at ON move (at);
CREATE TABLE IF NOT EXISTS intent (
    login text NOT NULL,
    old_address text NOT NULL,
    new_address text NOT NULL,
    list text NOT NULL,
    role text NOT NULL,
    merged boolean NOT NULL,
    PRIMARY KEY (login, old_address, list, role)
);
CREATE TABLE IF NOT EXISTS wanted (
    uid text PRIMARY KEY,
    due timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0,
    mark bigint NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS wanted_due ON wanted (due);
CREATE TABLE IF NOT EXISTS cookie (
    one integer PRIMARY KEY CHECK (one = 1),
    value text NOT NULL
);
"""
_WANT = """
INSERT INTO wanted (uid) SELECT * FROM unnest(%s::text[])
ON CONFLICT (uid) DO UPDATE SET due = now(), tries = 0, mark = wanted.mark + 1
"""
_TAKE = """
SELECT uid, mark, tries, EXISTS (SELECT FROM intent WHERE login = uid)
FROM wanted WHERE due <= now() ORDER BY due, uid LIMIT 1
"""
_INTEND = """
INSERT INTO intent (login, old_address, new_address, list, role, merged)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[])
ON CONFLICT (login, old_address, list, role) DO UPDATE SET new_address = excluded.new_address
"""
_SETTLE = """
WITH settled AS (
    DELETE FROM intent USING unnest(%s::text[], %s::text[], %s::text[], %s::text[])
        AS one (login, old_address, list, role)
    WHERE intent.login = one.login AND intent.old_address = one.old_address
      AND intent.list = one.list AND intent.role = one.role
)
INSERT INTO move (login, old_address, new_address, list, role, outcome, reason, detail)
SELECT new.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[])
    AS new (login, old_address, new_address, list, role, outcome, reason, detail)
WHERE outcome <> 'failed' OR NOT EXISTS (
    SELECT FROM (
        SELECT new_address, outcome, reason FROM move
        WHERE login = new.login AND old_address = new.old_address AND list = new.list
          AND role = new.role
        ORDER BY id DESC LIMIT 1
    ) AS last
    WHERE (last.new_address, last.outcome, last.reason)
        = (new.new_address, new.outcome, new.reason)
)
RETURNING login, old_address, new_address, list, role, outcome, reason, detail
"""
_MOVES = """
SELECT login, old_address, new_address, list, role, outcome, reason, detail, at
FROM move WHERE %s OR login = ANY (%s) ORDER BY id
"""
_READABLE = """
SELECT r.rolname FROM pg_roles r
WHERE r.rolname <> current_user AND NOT r.rolsuper
  AND has_table_privilege(r.oid, 'move', 'SELECT') AND r.rolname !~ '^pg_'
"""


class InUseError(Exception):
    """Another worker has the ledger. The message says which."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that is about to be moved, or that was when the worker was cut off.

    merged: the new address held the same already.
    """

    login: str
    old_address: str
    new_address: str
    list: str
    role: str
    merged: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A row about a move, as docs/listmove.md defines it."""

    login: str
    old_address: str
    new_address: str
    list: str
    role: str
    outcome: str
    reason: str = ""
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody to look at.

    mark: changes when they are asked for again meanwhile. interrupted: whether an attempt was
        cut off, or may have been.
    """

    uid: str
    mark: int
    tries: int
    interrupted: bool = True


class Ledger(Connected):
    """The database. Its methods raise DatabaseUnavailable, and InUseError when it is taken.

    readers: roles that may read the table of moves. alone: as a worker; otherwise only to look.
    """

    def __init__(
        self, settings: Database, readers: Sequence[str] = (), *, alone: bool = True
    ) -> None:
        me = f"{socket.gethostname()} process {os.getpid()}"
        super().__init__(settings, f"ent-listmove {me}" if alone else "ent-listmove (status)")
        self._readers = readers
        self._alone = alone

    def opened(self, connection: Connection) -> None:
        """Take the lock, and make what is missing."""
        if not self._alone:
            return
        answer = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if not answer or not answer[0]:
            raise InUseError(self._holder(connection))
        with connection.transaction():
            connection.execute(_SCHEMA)
            self._grant(connection)

    def _holder(self, connection: Connection) -> str:
        row = connection.execute(
            "SELECT application_name, client_addr, backend_start FROM pg_locks "
            "JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND granted AND objid = %s "
            "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = "
            "current_database())",
            [_LOCK],
        ).fetchone()
        who = f"{row[0]} at {row[1]}, since {row[2]:%Y-%m-%d %H:%M:%S %Z}" if row else "unknown"
        return (
            f"another worker has the ledger ({who}); it does by itself what you ask, "
            "or stop ent-listmove.service there first"
        )

    def _grant(self, connection: Connection) -> None:
        present = {name for (name,) in connection.execute(_READABLE)}
        for names, text in (
            (set(self._readers) - present, "GRANT SELECT ON move TO {}"),
            (present - set(self._readers), "REVOKE ALL ON move FROM {}"),
        ):
            for name in sorted(names):
                connection.execute(sql.SQL(text).format(sql.Identifier(name)))

    # What is to be done

    def want(self, people: Iterable[str], *, cookie: str | None = None) -> None:
        """Ask for people to be looked at, now; with the directory's cookie that told of them."""

        def work(connection: Connection) -> None:
            connection.execute(_WANT, [sorted(set(people))])
            if cookie is not None:
                connection.execute(
                    "INSERT INTO cookie VALUES (1, %s) "
                    "ON CONFLICT (one) DO UPDATE SET value = excluded.value",
                    [cookie],
                )

        self.transaction(work)

    def also_want(self, people: Iterable[str]) -> None:
        """Ask for people to be looked at, but leave those who are waiting in their place."""
        self.ask(
            "INSERT INTO wanted (uid) SELECT * FROM unnest(%s::text[]) "
            "ON CONFLICT (uid) DO NOTHING",
            [sorted(set(people))],
        )

    def cookie(self) -> str | None:
        """Up to where the directory has been followed."""
        rows = self.ask("SELECT value FROM cookie")
        return str(rows[0][0]) if rows else None

    def forget_cookie(self) -> None:
        """Follow the directory from the beginning."""
        self.ask("DELETE FROM cookie")

    def take(self) -> Wanted | None:
        """The person whose turn it is."""
        rows = self.ask(_TAKE)
        return Wanted(*rows[0]) if rows else None

    def looked_at(self, wanted: Wanted) -> None:
        """The person has been looked at. If they were asked for meanwhile, they stay wanted."""
        self.ask("DELETE FROM wanted WHERE uid = %s AND mark = %s", [wanted.uid, wanted.mark])

    def retry(self, wanted: Wanted, seconds: float) -> None:
        """Look at the person again, later."""
        self.ask(
            "UPDATE wanted SET tries = tries + 1, due = now() + make_interval(secs => %s) "
            "WHERE uid = %s AND mark = %s",
            [seconds, wanted.uid, wanted.mark],
        )

    # What is being done, and was done

    def intend(self, intents: Sequence[Intent]) -> None:
        """Note what is about to be moved.

        What was noted before stays as it was: the attempt that was cut off may have got as far
        as to have two of the same.
        """
        if intents:
            names = ("login", "old_address", "new_address", "list", "role", "merged")
            self.ask(_INTEND, _columns(intents, *names))

    def intents(self, login: str) -> list[Intent]:
        """What was about to be moved for a person."""
        rows = self.ask(
            "SELECT login, old_address, new_address, list, role, merged FROM intent "
            "WHERE login = %s ORDER BY old_address, list, role",
            [login],
        )
        return [Intent(*row) for row in rows]

    def settle(self, intents: Sequence[Intent], done: Sequence[Done]) -> list[Done]:
        """Note what became of intents, which are none any more; what was noted.

        A failure that is the last thing known about the same move is not noted again.
        """
        names = ("login", "old_address", "new_address", "list", "role")
        rows = self.ask(
            _SETTLE,
            _columns(intents, "login", "old_address", "list", "role")
            + _columns(done, *names, "outcome", "reason", "detail"),
        )
        return [Done(*row) for row in rows]

    def forget_old(self, days: int) -> None:
        """Remove rows about moves that are older."""
        self.ask("DELETE FROM move WHERE at < now() - make_interval(days => %s)", [days])

    # What others ask

    def moves(self, logins: Sequence[str] = ()) -> list[Done]:
        """Rows about moves, oldest first: of these people, or all."""
        return [Done(*row) for row in self.ask(_MOVES, [not logins, list(logins)])]

    def waiting(self) -> list[tuple[str, datetime, int]]:
        """Who is to be looked at: login, when, and how often it was tried."""
        return self.ask("SELECT uid, due, tries FROM wanted ORDER BY due, uid")


def _columns(rows: Sequence[Any], *names: str) -> list[list[Any]]:
    """Rows as one array for each column."""
    return [[getattr(row, name) for row in rows] for name in names]


def as_json(done: Done) -> str:
    """A row as a line of JSON."""
    fields: dict[str, Any] = {
        name: getattr(done, name)
        for name in ("login", "old_address", "new_address", "list", "role", "outcome")
    }
    if done.outcome == "failed":
        fields |= {"reason": done.reason, "detail": done.detail}
    if done.at:
        fields = {"at": done.at.isoformat(timespec="seconds")} | fields
    return json.dumps(fields, ensure_ascii=False)
