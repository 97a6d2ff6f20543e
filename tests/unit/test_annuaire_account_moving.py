"""What « Mon compte » says of the old messages: by a server that answers, errs, hangs, is away."""

from __future__ import annotations

import json
import logging
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import annuaire_app
import local_tls
from annuaire_account import AccountDirectory

annuaire_app.start()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import translation  # noqa: E402

from ent.annuaire.account import moving, visit  # noqa: E402
from ent.annuaire.account.config import AccountConfig  # noqa: E402
from ent.annuaire.account.moving import LegacyServer, Move, MoveUnknown, State  # noqa: E402
from ent.mailmove.status import STATES, Statuses  # noqa: E402

TOKEN = "t" * 32
UNKNOWN = "L’état de l’arrivée de vos anciens messages est momentanément inconnu."


class Legacy(ThreadingHTTPServer):
    """A legacy server over TLS: as ent-mailmove's is, or with a fault.

    asked: (path, Authorization) of each request.
    """

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        self.body = b"{}"
        self.location = ""
        self.held = threading.Event()
        self.held.set()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}/etat/"

    def says(self, **said: Any) -> None:
        self.body = json.dumps({"state": "moving", "total": 0, "copied": 0} | said).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Legacy

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        self.server.held.wait(20)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the legacy server, and what it is verified with."""
    return local_tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def legacy(certificate: Path) -> Iterator[Legacy]:
    server = Legacy(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.held.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(legacy: Legacy, certificate: Path) -> LegacyServer:
    return LegacyServer(legacy.url, TOKEN, str(certificate))


# The answer


def test_the_person_and_the_token_are_told(legacy: Legacy, server: LegacyServer) -> None:
    legacy.says(total=1200, copied=350)
    assert server.move_of("j.durand-2") == Move(State.MOVING, 1200, 350)
    assert legacy.asked == [("/etat/j.durand-2", f"Bearer {TOKEN}")]


def test_a_login_is_one_part_of_the_address(legacy: Legacy, server: LegacyServer) -> None:
    legacy.says()
    server.move_of("../x?y#é")
    assert legacy.asked[0][0] == "/etat/..%2Fx%3Fy%23%C3%A9"


def test_nothing_to_move(legacy: Legacy, server: LegacyServer) -> None:
    legacy.status = 404
    assert server.move_of("jdurand") is None


def test_the_states_are_those_of_the_worker() -> None:
    assert {one.value for one in State} == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_what_the_worker_writes_is_understood(tmp_path: Path, state: str) -> None:
    Statuses(tmp_path).write("jdurand", state, total=3, copied=2, kept_until=1.0)
    move = Move.from_json((tmp_path / "jdurand.json").read_bytes())
    assert move == Move(State(state), 3, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"state": "gone", "total": 1, "copied": 1}',
        b'{"state": "done", "total": "1", "copied": 1}',
        b'{"state": "done", "total": true, "copied": true}',
        b'{"state": "done", "total": 1, "copied": -1}',
        b'{"state": "done", "total": 1, "copied": 2}',
        b'{"state": "done", "total": 1, "copied": 1, "x": "' + b"x" * 5000 + b'"}',
        b"\xff\xfe",
    ],
)
def test_other_answers_are_none(legacy: Legacy, server: LegacyServer, body: bytes) -> None:
    legacy.body = body
    with pytest.raises(MoveUnknown):
        server.move_of("jdurand")


@pytest.mark.parametrize("status", [302, 401, 403, 500, 503])
def test_refusals(legacy: Legacy, server: LegacyServer, status: int) -> None:
    legacy.says(state="done")
    legacy.status, legacy.location = status, legacy.url + "autre"
    with pytest.raises(MoveUnknown):
        server.move_of("jdurand")
    assert len(legacy.asked) == 1, "the token goes where it was told to, and nowhere else"


def test_certificates_are_verified(legacy: Legacy, tmp_path: Path) -> None:
    legacy.says()
    with pytest.raises(MoveUnknown, match="certificate verify failed"):
        LegacyServer(legacy.url, TOKEN, annuaire_app.settings()["ca_file"]).move_of("jdurand")
    assert legacy.asked == []


# What was heard is kept


def test_an_answer_is_kept_for_some_seconds(
    legacy: Legacy, server: LegacyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(moving.time, "monotonic", lambda: clock[0])
    legacy.says(total=3, copied=1)
    server.move_of("jdurand")
    legacy.says(total=3, copied=2)
    assert server.move_of("jdurand") == Move(State.MOVING, 3, 1)
    assert server.move_of("mblanc") == Move(State.MOVING, 3, 2), "one's own, nobody else's"
    clock[0] += 5
    assert server.move_of("jdurand") == Move(State.MOVING, 3, 2)
    assert len(legacy.asked) == 3


def test_after_a_failure_nobody_waits(
    legacy: Legacy,
    server: LegacyServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(moving.time, "monotonic", lambda: clock[0])
    legacy.says()
    server.move_of("kept")
    legacy.status = 503
    for uid in ("jdurand", "jdurand", "mblanc"):
        with pytest.raises(MoveUnknown):
            server.move_of(uid)
    assert server.move_of("kept") == Move(State.MOVING, 0, 0)
    assert len(legacy.asked) == 2
    legacy.status = 200
    clock[0] += 5
    assert server.move_of("jdurand") == Move(State.MOVING, 0, 0)
    assert [r.levelno for r in caplog.records if r.name == moving.__name__] == [logging.WARNING]
    assert TOKEN not in caplog.text


def test_a_server_that_does_not_answer_is_left(legacy: Legacy, server: LegacyServer) -> None:
    legacy.held.clear()
    with pytest.raises(MoveUnknown, match="timed out"):
        server.move_of("jdurand")
    assert not legacy.held.is_set()


def test_a_server_that_is_away(legacy: Legacy, server: LegacyServer) -> None:
    legacy.server_close()
    with pytest.raises(MoveUnknown):
        server.move_of("jdurand")


def test_what_is_kept_has_an_end(
    legacy: Legacy, server: LegacyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(moving.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(moving, "_MANY", 3)
    legacy.status = 404
    for number in range(12):
        server.move_of(f"u{number}")
        clock[0] += 2
    assert len(server._heard) <= 4


# The page


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> AccountDirectory:
    made = AccountDirectory()
    made.account()
    made.people["jdurand"]["supannAutreMail"].append("Jeanne.Durand@UP.univ-aix.fr")
    made.account("mblanc")
    monkeypatch.setattr(visit, "directory_as", lambda _: made)
    return made


@pytest.fixture
def page(legacy: Legacy, certificate: Path, directory: AccountDirectory) -> Iterator[Any]:
    """What « Mon compte » says of the old messages to somebody; None: there is no such section."""

    def section(uid: str = "jdurand") -> str | None:
        client = Client(headers=annuaire_app.HEADERS)
        client.force_login(User.objects.get_or_create(username=uid)[0], "ent.web.cas.Backend")
        answer = client.get("/compte/")
        assert answer.status_code == 200
        text = answer.content.decode()
        assert 'id="corriger"' in text, "the page is whole"
        found = re.search(r'<section id="anciens-messages".*?<p>(.*?)</p>', text, re.S)
        return found[1] if found else None

    account = {"mailmove_url": legacy.url, "mailmove_token": TOKEN}
    with annuaire_app.public(account=account, ca_file=str(certificate)):
        yield section
    User.objects.all().delete()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            {"state": "moving", "total": 1200, "copied": 350},
            "Vos anciens messages arrivent dans votre nouvelle boîte (350 sur 1\xa0200).",
        ),
        ({"state": "waiting"}, "Vos anciens messages arrivent dans votre nouvelle boîte."),
        (
            {"state": "delayed", "total": 2, "copied": 1},
            "Vos anciens messages arrivent dans votre nouvelle boîte (1 sur 2).",
        ),
        (
            {"state": "done", "total": 2, "copied": 2},
            "Vos anciens messages sont dans votre nouvelle boîte.",
        ),
        (
            {"state": "full", "total": 2, "copied": 0},
            "Vos anciens messages ne tiennent pas dans votre nouvelle boîte\u00a0: faites de la"
            " place ou demandez-en à l’assistance.",
        ),
    ],
)
def test_each_state_in_words(page: Any, legacy: Legacy, said: dict[str, Any], shown: str) -> None:
    legacy.says(**said)
    assert page() == shown


def test_in_english() -> None:
    with translation.override("en"):
        text = moving.in_words(Move(State.MOVING, 1200, 350))
    # catalogues are compiled when the application is built: only the numbers can be seen here
    assert "1,200" in text


def test_the_server_fails(page: Any, legacy: Legacy) -> None:
    legacy.status = 500
    assert page() == UNKNOWN


def test_nothing_to_move_shows_nothing(page: Any, legacy: Legacy) -> None:
    legacy.status = 404
    assert page() is None


def test_nobody_asks_about_people_without_an_old_address(page: Any, legacy: Legacy) -> None:
    legacy.says(state="done")
    assert page("mblanc") is None
    assert legacy.asked == []


def test_a_site_without_a_legacy_server(directory: AccountDirectory, page: Any) -> None:
    with annuaire_app.public():
        assert page() is None


# The settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mailmove_url": "https://m/etat/"}, "mailmove_token is empty"),
        ({"mailmove_token": TOKEN}, "mailmove_url is empty"),
        ({"mailmove_url": "http://m/etat/", "mailmove_token": TOKEN}, "expected https://HOST"),
        ({"mailmove_url": "https://m/etat", "mailmove_token": TOKEN}, "slash that the login"),
        ({"mailmove_url": "https://m/etat/", "mailmove_token": "a\nb"}, "no header"),
    ],
)
def test_settings_that_are_wrong_are_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AccountConfig(**settings)


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(AccountConfig(mailmove_url="https://m/etat/", mailmove_token=TOKEN))
