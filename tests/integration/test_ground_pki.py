"""Certificates: what clients see, who can read the keys, how they are renewed."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lab import LabUnderTest, wait_for

_PORTAL = "/etc/ssl/ent/ent.univ-provence.fr"

# Services that speak TLS from the first byte and may be reached from the controller.
SERVICES = [
    ("cas.univ-provence.fr", 443),
    ("ent.univ-provence.fr", 443),
    ("ldap.univ-provence.fr", 636),
]


def _session(lab: LabUnderTest, name: str, port: int, ca_file: str | None = None) -> dict[str, Any]:
    """The certificate of a verified session."""
    context = ssl.create_default_context(cafile=ca_file or lab.ca_file)
    with (
        socket.create_connection((name, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as sock,
    ):
        cert: dict[str, Any] = sock.getpeercert() or {}
        return cert


@pytest.mark.parametrize(("name", "port"), SERVICES)
def test_session_is_verified(lab: LabUnderTest, name: str, port: int) -> None:
    cert = _session(lab, name, port)
    names = {value for kind, value in cert["subjectAltName"] if kind == "DNS"}
    assert name in names
    assert any(re.fullmatch(r"[a-z]+[0-9]+\.univ-provence\.fr", other) for other in names), names


@pytest.mark.parametrize(("name", "port"), SERVICES)
def test_session_is_refused_without_the_authority(name: str, port: int, lab: LabUnderTest) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _session(lab, name, port, "/etc/ssl/certs/ca-certificates.crt")


def test_every_host_trusts_the_authority(lab: LabUnderTest) -> None:
    """openssl on the host, with the system's trust store and nothing else."""
    for host in lab.facts["hosts"]:
        run = lab.run(
            host,
            "openssl s_client -connect %s:636 -servername %s -verify_hostname %s"
            " -verify_return_error -CAfile /etc/ssl/certs/ca-certificates.crt </dev/null",
            lab.ip("ldap1"),
            *["ldap.univ-provence.fr"] * 2,
        )
        assert run.rc == 0, (host, run.stderr)
        assert "Verification: OK" in run.stdout, host


def test_database_session_is_verified(lab: LabUnderTest) -> None:
    run = lab.run(
        "portal1",
        "openssl s_client -starttls postgres -connect db.univ-provence.fr:5432"
        " -verify_hostname db.univ-provence.fr -verify_return_error"
        " -CAfile /etc/ssl/certs/ca-certificates.crt </dev/null",
    )
    assert run.rc == 0, run.stderr
    assert "Verification: OK" in run.stdout


def _folders(lab: LabUnderTest) -> list[tuple[str, str]]:
    return [
        (host, folder)
        for host in lab.facts["hosts"]
        for folder in lab.run(host, "ls -d /etc/ssl/ent/*/ 2>/dev/null").stdout.split()
    ]


def test_keys_are_for_the_services_alone(lab: LabUnderTest) -> None:
    folders = _folders(lab)
    assert {host for host, _folder in folders} >= {"ldap1", "db1", "sso1", "portal1"}
    for host, folder in folders:
        rights = lab.run(
            host, "stat --format='%%U:%%G %%a' %s %skey.pem", folder, folder
        ).stdout.splitlines()
        assert rights == ["root:ssl-cert 750", "root:ssl-cert 640"], (host, folder)
        peek = lab.run(host, "runuser -u nobody -- cat %skey.pem", folder)
        assert peek.rc != 0, (host, folder)


def test_keys_never_left_their_hosts(lab: LabUnderTest) -> None:
    """The only private key of the authority's folder is its own; each host's is another one."""
    pki = Path(lab.ca_file).parent
    keys = [path for path in pki.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert keys == [pki / "ca-key.pem"]
    assert keys[0].stat().st_mode & 0o777 == 0o600
    seen = [
        lab.run(host, "openssl pkey -in %skey.pem -pubout", f).stdout for host, f in _folders(lab)
    ]
    assert len(set(seen)) == len(seen)


def _served(lab: LabUnderTest) -> tuple[str, float]:
    """Serial number and days left of the certificate that the portal serves."""
    cert = _session(lab, "ent.univ-provence.fr", 443)
    left = (ssl.cert_time_to_seconds(cert["notAfter"]) - time.time()) / 86400
    return str(cert["serialNumber"]), left


def _near_its_end(lab: LabUnderTest, days: int) -> str:
    """A certificate for the portal's present key, signed as the lab does, with few days left."""
    request = lab.run(
        "portal1",
        "openssl req -new -key %s/key.pem -subj /CN=ent.univ-provence.fr -addext"
        " subjectAltName=DNS:ent.univ-provence.fr,DNS:portal1.univ-provence.fr",
        _PORTAL,
    ).stdout
    pki = Path(lab.ca_file).parent
    sign = ["openssl", "x509", "-req", "-days", str(days), "-copy_extensions", "copy"]
    sign += ["-CA", str(pki / "ca.pem"), "-CAkey", str(pki / "ca-key.pem")]
    run = subprocess.run(sign, input=request, capture_output=True, text=True, check=True)
    return run.stdout


@pytest.mark.alone("portal1")
@pytest.mark.service("portal1", "nginx")
def test_certificate_near_its_end_is_renewed_and_served(lab: LabUnderTest) -> None:
    """The converge that renews it makes nginx serve it; the next one leaves it alone."""
    lab.run(
        "portal1",
        "cd %s && printf '%%s' %s > cert.pem && cp cert.pem fullchain.pem && nginx -s reload",
        _PORTAL,
        _near_its_end(lab, 29),
    )
    wait_for(lambda: _served(lab)[1] < 30, what="nginx serves the short-lived certificate")
    old, _left = _served(lab)
    old_key = lab.run("portal1", "sha256sum %s/key.pem", _PORTAL).stdout
    run = lab.ansible("playbooks/ground.yml", "--limit", "portal1")
    assert run.returncode == 0, run.stdout + run.stderr
    wait_for(lambda: _served(lab)[0] != old, what="nginx serves the new certificate")
    renewed, left = _served(lab)
    assert 363 < left < 366
    assert lab.run("portal1", "sha256sum %s/key.pem", _PORTAL).stdout != old_key
    again = lab.ansible("playbooks/ground.yml", "--limit", "portal1")
    assert "changed=0" in again.stdout, again.stdout
    assert _served(lab)[0] == renewed


@pytest.mark.service("portal1", "ent-certificates")
def test_watch_warns_before_the_end(lab: LabUnderTest) -> None:
    """The weekly watch names a certificate that is about to expire, in the journal."""
    folder = "/etc/ssl/ent/watch-test"
    try:
        made = lab.run(
            "portal1",
            "mkdir -p %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            " -days 3 -subj /CN=watch-test -keyout /dev/null -out %s/cert.pem",
            folder,
            folder,
        )
        assert made.rc == 0, made.stderr
        since = lab.run("portal1", "date '+%F %T'").stdout.strip()
        assert lab.run("portal1", "systemctl start ent-certificates").rc == 0
        said = lab.run(
            "portal1",
            "journalctl --sync; journalctl -u ent-certificates -p warning --since %s -o cat",
            since,
        ).stdout
        assert f"{folder}/cert.pem expires within 21 days" in said
        assert "ent.univ-provence.fr/cert.pem" not in said
    finally:
        lab.run("portal1", "rm -r %s", folder)


def test_foreign_name_is_refused_before_anything_changes(lab: LabUnderTest) -> None:
    said = lab.refused(
        "playbooks/ground.yml",
        "--limit",
        "portal1",
        "--extra-vars",
        '{"pki_certificates": [{"name": "www.example.org"}]}',
    )
    assert "not for www.example.org" in said
    assert "changed=0" in said
