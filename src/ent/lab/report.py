"""What a lab tells: addresses and accounts, health, and the environment of its tests."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import docker
from .settings import Lab, LabError

_NSS_WRAPPER = Path("/usr/lib/x86_64-linux-gnu/libnss_wrapper.so")
_PAGE_SECONDS = 10


def facts(lab: Lab) -> dict[str, Any]:
    """What the create playbook wrote of this lab (lab.json).

    Raises:
        LabError: there is no such lab.

    """
    try:
        found: dict[str, Any] = json.loads((lab.state / "lab.json").read_text())
    except OSError:
        raise LabError(
            f"there is no lab {lab.name!r} in this clone: make up LAB={lab.name}"
        ) from None
    return found


def ca_file(lab: Lab) -> Path:
    """The certificate of the lab's own authority."""
    return lab.state / "pki" / "ca.pem"


def addresses(lab: Lab) -> None:
    """Print where the lab answers and who may sign in.

    Passwords are shown on a terminal only: elsewhere the output may be kept.
    """
    found = facts(lab)
    print(f"\nLab {lab.name!r} is up.\n")
    print(f"  Portal        {found['portal']}")
    print(f"  Annuaire      {found['annuaire']}")
    print(f"  Sign-on       {found['sso']}\n")
    print("  Demonstration accounts (password: the file named after it)")
    for account in found["accounts"]:
        secret = lab.state / "secrets" / f"person-{account['uid']}"
        shown = (
            secret.read_text().strip()
            if sys.stdout.isatty()
            else f".lab/{lab.name}/secrets/{secret.name}"
        )
        print(f"    {account['uid']:<10} {shown:<34} {account['kind']}")
    option = "" if lab.name == "ent" else f" LAB={lab.name}"
    print(f"\n  Look at it    make browser{option}    (any other browser: docs/lab.md)")
    print(f"  Health        make status{option}")
    print(f"  Remove it     make down{option}\n")


def test_environment(lab: Lab) -> dict[str, str]:
    """Variables with which programs of this machine resolve and trust this lab's names."""
    return {
        "LD_PRELOAD": str(_NSS_WRAPPER),
        "NSS_WRAPPER_HOSTS": str(lab.state / "hosts"),
        "ENT_CLIENT_CONTAINER": f"{lab.name}-client1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


def status(lab: Lab) -> int:
    """Print one line per service; 0 when all are healthy."""
    found = facts(lab)
    if docker.find_engine().version is None:
        raise LabError("the Docker engine does not answer. make up starts it, and the lab with it.")
    checks = [
        (check, host)
        for check in found["health"]
        for host, information in found["hosts"].items()
        if check["group"] in information["groups"]
    ]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda pair: _health(lab, found, *pair), checks))
    for (check, host), fault in zip(checks, answers, strict=True):
        print(f"{'ok' if not fault else 'FAULT':<6} {check['service']:<15} {host:<9} {fault}")
    return 1 if any(answers) else 0


def _health(lab: Lab, found: dict[str, Any], check: dict[str, Any], host: str) -> str:
    """What is wrong with one service, or an empty string."""
    container = f"{lab.name}-{host}"
    result = subprocess.run(
        ["docker", "exec", container, "systemctl", "is-active", *check["units"]],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        states = result.stdout.split() or [result.stderr.strip()]
        units = ", ".join(
            f"{u} {s}" for u, s in zip(check["units"], states, strict=False) if s != "active"
        )
        return f"{units}; look: docker exec {container} journalctl -u {check['units'][0]} -e"
    if "page" in check:
        try:
            code = _get(lab, check["page"], found["hosts"][host]["address"])
        except OSError as error:
            return f"{check['page']}: {error}"
        if code >= 500:
            return f"{check['page']} answers {code}"
    return ""


def _get(lab: Lab, url: str, address: str) -> int:
    """The status of a page of this lab, over TLS verified with the lab's authority."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context(cafile=str(ca_file(lab)))
    with (
        socket.create_connection((address, 443), timeout=_PAGE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        connection = http.client.HTTPConnection(host)
        connection.sock = tls
        connection.request("GET", parts.path or "/", headers={"Host": host})
        return connection.getresponse().status
