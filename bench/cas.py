"""Full CAS sign-ins per second, beside the rate at which slapd verifies passwords.

A sign-in is what a person and a service do: the form (over a new TLS
connection), the form sent back, and the ticket validated by the service over a
connection of its own. Every sign-in is a new session. slapd's rate is that of
binds over TLS connections that stay open; client, slapd, PostgreSQL, nginx and
LemonLDAP::NG share the machine's cores in both.
"""

from __future__ import annotations

import http.client
import re
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import quote, urlencode

import ldap
from tests import lab as lab_module

from bench.figures import Figure, save

CLIENTS = 8
SECONDS = 10.0
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass
class Rate:
    """What the clients did together: work done, time taken, and each one's milliseconds."""

    done: int = 0
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.done / self.seconds

    def percentile(self, share: int) -> float:
        """Milliseconds within which that share (in percent) was done."""
        return statistics.quantiles(self.milliseconds, n=100)[share - 1]


@dataclass(frozen=True)
class Target:
    """What is measured.

    Attributes:
        cas: host name of the server.
        ldap_uri: its directory.
        suffix: the directory's suffix.
        ca_file: authority of their certificates.
        service: a declared service.
        people: login to password, of active accounts.
    """

    cas: str
    ldap_uri: str
    suffix: str
    ca_file: str
    service: str
    people: Mapping[str, str]


def sign_in(target: Target, tls: ssl.SSLContext, uid: str, password: str) -> None:
    """One whole sign-in.

    Raises:
        RuntimeError: any step did not answer as it must.
    """
    path = f"/cas/login?service={quote(target.service, safe='')}"
    browser = http.client.HTTPSConnection(target.cas, context=tls, timeout=30)
    browser.request("GET", path)
    response = browser.getresponse()
    token = _TOKEN.search(response.read().decode())
    if not token:
        raise RuntimeError(f"no form: {response.status}")
    cookie = (response.headers["Set-Cookie"] or "").split(";")[0]
    form = urlencode({"user": uid, "password": password, "token": token[1]})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    browser.request("POST", path, form, headers)
    response = browser.getresponse()
    response.read()
    location = response.headers["Location"] or ""
    browser.close()
    if response.status != 302 or "ticket=ST-" not in location:
        raise RuntimeError(f"no ticket: {response.status} {location}")
    service = http.client.HTTPSConnection(target.cas, context=tls, timeout=30)
    query = urlencode({"service": target.service, "ticket": location.rpartition("ticket=")[2]})
    service.request("GET", f"/cas/p3/serviceValidate?{query}")
    answer = service.getresponse().read().decode()
    service.close()
    if f"<cas:user>{uid}</cas:user>" not in answer:
        raise RuntimeError(f"not validated: {answer}")


def bind(
    target: Target, connection: ldap.ldapobject.SimpleLDAPObject, uid: str, password: str
) -> None:
    """One verification of a password."""
    connection.simple_bind_s(f"uid={uid},ou=people,{target.suffix}", password)


def rate_of(
    target: Target,
    prepare: Callable[[], Callable[[str, str], None]],
    *,
    seconds: float = SECONDS,
    clients: int = CLIENTS,
) -> Rate:
    """Let clients work side by side for a while.

    Args:
        target: whose people are used in turn.
        prepare: makes one client's work, called with login and password.
        seconds: how long.
        clients: how many.

    Raises:
        RuntimeError: a client failed.
    """
    rate, lock, failures = Rate(), threading.Lock(), []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        try:
            work = prepare()
            people = cycle(sorted(target.people.items()))
            for _ in range(number % len(target.people)):
                next(people)
            while time.monotonic() < end:
                start = time.monotonic()
                work(*next(people))
                with lock:
                    rate.done += 1
                    rate.milliseconds.append((time.monotonic() - start) * 1000)
        except Exception as error:
            failures.append(error)

    start = time.monotonic()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate.seconds = time.monotonic() - start
    if failures:
        raise RuntimeError(f"{len(failures)} of {clients} clients failed") from failures[0]
    return rate


def binds(target: Target, **options: float) -> Rate:
    """The rate at which slapd verifies passwords."""

    def prepare() -> Callable[[str, str], None]:
        connection = ldap.initialize(target.ldap_uri)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, target.ca_file)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        return lambda uid, password: bind(target, connection, uid, password)

    return rate_of(target, prepare, **options)  # type: ignore[arg-type]


def sign_ins(target: Target, **options: float) -> Rate:
    """The rate of whole sign-ins."""
    tls = ssl.create_default_context(cafile=target.ca_file)
    return rate_of(
        target,
        lambda: lambda uid, password: sign_in(target, tls, uid, password),
        **options,  # type: ignore[arg-type]
    )


def run() -> None:
    """Measure the lab that is up, and keep the figures."""
    lab = lab_module.load()
    people = {
        uid: lab.secret(f"person-{uid}") for uid in ("jmartin", "alefevre", "kbenali", "tnguyen")
    }
    target = Target(
        cas=f"cas.{lab.domain}",
        ldap_uri=f"ldaps://ldap.{lab.domain}",
        suffix=lab.suffix,
        ca_file=lab.ca_file,
        service=f"https://client1.{lab.domain}:8444/other",
        people=people,
    )
    sign_ins(target, seconds=2)
    floor = binds(target, seconds=5)
    rate = sign_ins(target)
    print(
        f"sign-ins {rate.per_second:.1f}/s (median {rate.percentile(50):.0f} ms, 95 % within "
        f"{rate.percentile(95):.0f} ms), slapd's binds {floor.per_second:.1f}/s"
    )
    save(
        "cas",
        [
            Figure(
                "CAS sign-ins, 8 clients",
                rate.per_second,
                "1/s",
                "slapd binds",
                floor.per_second,
                "50/s",
            ),
            Figure("time of a sign-in, median", rate.percentile(50), "ms"),
            Figure("time of a sign-in, 95 %", rate.percentile(95), "ms"),
        ],
    )
