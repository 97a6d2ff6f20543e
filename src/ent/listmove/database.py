"""A connection to PostgreSQL that is made again when it was lost."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from ent.web.config import Database

Connection = psycopg.Connection[tuple[Any, ...]]
Result = TypeVar("Result")
# Not to be had, or lost: trying again is worth it. The others are faults.
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)


class DatabaseUnavailable(Exception):  # noqa: N818
    """The database is away, or does not let us in. The message names it and says why."""


class Connected:
    """One connection, which threads use in turn."""

    def __init__(self, settings: Database, name: str) -> None:
        self._settings = settings
        self._name = name
        self._connection: Connection | None = None
        self._lock = threading.RLock()

    def ask(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Run one statement, a transaction by itself; its rows.

        Raises DatabaseUnavailable; then it is not known whether what it changes was changed.
        """
        with self._lock, self._translated():
            cursor = self._connected().execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def transaction(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction: all of it is there when it returns, or nothing.

        Raises DatabaseUnavailable; then it is not known whether the transaction was committed.
        """
        with self._lock, self._translated():
            connection = self._connected()
            with connection.transaction():
                return work(connection)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def opened(self, connection: Connection) -> None:
        """What is done with each new connection. Errors of it close the connection."""

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            settings = self._settings
            connection: Connection = psycopg.connect(
                host=settings.host,
                port=settings.port,
                dbname=settings.name,
                user=settings.user,
                password=settings.password,
                sslmode="verify-full",
                sslrootcert=settings.ca_file,
                connect_timeout=5,
                application_name=self._name,
                autocommit=True,
                # whichever side vanishes without a word, the other notices within a minute
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
                tcp_user_timeout=60_000,
                # Commits are not waited for on disk. Sympa's tables and the ledger are in one
                # server, whose log has them in order: if it dies, the last ones are missing, and
                # all that came after them; so the ledger never knows more than was done.
                options="-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10"
                " -c tcp_keepalives_count=3 -c statement_timeout=120s"
                " -c synchronous_commit=off",
            )
            try:
                self.opened(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            self.close()
            where = f"database {self._settings.name} on {self._settings.host}"
            raise DatabaseUnavailable(f"{where}: {' '.join(str(error).split())}") from error
