"""Connections to the directory: verified TLS, time limits, reconnection."""

import enum
import logging
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.controls.ppolicy import PasswordPolicyControl
from ldap.ldapobject import SimpleLDAPObject

from ent.directory.errors import (
    AccountLocked,
    DirectoryMisconfigured,
    DirectoryRefused,
    DirectoryUnavailable,
    WriteUncertain,
    WrongPassword,
)
from ent.directory.filters import Filter, equals
from ent.directory.model import Entry, Person, Structure
from ent.directory.writing import Change, policy_errors, refusal

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Seconds after which a connection that just answered is asked again before what cannot be repeated.
_SURELY_ALIVE = 1.0
# The connection is no longer good, the server may be: worth one new connection.
_CONNECTION_LOST = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE)
# No answer to a request that was sent, as far as the client knows.
_NO_ANSWER = (
    ldap.SERVER_DOWN,
    ldap.TIMEOUT,
    ldap.TIMELIMIT_EXCEEDED,
    ldap.CONNECT_ERROR,
    ldap.DECODING_ERROR,
    ldap.LOCAL_ERROR,
    ldap.OTHER,
)
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
    fail_fast: seconds, at most, during which callers are told at once that a
        connection failed, instead of each waiting for the time limit. Never
        longer than the attempt took: where failing costs nothing, each caller
        tries, and the first one after a restart of the directory is served.
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


class _NotConnected(DirectoryUnavailable):
    """There is no new connection to be had; a request that lost its own may be worth one."""


class Directory:
    """The directory as one service identity sees it. Safe to share between threads."""

    def __init__(self, settings: DirectorySettings) -> None:
        self.settings = settings
        self._idle: list[tuple[SimpleLDAPObject, float]] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(settings.pool_size)
        self._failing_until = 0.0
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
        with self._connection(alive=True) as connection:
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

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        """Whether the entry has this value of the attribute, as the directory compares it.

        The value is tried, never read. An entry that does not exist, for this
        identity, has no value.
        """

        def ask(connection: SimpleLDAPObject) -> bool:
            try:
                return bool(connection.compare_s(dn, attribute, value.encode()))
            except (ldap.NO_SUCH_ATTRIBUTE, ldap.NO_SUCH_OBJECT):
                return False

        return self._ask(ask)

    # Changes. One operation each, all or nothing, and never silently repeated.

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Make an entry.

        Raises:
            AlreadyExists, Conflict, NotAllowed: refused; nothing was changed.
            WriteUncertain: no answer came; the entry is there, or is not.
            DirectoryUnavailable: the directory could not be asked; nothing was changed.

        """
        record = [
            (name, [value.encode() for value in values])
            for name, values in attributes.items()
            if values
        ]
        self._write(lambda connection: connection.add_s(dn, record))

    def modify(self, dn: str, changes: Sequence[Change]) -> None:
        """Make these changes to an entry in one operation: all of them, or none.

        Raises:
            StaleEntry, Conflict, PasswordRefused, NoSuchEntry, NotAllowed: refused;
                nothing was changed.
            WriteUncertain: no answer came; all changes were made, or none.
            DirectoryUnavailable: the directory could not be asked; nothing was changed.

        """
        record = [change.to_ldap() for change in changes]
        controls = (
            [PasswordPolicyControl()]
            if any(change.attribute.lower() == "userpassword" for change in changes)
            else None
        )
        self._write(lambda connection: connection.modify_ext_s(dn, record, serverctrls=controls))

    def check_password(self, dn: str, password: str) -> bool:
        """Whether this is the entry's password, and the entry may sign in.

        A wrong password counts for the directory's lock. Uses a connection of its own.

        Raises:
            AccountLocked: too many wrong passwords; the directory tries none for now.

        """
        try:
            connection = self._connect_as(dn, password)
        except AccountLocked:
            raise
        except WrongPassword:
            return False
        _unbind(connection)
        return True

    def change_password(self, dn: str, old: str, new: str) -> None:
        """Change a password as the person whose it is (RFC 3062).

        Raises:
            WrongPassword: `old` is wrong; AccountLocked: too many wrong ones.
            PasswordRefused: the directory's rule refuses `new`.
            WriteUncertain: no answer came; `new` is the password, or `old` still is.

        """
        connection = self._connect_as(dn, old)
        try:
            # the bind has proved the old one; nobody, not even oneself, compares with a password
            with _translated(), _writing():
                connection.passwd_s(None, None, new, serverctrls=[PasswordPolicyControl()])
        finally:
            _unbind(connection)

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
        except (DirectoryMisconfigured, _NotConnected):
            raise
        except DirectoryUnavailable as error:
            if not isinstance(error.__cause__, _CONNECTION_LOST):
                raise
            log.info("connection to the directory lost (%s), trying a new one", error)
        # every idle connection is as old as the lost one
        self.close()
        with self._connection() as connection:
            return ask(connection)

    def _write(self, write: Callable[[SimpleLDAPObject], object]) -> None:
        with self._connection(alive=True) as connection, _writing():
            write(connection)

    def _connect_as(self, dn: str, password: str) -> SimpleLDAPObject:
        """A connection bound as a person, for one request; the pool's are the service's."""
        if not password:
            # A simple bind with an empty password succeeds as nobody (RFC 4513, 5.1.2).
            raise WrongPassword("empty password")
        with _translated():
            connection = _prepare(self.settings)
        try:
            with _translated():
                try:
                    connection.simple_bind_s(dn, password, serverctrls=[PasswordPolicyControl()])
                except ldap.INVALID_CREDENTIALS as error:
                    if "accountLocked" in policy_errors(error):
                        raise AccountLocked(_describe(error)) from error
                    raise WrongPassword(_describe(error)) from error
        except BaseException:
            _unbind(connection)
            raise
        return connection

    @contextmanager
    def _connection(self, *, alive: bool = False) -> Iterator[SimpleLDAPObject]:
        """Lend a connection; LDAP errors inside the block come out as DirectoryUnavailable.

        alive: ask the server something on a connection that was idle before
            lending it, for requests that cannot be repeated.
        """
        if not self._slots.acquire(timeout=self.settings.timeout):
            raise DirectoryUnavailable(
                f"all {self.settings.pool_size} connections to the directory are in use"
            )
        try:
            connection = self._take(alive=alive)
            good = False
            try:
                with _translated():
                    yield connection
                good = True
            except (DirectoryMisconfigured, DirectoryRefused):
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

    def _take(self, *, alive: bool) -> SimpleLDAPObject:
        while True:
            with self._lock:
                connection, since = self._idle.pop() if self._idle else (None, 0.0)
            if connection is None:
                return self._open()
            idle = time.monotonic() - since
            if (
                idle < self.settings.max_idle
                and not _hung_up(connection)
                and (not alive or idle < _SURELY_ALIVE or _answers(connection))
            ):
                return connection
            _unbind(connection)

    def _open(self) -> SimpleLDAPObject:
        begun = time.monotonic()
        if begun < self._failing_until:
            raise _NotConnected(self._failure)
        try:
            with _translated():
                return _connect(self.settings)
        except DirectoryUnavailable as error:
            now = time.monotonic()
            self._failure = str(error)
            self._failing_until = now + min(self.settings.fail_fast, now - begun)
            if isinstance(error, DirectoryMisconfigured):
                raise
            raise _NotConnected(self._failure) from error


def _connect(settings: DirectorySettings) -> SimpleLDAPObject:
    """A new connection, bound as the service identity."""
    connection = _prepare(settings)
    try:
        connection.simple_bind_s(settings.bind_dn, settings.password)
    except BaseException:
        _unbind(connection)
        raise
    return connection


def _hung_up(connection: SimpleLDAPObject) -> bool:
    """Whether the server has ended an idle connection: there is something to read, unasked."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _answers(connection: SimpleLDAPObject) -> bool:
    try:
        connection.whoami_s()
    except ldap.LDAPError as error:
        log.info("idle connection to the directory is lost: %r", error)
        return False
    return True


def _prepare(settings: DirectorySettings) -> SimpleLDAPObject:
    """A new connection, encrypted with a verified certificate, bound as nobody yet."""
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


@contextmanager
def _writing() -> Iterator[None]:
    """Errors of a change: refused, or not known whether it was made."""
    try:
        yield
    except ldap.LDAPError as error:
        refused = refusal(error, _describe(error))
        if refused is not None:
            raise refused from error
        if isinstance(error, _NO_ANSWER):
            raise WriteUncertain(_describe(error)) from error
        raise


def _describe(error: ldap.LDAPError) -> str:
    """One line from python-ldap's error dictionary."""
    detail: Mapping[str, Any] = (
        error.args[0] if error.args and isinstance(error.args[0], Mapping) else {}
    )
    parts = [detail.get("desc") or type(error).__name__, detail.get("info")]
    return ": ".join(str(part).strip() for part in parts if part)
