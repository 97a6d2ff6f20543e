"""What a browser and a service do at the CAS server, without their being one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from cas import CASClient

from lab import PATIENCE, LabUnderTest, wait_for

_SERVER = Path(__file__).with_name("cas_service.py")
_UNIT = "cas-test-service"


class Browser(requests.Session):
    """A browser with a cookie jar of its own that follows no redirection by itself."""

    def __init__(self, lab: LabUnderTest) -> None:
        super().__init__()
        self.lab = lab
        self.trust_env = False
        self.verify = lab.ca_file
        self.server = f"https://cas.{lab.domain}"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False  # get() would follow them
        kwargs.setdefault("timeout", PATIENCE)
        return super().request(*args, **kwargs)

    def open(self, **parameters: str) -> requests.Response:
        """The sign-in page, with its parameters (service, renew, gateway)."""
        return self.get(f"{self.server}/cas/login", params=parameters)

    def fill_in(self, page: requests.Response, uid: str, password: str) -> requests.Response:
        """Send the form of a sign-in page."""
        form = {"user": uid, "password": password, "token": form_token(page)}
        return self.post(page.url, data=form)

    def sign_in(
        self, uid: str, password: str | None = None, **parameters: str
    ) -> requests.Response:
        """Open the page and send the form; the password is the demonstration person's."""
        if password is None:
            password = self.lab.secret(f"person-{uid}")
        return self.fill_in(self.open(**parameters), uid, password)

    def ticket(self, uid: str, service: str) -> str:
        """A service ticket from a new sign-in."""
        return ticket_of(self.sign_in(uid, service=service))

    def validate(self, endpoint: str, service: str, ticket: str, **more: str) -> str:
        """What a validation endpoint answers."""
        parameters = {"service": service, "ticket": ticket, **more}
        return self.get(f"{self.server}/cas/{endpoint}", params=parameters).text


def form_token(page: requests.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found, f"no form: {page.status_code} {message(page)}"
    return found[1]


def ticket_of(response: requests.Response) -> str:
    """The ticket in a redirection to a service."""
    assert response.status_code == 302, f"{response.status_code} {message(response)}"
    return parse_qs(urlsplit(response.headers["Location"]).query)["ticket"][0]


def message(page: requests.Response) -> str:
    """What a page says: its alert, or else its heading."""
    page.encoding = "utf-8"
    found = re.search(r'class="what">([^<]+)<', page.text) or re.search(r"<h1>([^<]+)<", page.text)
    return unescape(found[1]) if found else page.text[:200]


def failure(answer: str) -> str:
    """Code of a refused validation or proxy request."""
    found = re.search(r'<cas:(?:authenticationFailure|proxyFailure) code="(\w+)">', answer)
    assert found, answer
    return found[1]


def client(lab: LabUnderTest, version: int | str, service: str, **options: Any) -> Any:
    """python-cas, with TLS verified against the lab's authority."""
    made = CASClient(
        version=version,
        service_url=service,
        server_url=f"https://cas.{lab.domain}/cas/",
        verify_ssl_certificate=lab.ca_file,
        **options,
    )
    made.session.trust_env = False
    return made


def sql(lab: LabUnderTest, statement: str) -> str:
    """Run a statement in the database of the sessions."""
    result = lab.run(
        "db1", "runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 lemonldap -c %s", statement
    )
    assert result.rc == 0, result.stderr
    return str(result.stdout).strip()


def ldapmodify(lab: LabUnderTest, uid: str, changes: str, *, may_fail: bool = False) -> None:
    """Change a person's entry as the directory's administrator would."""
    ldif = f"dn: uid={uid},ou=people,{lab.suffix}\nchangetype: modify\n{changes}\n"
    command = "printf '%%s' %s | ldapmodify -Q -Y EXTERNAL -H ldapi:/// -e relax"
    result = lab.run("ldap1", command, ldif)
    assert may_fail or result.rc == 0, result.stderr


DEMONSTRATION = ("jmartin", "alefevre", "kbenali", "tnguyen")


def forget_failures(lab: LabUnderTest, *logins: str) -> None:
    """Unlock people at the sign-on and in the directory; nobody named: everybody at the sign-on."""
    some = ",".join(f"'{_login_key(lab, login)}'" for login in logins)
    sql(lab, f"DELETE FROM failures WHERE login IN ({some})" if logins else "DELETE FROM failures")
    entries = "".join(
        f"dn: uid={uid},ou=people,{lab.suffix}\nchangetype: modify\ndelete: {attribute}\n\n"
        for uid in logins or DEMONSTRATION
        for attribute in ("pwdFailureTime", "pwdAccountLockedTime")
    )
    command = "printf '%%s' %s | ldapmodify -c -Q -Y EXTERNAL -H ldapi:/// -e relax"
    lab.run("ldap1", command, entries)


def _login_key(lab: LabUnderTest, login: str) -> str:
    """How the sign-on stores whose failure it is."""
    key = lab.secret("lemonldap-failures-key").encode()
    return hmac.new(key, f"login:{login}".encode(), "sha256").hexdigest()


def stored(identifier: str) -> str:
    """How the database knows a ticket or the cookie of a session."""
    return hashlib.sha256(identifier.rpartition("-")[2].encode()).hexdigest()


class Service:
    """The small https server on the client host that plays a CAS service."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self.url = f"https://client1.{lab.domain}:8443/"

    def requests(self) -> list[dict[str, Any]]:
        """Requests so far: method, path, query, form."""
        text = self.lab.run("client1", "cat /run/cas-test-service.log").stdout
        return [json.loads(line) for line in text.splitlines()]

    def pgt(self, iou: str) -> str:
        """The proxy-granting ticket that came with an IOU."""
        found = [r["query"]["pgtId"] for r in self.requests() if r["query"].get("pgtIou") == iou]
        assert found, f"the service did not hear of {iou}"
        return str(found[0])

    def signed_out(self, ticket: str) -> bool:
        """Whether the service was told that the session of a ticket ended."""
        return any(
            f"<samlp:SessionIndex>{ticket}</samlp:SessionIndex>"
            in r["form"].get("logoutRequest", "")
            for r in self.requests()
            if r["method"] == "POST"
        )


@contextmanager
def running_service(lab: LabUnderTest) -> Iterator[Service]:
    """The service, for as long as needed."""
    code = base64.b64encode(_SERVER.read_bytes()).decode()
    lab.run("client1", "echo %s | base64 -d > /run/cas-test-service.py", code)
    start = lab.run(
        "client1",
        f"systemctl stop {_UNIT}; rm -f /run/cas-test-service.log; "
        f"systemd-run --quiet --collect --unit={_UNIT} python3 /run/cas-test-service.py "
        "/etc/ssl/ent/%s /run/cas-test-service.log",
        f"client1.{lab.domain}",
    )
    assert start.rc == 0, start.stderr
    try:
        wait_for(
            lambda: lab.run("client1", "test -e /run/cas-test-service.log").rc == 0,
            what="the test service listens",
        )
        yield Service(lab)
    finally:
        lab.run("client1", f"systemctl stop {_UNIT}; rm -f /run/cas-test-service.*")
