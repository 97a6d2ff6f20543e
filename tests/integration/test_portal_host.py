"""The portal as it runs on its host: TLS, headers, sandbox, and its neighbours down."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

import pytest
import requests

from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("portal1"),
    pytest.mark.service("portal1", "ent-portal", "nginx"),
]


@pytest.fixture(scope="module")
def url(lab: LabUnderTest) -> str:
    return f"https://ent.{lab.domain}"


@pytest.fixture
def http(lab: LabUnderTest) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = lab.ca_file
        session.trust_env = False
        yield session


@pytest.fixture
def signed_in(lab: LabUnderTest, url: str, http: requests.Session) -> requests.Session:
    """A session of jmartin, through the real CAS form."""
    form = http.get(f"{url}/connexion")
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form.text))
    fields |= {"user": "jmartin", "password": lab.secret("person-jmartin")}
    action = re.search(r'<form[^>]*id="lform"[^>]*action="([^"]*)"', form.text)
    target = requests.compat.urljoin(form.url, action[1] if action and action[1] != "#" else "")
    page = http.post(target or form.url, data=fields)
    assert page.url == f"{url}/"
    assert "Jeanne Martin" in page.text
    return http


@pytest.mark.guide("G2b")
def test_the_portal_answers_at_its_name(url: str, http: requests.Session) -> None:
    response = http.get(url)
    assert response.status_code == 200
    assert "Se connecter" in response.text


def test_plain_http_leads_to_https(url: str, http: requests.Session) -> None:
    response = http.get(
        url.replace("https", "http") + "/mes-informations?a=b", allow_redirects=False
    )
    assert response.status_code == 301
    assert response.headers["Location"] == f"{url}/mes-informations?a=b"


def test_headers(url: str, http: requests.Session) -> None:
    for path in ("/", "/nulle-part"):
        headers = http.get(url + path).headers
        assert re.search(r"max-age=\d{8,}", headers["Strict-Transport-Security"])
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert "no-store" in headers["Cache-Control"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"\d", headers.get("Server", ""))


def test_cookies(signed_in: requests.Session) -> None:
    cookies = {cookie.name: cookie for cookie in signed_in.cookies if "ent." in cookie.domain}
    assert {"__Host-ent-session", "__Host-ent-csrf"} <= cookies.keys()
    for cookie in cookies.values():
        assert cookie.secure
        assert cookie.path == "/"
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_static_files_are_kept_for_ever_and_carry_their_hash(
    url: str, http: requests.Session
) -> None:
    page = http.get(url).text
    style = re.search(r'href="(/static/ent/ent\.[0-9a-f]+\.css)"', page)
    assert style
    response = http.get(url + style[1])
    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("host", ["evil.example", "sso.example.org", ""])
def test_another_host_name_gets_nothing(lab: LabUnderTest, url: str, host: str) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    name = f"ent.{lab.domain}"
    with (
        socket.create_connection((lab.ip("portal1"), 443), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as tls,
    ):
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = tls.recv(4096)
    assert not answer.startswith(b"HTTP/1.1 200")
    assert b"Se connecter" not in answer


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_versions(lab: LabUnderTest, version: ssl.TLSVersion, accepted: bool) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.minimum_version = context.maximum_version = version
    name = f"ent.{lab.domain}"
    try:
        with (
            socket.create_connection((lab.ip("portal1"), 443), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=name),
        ):
            assert accepted
    except ssl.SSLError:
        assert not accepted


def test_health_is_for_the_host_itself(lab: LabUnderTest, url: str, http: requests.Session) -> None:
    assert http.get(f"{url}/sante").status_code == 404
    local = lab.run("portal1", f"curl -s --resolve ent.{lab.domain}:443:127.0.0.1 {url}/sante")
    if local.rc == 127:  # no curl there
        local = lab.run(
            "portal1", "python3 -c %s", _HEALTH.format(url=url, host=f"ent.{lab.domain}")
        )
    assert local.stdout.strip() == '{"base": "ok", "annuaire": "ok"}'


_HEALTH = """
import socket, ssl
raw = socket.create_connection(("127.0.0.1", 443))
tls = ssl.create_default_context().wrap_socket(raw, server_hostname="{host}")
tls.sendall(b"GET /sante HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n")
print(b"".join(iter(lambda: tls.recv(4096), b"")).decode().partition("\\r\\n\\r\\n")[2])
"""


def test_secrets_are_readable_by_the_service_alone(lab: LabUnderTest) -> None:
    settings = lab.host("portal1").file("/etc/ent/portal/settings.json")
    assert (settings.user, settings.group, settings.mode) == ("root", "ent-portal", 0o640)
    line = lab.run("portal1", "ps -eo args | grep [e]nt-portal").stdout
    for name in ("ldap-portal", "db-portal", "portal-django"):
        assert lab.secret(name) not in line


def test_the_sandbox(lab: LabUnderTest) -> None:
    exposure = lab.run("portal1", "systemd-analyze security --no-pager ent-portal.service").stdout
    score = re.search(r"exposure level for \S+: ([0-9.]+)", exposure)
    assert score
    assert float(score[1]) <= 2.0, exposure


def test_the_service_cannot_write_its_code(lab: LabUnderTest) -> None:
    pid = lab.run("portal1", "systemctl show -p MainPID --value ent-portal").stdout.strip()
    mounts = lab.run("portal1", "cat /proc/%s/mountinfo", pid).stdout
    root = [line.split() for line in mounts.splitlines() if line.split()[4] == "/"]
    assert root
    assert root[-1][5].startswith("ro")


@pytest.mark.alone("ldap1", "db1")
def test_two_kinds_of_down(lab: LabUnderTest, url: str, signed_in: requests.Session) -> None:
    """Directory, then database stopped: a whole page that says so, and recovery by itself."""
    with lab.stopped("ldap1", "slapd"):
        page = signed_in.get(url)
        assert page.status_code == 200
        assert "Jeanne Martin" in page.text
        assert "annuaire de l’université ne répond pas" in page.text
    wait_for(lambda: "ne répond pas" not in signed_in.get(url).text, what="the directory's part")

    lab.run("db1", "systemctl stop 'postgresql@*'")
    try:
        page = signed_in.get(url)
        assert page.status_code == 503
        assert "momentanément indisponible" in page.text
        assert "Retry-After" in page.headers
        assert requests.get(url, verify=lab.ca_file).status_code == 200  # the public page
    finally:
        lab.run("db1", "systemctl start postgresql")
    wait_for(lambda: signed_in.get(url).status_code == 200, what="the page after the database")
    assert "Jeanne Martin" in signed_in.get(url).text


@pytest.mark.alone("portal1")
def test_application_down_gets_a_page_of_nginx(
    lab: LabUnderTest, url: str, http: requests.Session
) -> None:
    lab.run("portal1", "systemctl stop ent-portal.service ent-portal.socket")
    try:
        response = http.get(url)
        assert response.status_code == 502
        assert "momentanément indisponible" in response.text
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert http.get(f"{url}/static/ent/ent.css").status_code == 200
    finally:
        lab.run("portal1", "systemctl start ent-portal.socket ent-portal.service")
    wait_for(lambda: http.get(url).status_code == 200, what="the portal")


@pytest.mark.alone("portal1")
def test_a_restart_loses_no_request(lab: LabUnderTest, url: str, http: requests.Session) -> None:
    restart = lab.run("portal1", "systemctl restart --no-block ent-portal.service")
    assert restart.rc == 0
    statuses = [http.get(url).status_code for _ in range(60)]
    assert set(statuses) == {200}
    wait_for(
        lambda: lab.run("portal1", "systemctl is-active ent-portal").stdout.strip() == "active",
        what="the restart",
    )


def test_expired_sessions_are_cleaned(lab: LabUnderTest) -> None:
    assert lab.run("portal1", "systemctl is-active ent-portal-clean.timer").rc == 0
    assert lab.run("portal1", "systemctl start ent-portal-clean.service").rc == 0
