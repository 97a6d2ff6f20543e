"""Changes of the directory as they happen (RFC 4533, refreshAndPersist).

The cookie says up to where the directory was followed; who stores it stores in the same
transaction what it stood for. A lost connection is made again, for ever; a cookie that the
directory does not know any more is forgotten, and everybody is told anew.

Apart from the package's own names, as it alone needs python-ldap's syncrepl (pyasn1).
"""

import logging
import threading
from collections.abc import Callable, Sequence

import ldap
from ldap.ldapobject import SimpleLDAPObject
from ldap.syncrepl import SyncreplConsumer

from ent.directory.connection import DirectorySettings
from ent.directory.filters import Filter
from ent.directory.model import Entry

log = logging.getLogger(__name__)

_REFRESH_REQUIRED = 4096  # e-syncRefreshRequired, RFC 4533, 2.6
_POLL_SECONDS = 1
_PAUSE_SECONDS = (1, 2, 5, 10, 30)
_AT_ONCE = 1000  # entries; the first answer has everybody, and its cookie at the end

# Entries, and the cookie up to which they are complete, or None as long as that is not said.
Changed = Callable[[Sequence[Entry], str | None], None]


class _Connection(SyncreplConsumer, SimpleLDAPObject):  # type: ignore[misc]
    """Collects entries until the directory says how far they go."""

    def follow(self, cookie: str | None, changed: Changed) -> None:
        self._cookie, self._changed = cookie, changed
        self._entries: list[Entry] = []

    def syncrepl_get_cookie(self) -> str | None:
        return self._cookie

    def syncrepl_set_cookie(self, cookie: str) -> None:
        self._cookie = cookie
        entries, self._entries = self._entries, []
        self._changed(entries, cookie)

    def syncrepl_entry(self, dn: str, attrs: dict[str, list[bytes]], uuid: str) -> None:
        self._entries.append(Entry.from_ldap(dn, attrs))
        if len(self._entries) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Hand over what has come; without a cookie it will come again, which is no harm."""
        if self._entries:
            entries, self._entries = self._entries, []
            self._changed(entries, None)


class Follower(threading.Thread):
    """Follows the entries under `base` that match `where`, until it is stopped.

    settings: how to reach the directory; the identity must be one that may follow.
    cookie: gives the cookie stored last, or None.
    changed: called with entries added or changed, and the cookie to store with them.
    forget: called when the stored cookie is of no use any more.
    longest: seconds of the longest pause before a directory that is away is tried again.
    passing: errors of these calls that end by themselves, such as those of a database that is
        away. What could not be handed over is asked for again, from the stored cookie.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        *,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        cookie: Callable[[], str | None],
        changed: Changed,
        forget: Callable[[], None],
        longest: int,
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        super().__init__(name="directory", daemon=True)
        self._settings = settings
        self._search = (base, where, list(attributes))
        self._cookie, self._changed, self._forget = cookie, changed, forget
        self._longest, self._passing = longest, passing
        self._ended = threading.Event()
        self._failures = 0
        self.failure: BaseException | None = None

    def stop(self) -> None:
        """Stop following; `join` waits until it has."""
        self._ended.set()

    def run(self) -> None:
        """Follow, and begin again whenever the connection is lost."""
        try:
            while not self._ended.is_set():
                try:
                    try:
                        self._follow()
                    except ldap.LDAPError as error:
                        if useless_cookie(error):
                            log.info("the directory does not take our cookie: reading everything")
                            self._forget()
                        self._pause(repr(error))
                except self._passing as error:
                    self._pause(str(error))
        except BaseException as error:
            self.failure = error
            raise

    def _pause(self, why: str) -> None:
        pause = min(_PAUSE_SECONDS[min(self._failures, len(_PAUSE_SECONDS) - 1)], self._longest)
        self._failures += 1
        log.warning("following the directory: %s; again in %d s", why, pause)
        self._ended.wait(pause)

    def _follow(self) -> None:
        base, where, attributes = self._search
        connection = self._connect()
        try:
            connection.follow(self._cookie(), self._changed)
            message = connection.syncrepl_search(
                base,
                ldap.SCOPE_ONELEVEL,
                mode="refreshAndPersist",
                filterstr=str(where),
                attrlist=attributes,
            )
            log.info("following the directory")
            while not self._ended.is_set():
                try:
                    if not connection.syncrepl_poll(message, timeout=_POLL_SECONDS):
                        return
                    self._failures = 0
                except ldap.TIMEOUT:
                    connection.flush()
        finally:
            try:
                connection.unbind_ext_s()
            except ldap.LDAPError as error:
                log.debug("closing the connection to the directory: %r", error)

    def _connect(self) -> _Connection:
        settings = self._settings
        connection = _Connection(settings.uri.split()[0])
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, settings.connect_timeout)
        # a directory that vanished without a word is noticed within a minute
        connection.set_option(ldap.OPT_X_KEEPALIVE_IDLE, 30)
        connection.set_option(ldap.OPT_X_KEEPALIVE_INTERVAL, 10)
        connection.set_option(ldap.OPT_X_KEEPALIVE_PROBES, 3)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, settings.ca_file)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if settings.uri.startswith("ldap://"):
            connection.start_tls_s()
        connection.simple_bind_s(settings.bind_dn, settings.password)
        return connection


def useless_cookie(error: ldap.LDAPError) -> bool:
    """Whether the directory says that it cannot go on from where the cookie stands.

    It has forgotten how to, or it was restored from a time before (slapd's own words).
    """
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return bool(
        detail.get("result") == _REFRESH_REQUIRED
        or "consumer state is newer" in str(detail.get("info", ""))
    )
