"""The firewall of every host, as the other hosts meet it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import LabUnderTest

# What may be reached from another host of the lab that has no special right.
OPEN = {
    "dns1": {53},
    "ldap1": {389, 636},
    "db1": set(),
    "sso1": {80, 443},
    "portal1": {80, 443},
    "annuaire1": {80, 443},
    "mail1": {25, 465, 587, 993, 4190},
    "mailup1": {25},
    "lists1": {80, 443},
    "client1": set(),
}
# Linux sends no more than a few ICMP messages a second to one address: a scan
# hears "no" for the first ports and nothing for the others.
REFUSED = {"refused", "silent"}
PORTS = [
    22,
    25,
    53,
    80,
    111,
    143,
    389,
    443,
    465,
    587,
    636,
    993,
    3306,
    4190,
    5432,
    8000,
    8080,
    8443,
    9000,
]

# Connects to all at a time. "open": somebody answers; "closed": the firewall lets
# through and nobody listens; "refused": the firewall says no; "silent": nothing.
_SCAN = """
import errno, json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def look(target):
    address, port = target
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.settimeout(3)
        try:
            sock.connect((address, port))
            return "open"
        except ConnectionRefusedError:
            return "closed"
        except TimeoutError:
            return "silent"
        except OSError as error:
            return "refused" if error.errno in (errno.EHOSTUNREACH, errno.EACCES) else repr(error)
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(40) as pool:
    print(json.dumps(list(pool.map(look, targets))))
"""


def connect(lab: LabUnderTest, source: str, targets: list[tuple[str, int]]) -> list[str]:
    """What a host meets at each address and port."""
    run = lab.run(source, "python3 -c %s %s", _SCAN, json.dumps(targets))
    assert run.rc == 0, run.stderr
    answers: list[str] = json.loads(run.stdout)
    return answers


def test_open_ports_are_the_expected_ones(lab: LabUnderTest) -> None:
    assert set(lab.facts["hosts"]) == set(OPEN), "a new host: add what it opens to this table"
    targets = [(lab.ip(host), port) for host in OPEN for port in PORTS if host != "client1"]
    answers = dict(zip(targets, connect(lab, "client1", targets), strict=True))
    for host, expected in OPEN.items():
        if host != "client1":
            seen = {port: answers[lab.ip(host), port] for port in PORTS}
            # SSH is let through on every host; no lab host runs it.
            assert seen.pop(22) == "closed", host
            assert {port for port, what in seen.items() if what == "open"} == expected, host
            others = {port: what for port, what in seen.items() if port not in expected}
            assert set(others.values()) <= REFUSED, (host, others)


def test_client_offers_nothing_to_the_portal(lab: LabUnderTest) -> None:
    targets = [(lab.ip("client1"), port) for port in PORTS if port != 22]
    assert set(connect(lab, "portal1", targets)) <= REFUSED


def test_database_is_for_the_hosts_of_its_services(lab: LabUnderTest) -> None:
    answers = {
        host: connect(lab, host, [(lab.ip("db1"), 5432)])[0]
        for host in ("sso1", "portal1", "annuaire1", "ldap1", "lists1", "mail1", "client1", "dns1")
    }
    assert answers == {
        "sso1": "open",
        "portal1": "open",
        "annuaire1": "open",
        "ldap1": "open",  # the feed reads Harpège from there
        "lists1": "open",
        "mail1": "refused",
        "client1": "refused",
        "dns1": "refused",
    }


def _smtp_refused(lab: LabUnderTest, host: str) -> int:
    counters = json.loads(lab.run(host, "nft --json list counter inet ent smtp_refused").stdout)
    packets: int = counters["nftables"][-1]["counter"]["packets"]
    return packets


def test_no_mail_leaves_the_lab(lab: LabUnderTest) -> None:
    """Refused on the host itself, and counted; addresses of RFC 5737 are nobody's."""
    outside = [("192.0.2.25", port) for port in (25, 465, 587)] + [("198.51.100.1", 25)]
    for host in lab.facts["hosts"]:
        before = _smtp_refused(lab, host)
        assert connect(lab, host, outside) == ["closed"] * 4, host
        assert _smtp_refused(lab, host) == before + 4, host


def test_mail_within_the_lab_is_let_out(lab: LabUnderTest) -> None:
    """The sender's firewall lets it go; it is the receiver, who serves no mail, that refuses."""
    before = _smtp_refused(lab, "portal1")
    assert connect(lab, "portal1", [(lab.ip("ldap1"), 25)]) == ["refused"]
    assert _smtp_refused(lab, "portal1") == before


def test_rules_of_others_are_left_alone(lab: LabUnderTest) -> None:
    """Docker's table in each container is what makes names resolve."""
    for host in lab.facts["hosts"]:
        tables = lab.run(host, "nft list tables").stdout.split("\n")
        assert "table ip nat" in tables, host
        assert "table inet ent" in tables, host
        if host != "dns1":  # asks the machine's resolvers, being the lab's itself
            assert lab.run(host, "getent hosts %s", f"db.{lab.domain}").rc == 0, host


# An echo request (type 8) with its checksum; a raw socket is root's, as in the client.
_PING = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
    sock.settimeout(3)
    sock.connect((sys.argv[1], 0))
    sock.send(bytes([8, 0, 0xE5, 0xCA, 0x12, 0x34, 0, 1]))
    while sock.recv(100)[20] != 0:
        pass
"""


def test_echo_is_answered(lab: LabUnderTest) -> None:
    """ICMP is needed for path MTU discovery and by whoever looks for a fault."""
    for host in lab.facts["hosts"]:
        run = lab.run("client1", "python3 -c %s %s", _PING, lab.ip(host))
        assert run.rc == 0, (host, run.stderr)


@pytest.fixture(params=["delete table inet ent", "insert rule inet ent input accept"])
def without_rules(lab: LabUnderTest, request: pytest.FixtureRequest) -> Iterator[None]:
    """A host whose rules somebody removed, or opened, by hand."""
    assert lab.run("client1", f"nft {request.param}").rc == 0
    yield
    lab.run("client1", "systemctl reload-or-restart ent-firewall")


@pytest.mark.alone("client1")
@pytest.mark.usefixtures("without_rules")
def test_removed_rules_come_back(lab: LabUnderTest) -> None:
    target = [(lab.ip("client1"), 8080)]
    assert connect(lab, "portal1", target) == ["closed"]
    run = lab.ansible("playbooks/ground.yml", "--limit", "client1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert connect(lab, "portal1", target) == ["refused"]


def test_rules_are_loaded_at_boot_and_confirmed(lab: LabUnderTest) -> None:
    for host in lab.facts["hosts"]:
        run = lab.run(
            host,
            "systemctl is-enabled ent-firewall && systemctl is-active ent-firewall"
            " && cmp /etc/nftables.d/ent.nft /etc/nftables.d/ent.nft.confirmed"
            " && ! systemctl is-active ent-firewall-rollback.timer",
        )
        assert run.rc == 0, (host, run.stdout, run.stderr)
