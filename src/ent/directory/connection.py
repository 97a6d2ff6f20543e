"""Connections to the directory: verified TLS, time limits, reconnection."""

import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.ldapobject import SimpleLDAPObject

from ent.directory.filters import Filter, equals
from ent.directory.model import Entry, Person, Structure

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# The connection is no longer good, the server may be: worth one new connection.
_CONNECTION_LOST = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE)
# Somebody has to change a setting or an access rule; asking again is no use.
_MISCONFIGURED = (
    ldap.INVALID_CREDENTIALS,
    ldap.INSUFFICIENT_ACCESS,
    ldap.STRONG_AUTH_REQUIRED,
    ldap.CONFIDENTIALITY_REQUIRED,
    ldap.INAPPROPRIATE_AUTH,
    ldap.UNWILLING_TO_PERFORM,
    ldap.NO_SUCH_OBJECT,
    ldap.FILTER_ERROR,
    ldap.PARAM_ERROR,
)


class DirectoryUnavailable(Exception):  # noqa: N818 - says what happened, as callers read it
    """The directory gave no answer. The message is for the log, not for a page."""


class DirectoryMisconfigured(DirectoryUnavailable):
    """The directory refused this service's identity, base or request."""


class Scope(enum.IntEnum):
    """How far below its base a search goes."""

    BASE = ldap.SCOPE_BASE
    CHILDREN = ldap.SCOPE_ONELEVEL
    SUBTREE = ldap.SCOPE_SUBTREE


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """How to reach the directory, and as whom.

    uri: one or several ldaps:// (or ldap:// with StartTLS, always used) URIs,
        separated by spaces and tried in this order; ldapi:// is local.
    suffix: the tree, as dc=univ-provence,dc=fr.
    bind_dn, password: the service identity.
    ca_file: authorities that may have signed the server's certificate.
    connect_timeout, timeout: seconds to connect, and to wait for one answer.
    pool_size: connections in use at most; threads beyond it wait.
    max_idle: seconds after which an unused connection is not trusted any more
        (firewalls forget idle connections without telling anybody).
    fail_fast: seconds during which, after a failed connection, callers are
        told at once instead of each waiting for the time limit.
    """

    uri: str
    suffix: str
    bind_dn: str
    password: str = field(repr=False)
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    connect_timeout: float = 3.0
    timeout: float = 5.0
    pool_size: int = 8
    max_idle: float = 55.0
    fail_fast: float = 1.0

    def __post_init__(self) -> None:
        schemes = {uri.partition("://")[0] for uri in self.uri.split()}
        if len(schemes) != 1 or not schemes <= {"ldaps", "ldap", "ldapi"}:
            raise ValueError(
                f"not LDAP URIs of one kind: {self.uri!r}; expected ldaps://host, ldap://host or ldapi://path"
            )
        if not self.password:
            # A simple bind with an empty password succeeds as nobody (RFC 4513, 5.1.2).
            raise ValueError(f"no password for {self.bind_dn}")


class Directory:
    """The directory as one service identity sees it. Safe to share between threads."""

    def __init__(self, settings: DirectorySettings) -> None:
        self.settings = settings
        self._idle: list[tuple[SimpleLDAPObject, float]] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(settings.pool_size)
        self._failed_at: float | None = None
        self._failure = ""

    # What applications ask

    def person(self, uid: str) -> Person | None:
        """The person with this login, or None."""
        entry = self.one(f"ou=people,{self.settings.suffix}", equals("uid", uid), Person.ATTRIBUTES)
        return Person.from_entry(entry) if entry else None

    def structure(self, code: str) -> Structure | None:
        """The structure with this supannCodeEntite, or None."""
        entry = self.one(
            f"ou=structures,{self.settings.suffix}",
            equals("supannCodeEntite", code),
            Structure.ATTRIBUTES,
        )
        return Structure.from_entry(entry) if entry else None

    def ping(self) -> None:
        """Return when the directory answers this identity; else raise DirectoryUnavailable."""
        self._ask(lambda connection: connection.whoami_s())

    # The general operations

    def one(
        self, base: str, where: Filter, attributes: Sequence[str], scope: Scope = Scope.SUBTREE
    ) -> Entry | None:
        """The only entry that matches, or None. Two matches are a fault of the tree: an error."""
        found = self.search(base, where, attributes, scope, limit=2)
        if len(found) > 1:
            raise DirectoryMisconfigured(
                f"several entries under {base} match {where}: {[one.dn for one in found]}"
            )
        return found[0] if found else None

    def search(
        self,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        scope: Scope = Scope.SUBTREE,
        *,
        limit: int = 0,
    ) -> list[Entry]:
        """Entries under `base` that match, at most `limit` (0: as many as the server gives).

        `attributes` names what is read; an empty one asks for the names only.
        """

        def ask(connection: SimpleLDAPObject) -> list[Entry]:
            found: list[tuple[Any, ...]] = []
            message = connection.search_ext(
                base,
                int(scope),
                str(where),
                list(attributes) or ["1.1"],
                timeout=self.settings.timeout,
                sizelimit=limit,
            )
            try:
                while True:
                    # one by one, so that what came before "size limit exceeded" is kept
                    kind, data, _, _ = connection.result3(
                        message, all=0, timeout=self.settings.timeout
                    )
                    found.extend(data)
                    if kind == ldap.RES_SEARCH_RESULT:
                        break
            except ldap.SIZELIMIT_EXCEEDED:
                if not limit:
                    raise
            return _entries(found)

        return self._ask(ask)

    def paged(
        self,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        scope: Scope = Scope.SUBTREE,
        *,
        page_size: int = 500,
    ) -> Iterator[Entry]:
        """All entries that match, fetched page by page (RFC 2696), however many there are.

        A connection is held until the iteration ends. A page belongs to its
        connection, so one lost in the middle ends in DirectoryUnavailable.
        """
        with self._connection() as connection:
            control = SimplePagedResultsControl(True, size=page_size, cookie="")
            while True:
                with _translated():
                    message = connection.search_ext(
                        base,
                        int(scope),
                        str(where),
                        list(attributes) or ["1.1"],
                        timeout=self.settings.timeout,
                        serverctrls=[control],
                    )
                    _, data, _, controls = connection.result3(
                        message, timeout=self.settings.timeout
                    )
                yield from _entries(data)
                control.cookie = next(
                    (
                        one.cookie
                        for one in controls
                        if one.controlType == SimplePagedResultsControl.controlType
                    ),
                    b"",
                )
                if not control.cookie:
                    return

    # Connections

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            _unbind(connection)

    def _ask(self, ask: Callable[[SimpleLDAPObject], Result]) -> Result:
        """Run a request that only reads; once more if its connection turns out to be lost."""
        try:
            with self._connection() as connection:
                return ask(connection)
        except DirectoryMisconfigured:
            raise
        except DirectoryUnavailable as error:
            if not isinstance(error.__cause__, _CONNECTION_LOST) or self._failing():
                raise
            log.info("connection to the directory lost (%s), trying a new one", error)
        # every idle connection is as old as the lost one
        self.close()
        with self._connection() as connection:
            return ask(connection)

    @contextmanager
    def _connection(self) -> Iterator[SimpleLDAPObject]:
        """Lend a connection; LDAP errors inside the block come out as DirectoryUnavailable."""
        if not self._slots.acquire(timeout=self.settings.timeout):
            raise DirectoryUnavailable(
                f"all {self.settings.pool_size} connections to the directory are in use"
            )
        try:
            connection = self._take()
            good = False
            try:
                with _translated():
                    yield connection
                good = True
            except DirectoryMisconfigured:
                good = True
                raise
            finally:
                if good:
                    with self._lock:
                        self._idle.append((connection, time.monotonic()))
                else:
                    _unbind(connection)
        finally:
            self._slots.release()

    def _take(self) -> SimpleLDAPObject:
        while True:
            with self._lock:
                connection, since = self._idle.pop() if self._idle else (None, 0.0)
            if connection is None:
                return self._open()
            if time.monotonic() - since < self.settings.max_idle:
                return connection
            _unbind(connection)

    def _failing(self) -> bool:
        return (
            self._failed_at is not None
            and time.monotonic() - self._failed_at < self.settings.fail_fast
        )

    def _open(self) -> SimpleLDAPObject:
        if self._failing():
            raise DirectoryUnavailable(self._failure)
        try:
            with _translated():
                connection = _connect(self.settings)
        except DirectoryUnavailable as error:
            self._failure = str(error)
            self._failed_at = time.monotonic()
            raise
        self._failed_at = None
        return connection


def _connect(settings: DirectorySettings) -> SimpleLDAPObject:
    """A new connection, encrypted with a verified certificate, bound as the service identity."""
    connection = ldap.initialize(settings.uri)
    connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, settings.connect_timeout)
    connection.set_option(ldap.OPT_TIMEOUT, settings.timeout)
    connection.set_option(ldap.OPT_X_KEEPALIVE_IDLE, 30)
    connection.set_option(ldap.OPT_X_KEEPALIVE_INTERVAL, 10)
    connection.set_option(ldap.OPT_X_KEEPALIVE_PROBES, 3)
    if not settings.uri.startswith("ldapi://"):
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, settings.ca_file)
        connection.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, 0x303)  # TLS 1.2
        connection.set_option(
            ldap.OPT_X_TLS_NEWCTX, 0
        )  # the options above, not the process-wide ones
    try:
        if settings.uri.startswith("ldap://"):
            connection.start_tls_s()
        connection.simple_bind_s(settings.bind_dn, settings.password)
    except BaseException:
        _unbind(connection)
        raise
    return connection


def _unbind(connection: SimpleLDAPObject) -> None:
    try:
        connection.unbind_ext_s()
    except ldap.LDAPError as error:
        log.debug("closing a connection to the directory: %r", error)


def _entries(data: Sequence[tuple[Any, ...]]) -> list[Entry]:
    # a result without a name is a referral, not an entry
    return [Entry.from_ldap(dn, attributes) for dn, attributes, *_ in data if dn is not None]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _MISCONFIGURED as error:
        raise DirectoryMisconfigured(_describe(error)) from error
    except ldap.LDAPError as error:
        raise DirectoryUnavailable(_describe(error)) from error


def _describe(error: ldap.LDAPError) -> str:
    """One line from python-ldap's error dictionary."""
    detail: Mapping[str, Any] = (
        error.args[0] if error.args and isinstance(error.args[0], Mapping) else {}
    )
    parts = [detail.get("desc") or type(error).__name__, detail.get("info")]
    return ": ".join(str(part).strip() for part in parts if part)
