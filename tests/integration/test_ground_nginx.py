"""nginx: what it refuses, what it redirects, what it writes down."""

from __future__ import annotations

import secrets
import socket
import ssl

import pytest

from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("sso1", "portal1"),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
    pytest.mark.service("sso1", "nginx"),
    pytest.mark.service("portal1", "nginx"),
]

HOSTS = {"cas.univ-provence.fr": "sso1", "ent.univ-provence.fr": "portal1"}
SITES = sorted(HOSTS)


def _http(address: str, host: str, path: str = "/") -> bytes:
    """The raw answer to a plain http request."""
    with socket.create_connection((address, 80), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := sock.recv(65536):
            answer += part
        return answer


def _https(lab: LabUnderTest, host: str, path: str = "/") -> str:
    """Head of the answer over verified TLS."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    with (
        socket.create_connection((lab.ip(HOSTS[host]), 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as sock,
    ):
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := sock.recv(65536):
            answer += part
    return answer.partition(b"\r\n\r\n")[0].decode()


@pytest.mark.parametrize("host", ["sso1", "portal1"])
@pytest.mark.parametrize("name", ["www.example.org", "evil.univ-provence.fr", "", "10.0.0.1"])
def test_unknown_name_gets_no_answer_on_http(lab: LabUnderTest, host: str, name: str) -> None:
    answer = _http(lab.ip(host), name)
    # An empty name is no valid request at all: nginx may say so, and nothing else.
    assert answer == b"" or (name == "" and b" 400 " in answer.splitlines()[0])


@pytest.mark.parametrize("host", ["sso1", "portal1"])
@pytest.mark.parametrize("name", ["www.example.org", "evil.univ-provence.fr", None])
def test_unknown_name_gets_no_handshake(lab: LabUnderTest, host: str, name: str | None) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    # Name matching is ours to do here: the question is whether the server offers a certificate.
    context.check_hostname = False
    with (
        socket.create_connection((lab.ip(host), 443), timeout=5) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
    ):
        context.wrap_socket(plain, server_hostname=name)


@pytest.mark.parametrize("site", SITES)
def test_other_name_inside_the_connection_is_refused(lab: LabUnderTest, site: str) -> None:
    """The handshake names a site, the request another one (host header attack)."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    with (
        socket.create_connection((lab.ip(HOSTS[site]), 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=site) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    ("version", "good"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_versions(lab: LabUnderTest, site: str, version: ssl.TLSVersion, good: bool) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # so that it is the server that refuses
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((lab.ip(HOSTS[site]), 443), timeout=5) as plain:
        if good:
            with context.wrap_socket(plain, server_hostname=site) as sock:
                assert sock.version() == version.name.replace("_", ".")
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
                context.wrap_socket(plain, server_hostname=site)


@pytest.mark.parametrize("site", SITES)
def test_http_leads_to_https(lab: LabUnderTest, site: str) -> None:
    head = _http(lab.ip(HOSTS[site]), site, "/a?b=c").partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("HTTP/1.1 301 ")
    assert f"\r\nLocation: https://{site}/a?b=c" in head


@pytest.mark.parametrize("site", SITES)
def test_https_is_remembered_and_the_version_is_not_told(lab: LabUnderTest, site: str) -> None:
    head = _https(lab, site).lower()
    assert "\r\nstrict-transport-security: max-age=31536000" in head
    assert "\r\nserver: nginx\r\n" in head + "\r\n"


def test_tickets_are_not_written_down(lab: LabUnderTest) -> None:
    mark = secrets.token_hex(8)
    _https(lab, "ent.univ-provence.fr", f"/{mark}?a=1&ticket=ST-{mark}-secret&b=2")
    line = wait_for(
        lambda: lab.run("portal1", "grep %s /var/log/nginx/access.log", mark).stdout,
        what="the request in the log",
    )
    assert f"/{mark}?a=1&ticket=***&b=2" in line
    assert "secret" not in line
