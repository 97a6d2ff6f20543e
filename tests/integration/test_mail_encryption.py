"""Encryption of everything that mail uses: nothing older than TLS 1.2, on any port."""

from __future__ import annotations

import socket
import ssl
from typing import BinaryIO

import pytest

from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("mailup1"),
    pytest.mark.service("mail1", "postfix", "dovecot"),
    pytest.mark.service("mailup1", "postfix"),
]

#: What is said in clear before the handshake, per port.
SMTP, SIEVE, AT_ONCE = "smtp", "sieve", ""
PORTS = [
    ("mail", 25, SMTP),
    ("mail", 587, SMTP),
    ("mail", 465, AT_ONCE),
    ("mail", 993, AT_ONCE),
    ("mail", 4190, SIEVE),
    ("mailup", 25, SMTP),
]
V = ssl.TLSVersion


def _until(lines: BinaryIO, *starts: bytes) -> None:
    """Read up to the line that ends an answer."""
    while not (line := lines.readline()).startswith(starts):
        assert line, "the server ended the connection"


def handshake(lab: LabUnderTest, name: str, port: int, speech: str, version: V) -> str:
    """Connect with exactly this version; the one that was agreed on."""
    server = f"{name}.{lab.domain}"
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.minimum_version = V.TLSv1
    context.maximum_version = version
    # what OpenSSL itself would not use any more: it is the server that has to refuse
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((server, port), timeout=30) as plain:
        lines = plain.makefile("rb", buffering=0)
        if speech == SMTP:
            _until(lines, b"220 ")
            plain.sendall(b"EHLO client.strict.example\r\n")
            _until(lines, b"250 ")
            plain.sendall(b"STARTTLS\r\n")
            _until(lines, b"220 ")
        elif speech == SIEVE:
            _until(lines, b"OK")
            plain.sendall(b"STARTTLS\r\n")
            _until(lines, b"OK")
        with context.wrap_socket(plain, server_hostname=server) as encrypted:
            return str(encrypted.version())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(("name", "port", "speech"), PORTS)
def test_nothing_older_than_tls_1_2(lab: LabUnderTest, name: str, port: int, speech: str) -> None:
    for version in (V.TLSv1, V.TLSv1_1):
        with pytest.raises(ssl.SSLError, match="alert protocol version"):
            handshake(lab, name, port, speech, version)
    assert handshake(lab, name, port, speech, V.TLSv1_2) == "TLSv1.2"
    assert handshake(lab, name, port, speech, V.TLSv1_3) == "TLSv1.3"
