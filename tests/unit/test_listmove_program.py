"""The list mover's settings, its dialogue with the helper, and what it says when nothing works."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ent.listmove.__main__ import main
from ent.listmove.settings import Settings
from ent.listmove.sympa import Left, Sympa, SympaUnavailable
from ent.web.config import ConfigError, load


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    database = {"host": "127.0.0.1", "port": 1, "user": "listmove", "password": "p"}
    return {
        "ldap": {
            "uri": "ldaps://ldap.invalid",
            "suffix": "dc=x",
            "bind_dn": "cn=listmove",
            "password": "p",
            "ca_file": "/etc/ssl/certs/ca-certificates.crt",
            "connect_timeout": 1,
            "timeout": 1,
        },
        "sympa": database | {"name": "sympa"},
        "ledger": database | {"name": "listmove"},
        "helper": str(tmp_path / "helper"),
        "move_timeout": 75,
        "legacy_domains": ["up.univ-aix.fr", "up.univ-mrs.fr"],
        "readers": ["helpdesk"],
        "retry_seconds": 60,
        "reconcile_seconds": 3600,
        "journal_days": 730,
    }


def write(tmp_path: Path, given: dict[str, Any]) -> Path:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(given))
    return path


def test_settings(tmp_path: Path, given: dict[str, Any]) -> None:
    found = load(write(tmp_path, given), Settings)
    assert found.sympa.name == "sympa"
    assert main(["check-settings", str(write(tmp_path, given))]) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"move_timeout": 0}, "move_timeout is 0, expected 1 or more"),
        ({"retry_seconds": 0}, "retry_seconds is 0, expected 1 or more"),
        ({"reconcile_seconds": -1}, "reconcile_seconds is -1, expected 1 or more"),
        ({"journal_days": 0}, "journal_days is 0, expected 1 or more"),
        ({"legacy_domains": ["@up.fr"]}, "legacy_domains has '@up.fr', expected a domain"),
        ({"legacy_domains": ["Up.fr"]}, "legacy_domains has 'Up.fr', expected a domain in lower"),
        ({"sympa": {"name": "sympa"}}, "sympa has no host or no password"),
        ({"surprise": 1}, "surprise is not a setting"),
    ],
)
def test_settings_that_are_wrong(
    tmp_path: Path,
    given: dict[str, Any],
    changes: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, given | changes)
    with pytest.raises(ConfigError, match=r"settings\.json: "):
        load(path, Settings)
    assert main(["check-settings", str(path)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["pass", "anne"]])
def test_database_that_is_away_is_named(
    tmp_path: Path, given: dict[str, Any], command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--settings", str(write(tmp_path, given)), *command]) == 1
    assert "ent-listmove: database listmove on 127.0.0.1: " in capsys.readouterr().err


class Helper:
    """A helper that answers as it is told; each connection has a new one."""

    def __init__(self, path: Path) -> None:
        self.answers: list[Callable[[dict[str, str]], bytes]] = []
        self.asked: list[dict[str, str]] = []
        self.connections = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rb") as questions:
                for line in questions:
                    self.asked.append(json.loads(line))
                    answer = self.answers.pop(0)(self.asked[-1])
                    if not answer:
                        break
                    connection.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Helper]:
    made = Helper(tmp_path / "helper")
    yield made
    made.close()


def done(_: dict[str, str]) -> bytes:
    return b'{"left": []}\n'


def died(_: dict[str, str]) -> bytes:
    return b""


def test_one_helper_for_many_moves(tmp_path: Path, helper: Helper) -> None:
    sympa = Sympa(str(tmp_path / "helper"), 5)
    helper.answers = [done, done]
    assert sympa.move("old@x", "new@x") == []
    assert sympa.move("other@x", "new@x") == []
    assert helper.asked == [{"old": "old@x", "new": "new@x"}, {"old": "other@x", "new": "new@x"}]
    assert helper.connections == 1


def test_what_is_left_is_told(tmp_path: Path, helper: Helper) -> None:
    left = {"address": "o@x", "list": "l@x", "role": "owner", "reason": "closed", "detail": "d"}
    helper.answers = [lambda _: json.dumps({"left": [left]}).encode() + b"\n"]
    assert Sympa(str(tmp_path / "helper"), 5).move("o@x", "n@x") == [Left(**left)]


def test_helper_that_ended_while_idle_is_replaced(tmp_path: Path, helper: Helper) -> None:
    """As after an upgrade of Sympa: it notices at the next question, and ends."""
    sympa = Sympa(str(tmp_path / "helper"), 5)
    helper.answers = [done, died, done]
    sympa.move("old@x", "new@x")
    assert sympa.move("other@x", "new@x") == []
    assert helper.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        died,
        lambda _: b'{"left": [',
        lambda _: b"[]\n",
        lambda _: b'{"left": [{"surprise": 1}]}\n',
        lambda _: b'{"error": "Sympa\'s database is away"}\n',
    ],
)
def test_helper_that_fails_at_once(
    tmp_path: Path, helper: Helper, answer: Callable[[dict[str, str]], bytes]
) -> None:
    # an unfinished answer is followed by the end
    helper.answers = [answer, died, died]
    sympa = Sympa(str(tmp_path / "helper"), 1)
    with pytest.raises(SympaUnavailable, match="Sympa"):
        sympa.move("old@x", "new@x")
    helper.answers = [done]
    assert sympa.move("old@x", "new@x") == [], "the next one has a new helper"


def test_helper_that_hangs(tmp_path: Path, helper: Helper) -> None:
    free = threading.Event()

    def hang(_: dict[str, str]) -> bytes:
        free.wait(10)
        return b""

    helper.answers = [hang]
    with pytest.raises(SympaUnavailable, match="timed out"):
        Sympa(str(tmp_path / "helper"), 0.2).move("old@x", "new@x")
    free.set()


def test_no_helper(tmp_path: Path) -> None:
    with pytest.raises(SympaUnavailable, match=r"nowhere: .*No such file"):
        Sympa(str(tmp_path / "nowhere"), 1).move("old@x", "new@x")
