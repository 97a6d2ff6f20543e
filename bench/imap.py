"""IMAP sign-ins per second, beside the rate at which slapd verifies passwords; and memory.

A sign-in is what a mail program does: a new TLS connection, LOGIN, SELECT INBOX, LOGOUT. slapd's
rate is that of binds over TLS connections that stay open, in the same run; both servers and the
clients share the machine's cores. Memory is what the service's control group holds, with that
many connections that wait for new mail (IDLE).
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from collections.abc import Callable

from tests import lab as lab_module

from bench.cas import Target, binds, rate_of
from bench.figures import Figure, save

IDLE = 100
PEOPLE = ("jmartin", "alefevre", "kbenali", "tnguyen")


def sign_in(server: str, tls: ssl.SSLContext, uid: str, password: str) -> None:
    """One whole sign-in.

    Raises:
        RuntimeError: the mailbox did not open.
    """
    imap = imaplib.IMAP4_SSL(server, ssl_context=tls, timeout=60)
    imap.login(uid, password)
    if imap.select("INBOX")[0] != "OK":
        raise RuntimeError(f"{uid}: no INBOX")
    imap.logout()


def memory(lab: lab_module.LabUnderTest, host: str, unit: str) -> float:
    """Mebibytes that a unit's processes have for themselves (PSS), shared pages by share."""
    result = lab.run(
        host,
        "for pid in $(systemctl show --value --property=MainPID %s); do "
        "for one in $pid $(pgrep --parent $pid); do cat /proc/$one/smaps_rollup; done; done "
        "2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum / 1024}'",
        unit,
    )
    return float(result.stdout)


@contextlib.contextmanager
def _waiting(server: str, tls: ssl.SSLContext, uid: str, password: str):  # type: ignore[no-untyped-def]
    imap = imaplib.IMAP4_SSL(server, ssl_context=tls, timeout=60)
    imap.login(uid, password)
    imap.select("INBOX")
    imap.send(b"i1 IDLE\r\n")
    imap.readline()
    try:
        yield
    finally:
        imap.shutdown()


def run(seconds: float = 10.0, idle: int = IDLE) -> None:
    """Measure the lab that is up, and keep the figures."""
    lab = lab_module.load()
    server = f"mail.{lab.domain}"
    tls = ssl.create_default_context(cafile=lab.ca_file)
    target = Target(
        cas="",
        ldap_uri=f"ldaps://ldap.{lab.domain}",
        suffix=lab.suffix,
        ca_file=lab.ca_file,
        service="",
        people={uid: lab.secret(f"person-{uid}") for uid in PEOPLE},
    )

    def prepare() -> Callable[[str, str], None]:
        return lambda uid, password: sign_in(server, tls, uid, password)

    rate_of(target, prepare, seconds=min(2.0, seconds))
    floor = binds(target, seconds=seconds / 2)
    rate = rate_of(target, prepare, seconds=seconds)
    empty = memory(lab, "mail1", "dovecot.service")
    with contextlib.ExitStack() as stack:
        for number in range(idle):
            uid = PEOPLE[number % len(PEOPLE)]
            stack.enter_context(_waiting(server, tls, uid, target.people[uid]))
        full = memory(lab, "mail1", "dovecot.service")
    legacy = memory(lab, "mailup1", "dovecot.service")
    print(
        f"IMAP sign-ins {rate.per_second:.1f}/s (median {rate.percentile(50):.0f} ms, 95 % within "
        f"{rate.percentile(95):.0f} ms), slapd's binds {floor.per_second:.1f}/s; memory "
        f"{empty:.0f} MiB, with {idle} waiting connections {full:.0f} MiB; legacy server "
        f"{legacy:.0f} MiB"
    )
    save(
        "imap",
        [
            Figure(
                "IMAP sign-ins, 8 clients",
                rate.per_second,
                "1/s",
                "slapd binds",
                floor.per_second,
            ),
            Figure("time of an IMAP sign-in, median", rate.percentile(50), "ms"),
            Figure("time of an IMAP sign-in, 95 %", rate.percentile(95), "ms"),
            Figure("memory of Dovecot, nobody connected", empty, "MiB"),
            Figure(f"memory of Dovecot, {idle} connections waiting", full, "MiB"),
            Figure("memory of Dovecot on the legacy server", legacy, "MiB"),
        ],
    )
