"""The zones of the lab: what a mail server or a browser would find in the real ones."""

from __future__ import annotations

import secrets
import socket
import struct
from contextlib import suppress

import pytest

from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("dns1"),
    pytest.mark.service("dns1", "dnsmasq"),
]

NXDOMAIN = 3
TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
SERVICES = {
    "ldap.univ-provence.fr": "ldap1",
    "db.univ-provence.fr": "db1",
    "cas.univ-provence.fr": "sso1",
    "ent.univ-provence.fr": "portal1",
    "www.up.univ-mrs.fr": "portal1",
}
MAIL = {
    "univ-provence.fr": "mail.univ-provence.fr",
    "listes.univ-provence.fr": "mail.univ-provence.fr",
    "up.univ-aix.fr": "mailup.univ-provence.fr",
    "up.univ-mrs.fr": "mailup.univ-provence.fr",
}


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name in a message (RFC 1035 4.1.4), and where it ends."""
    labels = []
    end = None
    while length := message[at]:
        if length >= 0xC0:
            end = end or at + 2
            at = ((length & 0x3F) << 8) | message[at + 1]
        else:
            labels.append(message[at + 1 : at + 1 + length].decode())
            at += length + 1
    return ".".join(labels), end or at + 1


def _value(message: bytes, kind: int, at: int, length: int) -> str:
    if kind == TYPES["A"]:
        return socket.inet_ntoa(message[at : at + length])
    if kind == TYPES["PTR"]:
        return _name(message, at)[0]
    if kind == TYPES["MX"]:
        return f"{struct.unpack_from('!H', message, at)[0]} {_name(message, at + 2)[0]}"
    return message[at + 1 : at + 1 + message[at]].decode()


def ask(lab: LabUnderTest, name: str, kind: str, group: int = 1) -> tuple[int, list[str]]:
    """Response code and answers of the lab's own server; class 3 asks it about itself."""
    number = secrets.randbelow(1 << 16)
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + question + b"\0"
    query += struct.pack("!2H", TYPES[kind], group)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((lab.ip("dns1"), 53))
        sock.send(query)
        message = sock.recv(4096)
    same, flags, _questions, answers = struct.unpack_from("!4H", message)
    assert same == number
    at = _name(message, 12)[1] + 4
    found = []
    for _ in range(answers):
        at = _name(message, at)[1]
        answered, _class, _ttl, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        if answered == TYPES[kind]:
            found.append(_value(message, answered, at, length))
        at += length
    return flags & 0xF, sorted(found)


def test_hosts_forward_and_back(lab: LabUnderTest) -> None:
    for host in lab.facts["hosts"]:
        name, address = f"{host}.{lab.domain}", lab.ip(host)
        assert ask(lab, name, "A") == (0, [address])
        back = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
        assert ask(lab, back, "PTR") == (0, [name])


@pytest.mark.parametrize(("name", "host"), SERVICES.items())
def test_services(lab: LabUnderTest, name: str, host: str) -> None:
    assert ask(lab, name, "A") == (0, [lab.ip(host)])


@pytest.mark.parametrize(("domain", "server"), MAIL.items())
def test_mail_exchanger_and_spf(lab: LabUnderTest, domain: str, server: str) -> None:
    assert ask(lab, domain, "MX") == (0, [f"10 {server}"])
    assert ask(lab, domain, "TXT") == (0, ["v=spf1 mx -all"])


@pytest.mark.parametrize(
    "name", ["nobody.univ-provence.fr", "x.cas.univ-provence.fr", "web.up.univ-mrs.fr"]
)
def test_unknown_name_does_not_exist(lab: LabUnderTest, name: str) -> None:
    """Answered here: the real zones of the Internet are never asked about the lab's domains."""
    assert ask(lab, name, "A") == (NXDOMAIN, [])


def _asked_upstream(lab: LabUnderTest) -> int:
    """How many queries dnsmasq has sent to its upstream server."""
    _code, (server,) = ask(lab, "servers.bind", "TXT", group=3)
    return int(server.split()[1])


def test_nobody_upstream_hears_of_the_lab(lab: LabUnderTest) -> None:
    """Other hosts may ask for something else meanwhile, so one quiet try of five will do."""
    for domain in ("univ-provence.fr", "up.univ-aix.fr", "up.univ-mrs.fr"):
        sent = []
        for _ in range(5):
            before = _asked_upstream(lab)
            ask(lab, f"{secrets.token_hex(8)}.{domain}", "A")
            sent.append(_asked_upstream(lab) - before)
        assert min(sent) == 0, domain
    before = _asked_upstream(lab)
    with suppress(TimeoutError):  # it is asked; whether it answers is another matter
        ask(lab, f"{secrets.token_hex(8)}.example.org", "A")
    assert _asked_upstream(lab) > before


def test_unknown_address_has_no_name(lab: LabUnderTest) -> None:
    network = lab.ip("dns1").rsplit(".", 1)[0]
    back = ".".join(reversed(f"{network}.253".split("."))) + ".in-addr.arpa"
    assert ask(lab, back, "PTR") == (NXDOMAIN, [])


def test_no_ipv6_address_is_no_error(lab: LabUnderTest) -> None:
    assert ask(lab, "ent.univ-provence.fr", "AAAA") == (0, [])


@pytest.mark.parametrize("name", ["ent.univ-provence.fr", "ldap1.univ-provence.fr"])
def test_every_host_resolves_through_it(lab: LabUnderTest, name: str) -> None:
    expected = lab.ip(SERVICES.get(name, name.split(".", maxsplit=1)[0]))
    for host in lab.facts["hosts"]:
        if host != "dns1":
            answer = lab.run(host, "getent ahostsv4 %s", name).stdout.split()
            assert answer[:1] == [expected], host
