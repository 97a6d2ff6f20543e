"""Reading Harpège: one read-only transaction per run, people one at a time.

    with Source(settings).snapshot() as snapshot:
        for dossier in snapshot.dossiers:
            ...

The same SQLAlchemy Core queries read Oracle, where Harpège lives, and PostgreSQL.
Names are written without quotes, so that each database finds them in its own case
(NO_INDIVIDU, no_individu). Tables of people are read side by side through cursors
of the server, each in the order of the person's number, and merged: memory does
not grow with the number of people.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, get_args, get_type_hints

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ent.harpege import records
from ent.harpege.records import Dossier, Snapshot, Untyped

DRIVERS = ("postgresql+psycopg", "oracle+oracledb")
_ROWS_AT_A_TIME = 1000
_DAY = sa.literal_column("'YYYY-MM-DD'", sa.String)


class SourceError(Exception):
    """Harpège could not be read. The message names the database and says what to do."""


class SourceUnavailable(SourceError):  # noqa: N818
    """No connection, or one that was lost: a later run may succeed."""


class SourceRefused(SourceError):  # noqa: N818
    """The database says no (password, rights, no such database): somebody has to change that."""


class SourceIncomplete(SourceRefused):
    """Tables or columns that the feed needs are missing, or may not be read.

    missing: what is missing, as STRUCTURE or INDIVIDU.D_NAISSANCE.
    """

    def __init__(self, message: str, missing: tuple[str, ...]) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where Harpège is, and as whom it is read.

    url: a SQLAlchemy URL without password:
        `postgresql+psycopg://harpege_feed@db.example.org/harpege`
        `oracle+oracledb://ent_feed@harpege.example.org:2484/?service_name=HARP`
    password: of that user.
    schema: owner of the tables; "" when they are found without.
    ca_file: authorities that may have signed the server's certificate (PostgreSQL;
        Oracle's driver takes the system's).
    encrypted: Oracle only: TLS (tcps). PostgreSQL is always TLS, except through a
        local socket (a host that is a folder, `?host=/run/postgresql`).
    connect_timeout, statement_timeout: seconds (the second on PostgreSQL only).
    """

    url: str
    password: str = field(repr=False)
    schema: str = ""
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    encrypted: bool = True
    connect_timeout: int = 10
    statement_timeout: int = 300

    def __post_init__(self) -> None:
        try:
            url = make_url(self.url)
        except ArgumentError:
            url = None
        if url is None or url.drivername not in DRIVERS or not url.username:
            raise ValueError(
                f"url is {self.url!r}, expected "
                + " or ".join(f"{driver}://USER@HOST…" for driver in DRIVERS)
            )
        if url.password is not None:
            raise ValueError(
                "url contains a password, which would be shown in messages; give it as `password`"
            )


class _Table(NamedTuple):
    """How one table is read. kinds: int, str or date of each column, and whether it may be null."""

    name: str
    record: type[Any]
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    kinds: tuple[tuple[type, bool], ...]

    @classmethod
    def of(cls, name: str, record: type[Any], *keys: str) -> _Table:
        kinds = []
        for hint in get_type_hints(record).values():
            kind = [one for one in get_args(hint) or (hint,) if one is not type(None)]
            kinds.append((kind[0], len(get_args(hint)) > 1))
        return cls(name, record, keys, tuple(record._fields), tuple(kinds))

    def query(self, schema: str, only: int | None = None) -> sa.Select[Any]:
        """Select every column, in the order of the keys.

        Dates are made texts by the database: it may hold dates that Python has not,
        and one of them must not stop the others.
        """
        table = sa.table(self.name, *map(sa.column, self.columns), schema=schema or None)
        query = sa.select(
            *(
                sa.func.to_char(table.c[column], _DAY) if kind is date else table.c[column]
                for column, (kind, _) in zip(self.columns, self.kinds, strict=True)
            )
        ).order_by(*(table.c[key] for key in self.keys))
        return query if only is None else query.where(table.c[self.keys[0]] == only)


# People, each beginning with the person's number.
_INDIVIDU = _Table.of("individu", records.Individu, "no_individu")
_PERSONNEL = _Table.of("personnel", records.Personnel, "no_dossier_pers")
_AFFECTATION = _Table.of(
    "affectation", records.Affectation, "no_dossier_pers", "no_seq_affectation"
)
_OCCUPATION = _Table.of("occupation", records.Occupation, "no_dossier_pers", "no_occupation")
_CARRIERE = _Table.of("carriere", records.Carriere, "no_dossier_pers", "no_seq_carriere")
_ELEMENT = _Table.of(
    "element_carriere",
    records.ElementCarriere,
    "no_dossier_pers",
    "no_seq_carriere",
    "d_effet_element",
)
_CONTRAT = _Table.of(
    "contrat_travail", records.ContratTravail, "no_dossier_pers", "no_contrat_travail"
)
_PEOPLE = (_INDIVIDU, _PERSONNEL, _AFFECTATION, _OCCUPATION, _CARRIERE, _ELEMENT, _CONTRAT)
# The rest, small.
_STRUCTURE = _Table.of("structure", records.Structure, "c_structure")
_CORPS = _Table.of("corps", records.Corps, "c_corps")
_POPULATION = _Table.of("type_population", records.TypePopulation, "c_type_population")
_TYPE_CONTRAT = _Table.of("type_contrat_travail", records.TypeContrat, "c_type_contrat_trav")
_SMALL = (_STRUCTURE, _CORPS, _POPULATION, _TYPE_CONTRAT)

#: Table → columns that the feed reads, in lower case: what a reader has to be granted.
COLUMNS: Mapping[str, tuple[str, ...]] = {one.name: one.columns for one in _PEOPLE + _SMALL}


class Source:
    """The Harpège database, as the feed's reader."""

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings
        url = make_url(settings.url)
        self._oracle = url.drivername == "oracle+oracledb"
        self._name = f"Harpège ({url.render_as_string()})"
        try:
            self._engine = sa.create_engine(
                url.set(password=settings.password),
                poolclass=NullPool,
                hide_parameters=True,
                connect_args=_oracle(settings, url) if self._oracle else _postgresql(settings),
            )
        except ModuleNotFoundError as error:
            raise SourceRefused(
                f"{self._name}: the database driver is not installed ({error})"
            ) from error

    @contextmanager
    def snapshot(self, only: int | None = None) -> Iterator[Snapshot]:
        """Read all at one moment; `only` narrows people to one number.

        SourceUnavailable: no connection, or lost while the block reads. SourceIncomplete: a
        table or column is missing. SourceRefused: wrong password, no right, or no such database.
        """
        with self._connection() as connection:
            self._check(connection)
            if self._oracle:
                # one moment for all queries, and no write (Oracle's read consistency)
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            else:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            try:
                yield self._read(connection, only)
            finally:
                connection.rollback()

    def _read(self, connection: sa.Connection, only: int | None) -> Snapshot:
        untyped: list[Untyped] = []

        def small(table: _Table) -> Any:
            rows = _Rows(table, self._rows(connection, table, None), untyped)
            return _by_code(table, (record for record, _ in rows), untyped)

        with self._translated("reading"):
            counts = {
                table.name.upper(): int(
                    connection.execute(
                        sa.select(sa.func.count()).select_from(
                            sa.table(table.name, schema=self.settings.schema or None)
                        )
                    ).scalar_one()
                )
                for table in _PEOPLE + _SMALL
            }
        return Snapshot(
            structures=small(_STRUCTURE),
            corps=small(_CORPS),
            types_population=small(_POPULATION),
            types_contrat=small(_TYPE_CONTRAT),
            dossiers=_Dossiers(
                lambda table: self._rows(connection, table, only), untyped, self._name
            ),
            counts=counts,
            untyped=untyped,
        )

    def _rows(
        self, connection: sa.Connection, table: _Table, only: int | None
    ) -> Generator[Sequence[Any]]:
        with self._translated(f"reading {table.name.upper()}"):
            result = connection.execute(
                table.query(self.settings.schema, only),
                execution_options={"yield_per": _ROWS_AT_A_TIME},
            )
            for rows in result.partitions():
                yield from rows

    def _check(self, connection: sa.Connection) -> None:
        """Try every column before anything is read, and name all that are missing."""
        missing, reasons = [], set()
        for table in _PEOPLE + _SMALL:
            if not (reason := self._refusal(connection, table.query(self.settings.schema))):
                continue
            bare = sa.table(table.name, schema=self.settings.schema or None)
            if self._refusal(connection, sa.select(sa.func.count()).select_from(bare)):
                missing.append(table.name.upper())
                reasons.add(reason)
                continue
            for index, column in enumerate(table.columns):
                one = table._replace(
                    columns=(column,), kinds=table.kinds[index : index + 1], keys=()
                )
                if reason := self._refusal(connection, one.query(self.settings.schema)):
                    missing.append(f"{table.name.upper()}.{column.upper()}")
                    reasons.add(reason)
        if missing:
            raise SourceIncomplete(
                f"{self._name}: missing, or not readable as this user: {', '.join(missing)}. "
                "Grant SELECT on them, or give a view of that name and its schema. "
                f"The database says: {'; '.join(sorted(reasons)[:2])}",
                tuple(missing),
            )

    def _refusal(self, connection: sa.Connection, query: sa.Select[Any]) -> str:
        """Why the database will not run a query; "" when it will."""
        try:
            connection.execute(query.where(sa.false())).close()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise SourceUnavailable(self._message("the connection was lost", error)) from error
            return _first_line(error)
        finally:
            connection.rollback()
        return ""

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            connection = self._engine.connect()
        except (SQLAlchemyError, OSError, ssl.SSLError) as error:
            if _refused(str(error)):
                raise SourceRefused(self._message("refuses the connection", error)) from error
            raise SourceUnavailable(self._message("cannot be reached", error)) from error
        with connection:
            yield connection

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if error.connection_invalidated:
                raise SourceUnavailable(
                    self._message(f"the connection was lost while {doing}", error)
                ) from error
            raise SourceRefused(self._message(f"{doing} failed", error)) from error

    def _message(self, what: str, error: Exception) -> str:
        return f"{self._name} {what}: {_first_line(error)}"


def _postgresql(settings: SourceSettings) -> dict[str, Any]:
    return {
        "sslmode": "verify-full",
        "sslrootcert": settings.ca_file,
        "connect_timeout": settings.connect_timeout,
        "application_name": "ent-harpege",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "options": f"-c statement_timeout={settings.statement_timeout}s",
    }


def _oracle(settings: SourceSettings, url: sa.URL) -> dict[str, Any]:
    """TLS is part of Oracle's connect string; without it SQLAlchemy makes that string itself."""
    service = url.query.get("service_name")
    if not settings.encrypted:
        return {"tcp_connect_timeout": settings.connect_timeout}
    return {
        "dsn": f"tcps://{url.host}:{url.port or 2484}/{service}"
        f"?transport_connect_timeout={settings.connect_timeout}&ssl_server_dn_match=on"
    }


def _refused(message: str) -> bool:
    """Whether a failed connection was an answer of the database, and not that there was none.

    PostgreSQL's severity FATAL, but for a server that is starting or stopping; Oracle's
    ORA-01017 (password), ORA-28000 (locked), ORA-01045 (no right), ORA-12514 (no such service).
    """
    if "FATAL" in message:
        passing = ("the database system is", "le système de bases de données")
        return not any(one in message for one in passing)
    return any(code in message for code in ("ORA-01017", "ORA-28000", "ORA-01045", "ORA-12514"))


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__


# Values


@lru_cache(maxsize=65536)
def _date(value: str) -> date | None:
    """A date that the database wrote as YYYY-MM-DD. Infinity is written as an empty text."""
    return date.fromisoformat(value) if value else None


def _int(value: Any) -> int | None:
    number = int(value)
    if number != value and str(number) != str(value).strip():
        raise ValueError(value)
    return number


def _text(value: Any) -> str | None:
    return str(value).strip(" ") or None


_CONVERTERS: Mapping[type, tuple[Callable[[Any], Any], str]] = {
    date: (_date, "date"),
    int: (_int, "number"),
    str: (_text, "text"),
}


class _Rows:
    """Iterates over a table's records, each with its unreadable values.

    Rows without the values that make them a row (their number or code) are left out
    and recorded in `loose`.
    """

    def __init__(self, table: _Table, rows: Iterator[Sequence[Any]], loose: list[Untyped]) -> None:
        self._table, self._rows, self._loose = table, rows, loose
        self._converters = tuple(_CONVERTERS[kind][0] for kind, _ in table.kinds)
        self._required = tuple(
            index for index, (_, nullable) in enumerate(table.kinds) if not nullable
        )

    def __iter__(self) -> Iterator[tuple[Any, list[Untyped]]]:
        converters, make, required = self._converters, self._table.record._make, self._required
        nothing: list[Untyped] = []
        for row in self._rows:
            faults = nothing
            try:
                values = [
                    None if value is None else convert(value)
                    for convert, value in zip(converters, row, strict=True)
                ]
            except (ValueError, TypeError, OverflowError, ArithmeticError):
                values, faults = self._one_by_one(row)
            for index in required:
                if values[index] is None:
                    self._loose.extend(faults or [self._fault(row, index, "key")])
                    break
            else:
                yield make(values), faults

    def _one_by_one(self, row: Sequence[Any]) -> tuple[list[Any], list[Untyped]]:
        values: list[Any] = []
        faults = []
        for index, (convert, value) in enumerate(zip(self._converters, row, strict=True)):
            try:
                values.append(None if value is None else convert(value))
            except (ValueError, TypeError, OverflowError, ArithmeticError):
                values.append(None)
                faults.append(self._fault(row, index, _CONVERTERS[self._table.kinds[index][0]][1]))
        return values, faults

    def _fault(self, row: Sequence[Any], index: int, expected: str) -> Untyped:
        """`row`'s value at `index`; the key is what of its key columns has a value."""
        table = self._table
        key = ", ".join(
            f"{column.upper()}={value}"
            for column, value in zip(table.columns, row, strict=True)
            if column in table.keys and value is not None
        )
        value = "" if row[index] is None else str(row[index])
        return Untyped(table.name.upper(), key, table.columns[index].upper(), value, expected)


def _by_code(table: _Table, found: Iterable[Any], untyped: list[Untyped]) -> dict[str, Any]:
    """Records of a small table by their code. Of several with one code, always the same one."""
    records: dict[str, Any] = {}
    for record in found:
        code, column = record[0], table.columns[0].upper()
        if code in records:
            untyped.append(Untyped(table.name.upper(), f"{column}={code}", column, code, "once"))
            record = min(record, records[code], key=repr)  # noqa: PLW2901 - the one to keep
        records[code] = record
    return records


class _Stream:
    """A table's records in the order of the person's number, taken person by person."""

    def __init__(self, table: _Table, rows: _Rows, source: str) -> None:
        self._index = table.columns.index(table.keys[0])
        self._name, self._source = table.name.upper(), source
        self._rows = iter(rows)
        self._row: tuple[Any, list[Untyped]] | None = None
        self.number: int | None = None
        self._advance()

    def _advance(self) -> None:
        self._row = next(self._rows, None)
        number = None if self._row is None else self._row[0][self._index]
        if number is not None and self.number is not None and number < self.number:
            raise SourceRefused(
                f"{self._source}: {self._name} is not in the order of the numbers "
                f"({number} after {self.number}): its key has to be a NUMBER, not a text"
            )
        self.number = number

    def take(self, number: int, faults: list[Untyped]) -> tuple[Any, ...]:
        """All records of this person."""
        taken = []
        while self.number == number and self._row is not None:
            record, wrong = self._row
            taken.append(record)
            faults.extend(wrong)
            self._advance()
        return tuple(taken)


class _Dossiers:
    """Iterates over people; again from the beginning each time."""

    def __init__(
        self,
        rows: Callable[[_Table], Generator[Sequence[Any]]],
        loose: list[Untyped],
        source: str,
    ) -> None:
        self._rows, self._loose, self._source = rows, loose, source
        self._kept = len(loose)

    def __iter__(self) -> Iterator[Dossier]:
        del self._loose[self._kept :]
        cursors = [self._rows(table) for table in _PEOPLE]
        try:
            streams = [
                _Stream(table, _Rows(table, cursor, self._loose), self._source)
                for table, cursor in zip(_PEOPLE, cursors, strict=True)
            ]
            while (
                number := min(
                    (one.number for one in streams if one.number is not None), default=None
                )
            ) is not None:
                faults: list[Untyped] = []
                taken = [
                    stream.take(number, faults) if stream.number == number else ()
                    for stream in streams
                ]
                yield Dossier._make([number, *taken, tuple(faults)])
        finally:
            for cursor in cursors:
                cursor.close()
