"""The worker that moves the messages of the legacy server, as its host sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab import LabUnderTest

_ASK = """
import http.client, socket, ssl, sys
address, name, path = sys.argv[1:]
token = sys.stdin.readline().strip()
connection = http.client.HTTPSConnection(name)
connection.sock = ssl.create_default_context().wrap_socket(
    socket.create_connection((address, 443), timeout=10), server_hostname=name
)
connection.request("GET", path, headers={"Authorization": "Bearer " + token} if token else {})
answer = connection.getresponse()
print(answer.status)
print(answer.read().decode())
"""
LEDGER = "/var/lib/ent-mailmove/ledger.sqlite"


def forget(lab: LabUnderTest, uid: str) -> None:
    """Take an invented person out of the worker's ledger, and of what others may know."""
    program = (
        f"import sqlite3, sys; d = sqlite3.connect('{LEDGER}', timeout=10); "
        "[d.execute(f'DELETE FROM {t} WHERE {c} = ?', (sys.argv[1],)) for t, c in "
        "(('message', 'person'), ('person', 'uid'), ('wanted', 'uid'))]; d.commit()"
    )
    result = lab.run("mailup1", f'runuser -u ent-mail -- python3 -c "{program}" %s', uid)
    assert result.rc == 0, result.stderr
    lab.run("mailup1", "rm -f /var/lib/ent-mailmove-status/%s.json", uid)


def known(lab: LabUnderTest, uid: str) -> dict[str, Any]:
    """What the worker says about a person."""
    result = lab.run("mailup1", "ent-mailmove status %s", uid)
    return dict(json.loads(result.stdout)) if result.rc == 0 else {}


def done(lab: LabUnderTest, uid: str, total: int) -> Callable[[], bool]:
    """A condition: all the messages of a person, so many, have been moved."""
    return lambda: known(lab, uid).get("state") == "done" and known(lab, uid)["total"] == total


def ask_status(
    lab: LabUnderTest,
    path: str,
    *,
    host: str = "mailup1",
    address: str = "127.0.0.1",
    secret: str | None = None,
) -> tuple[str, str]:
    """Status and text of the legacy server's answer to a host; "" when there was none.

    secret: the token, by default the right one; "" for none.
    """
    token = lab.secret("mailmove-status") if secret is None else secret
    command = "printf '%%s\\n' %s | python3 -c %s %s %s %s"
    result = lab.run(host, command, token, _ASK, address, f"mailup.{lab.domain}", path)
    status, _, text = str(result.stdout).partition("\n")
    return status, text


def told_state(lab: LabUnderTest, uid: str, **asking: str) -> str:
    """What a host is told of a person, which is written down after what the worker itself knows.

    asking: as for `ask_status`.
    """
    status, text = ask_status(lab, f"/etat/{uid}", **asking)
    assert status == "200", text
    return str(json.loads(text)["state"])
