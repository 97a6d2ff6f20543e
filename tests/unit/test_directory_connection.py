"""Reconnection, time limits and errors; the real server's part is in tests/integration."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import ldap
import pytest

from ent.directory import (
    AlreadyExists,
    Change,
    Conflict,
    Directory,
    DirectoryMisconfigured,
    DirectorySettings,
    DirectoryUnavailable,
    NotAllowed,
    StaleEntry,
    WriteUncertain,
    connection,
    equals,
    present,
)

BASE = "dc=x"
ENTRY = ("uid=a,dc=x", {"uid": [b"a"]}, [])


def settings(**changes: Any) -> DirectorySettings:
    values: dict[str, Any] = {
        "uri": "ldaps://ldap.invalid",
        "suffix": BASE,
        "bind_dn": "cn=x",
        "password": "secret",
        "fail_fast": 0.2,
    }
    return DirectorySettings(**(values | changes))


class FakeConnection:
    """What ent.directory uses of python-ldap, failing as the test says."""

    def __init__(self, errors: list[type[ldap.LDAPError] | None]) -> None:
        self.errors = errors
        self.closed = False
        self.modified = 0
        self.socket, self.server = socket.socketpair()

    def fileno(self) -> int:
        return self.socket.fileno()

    def search_ext(self, *_: Any, **__: Any) -> int:
        if self.errors and (error := self.errors.pop(0)):
            raise error({"desc": "made by the test"})
        return 1

    def result3(self, *_: Any, **__: Any) -> tuple[int, list[Any], int, list[Any]]:
        return ldap.RES_SEARCH_RESULT, [ENTRY], 1, []

    def modify_ext_s(self, *_: Any, **__: Any) -> None:
        self.modified += 1
        if self.errors and (error := self.errors.pop(0)):
            raise error({"desc": "made by the test"})

    def whoami_s(self) -> str:
        return "dn:cn=x"

    def unbind_ext_s(self) -> None:
        self.closed = True
        self.socket.close()
        self.server.close()


class Server:
    """Makes fake connections; `plan` says what each new one does wrong."""

    def __init__(self) -> None:
        self.plan: list[list[type[ldap.LDAPError] | None] | type[ldap.LDAPError]] = []
        self.made: list[FakeConnection] = []
        self.attempts = 0

    def connect(self, _: DirectorySettings) -> FakeConnection:
        self.attempts += 1
        step = self.plan.pop(0) if self.plan else []
        if isinstance(step, type):
            raise step({"desc": "made by the test"})
        self.made.append(FakeConnection(step))
        return self.made[-1]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    fake = Server()
    monkeypatch.setattr(connection, "_connect", fake.connect)
    return fake


def find(directory: Directory) -> str:
    return directory.search(BASE, present("uid"), ["uid"])[0].dn


def test_a_connection_is_used_again(server: Server) -> None:
    directory = Directory(settings())
    assert [find(directory) for _ in range(3)] == ["uid=a,dc=x"] * 3
    assert server.attempts == 1


def test_a_lost_connection_is_replaced_once(server: Server) -> None:
    server.plan = [[None, ldap.SERVER_DOWN]]
    directory = Directory(settings())
    find(directory)
    assert find(directory) == "uid=a,dc=x"
    assert server.attempts == 2
    assert server.made[0].closed


def test_a_connection_that_the_server_ended_is_not_used_again(server: Server) -> None:
    """Not even a moment later: a change on it would leave everybody in doubt."""
    directory = Directory(settings())
    for ask in (
        lambda: directory.modify("uid=a,dc=x", [Change.replace("sn", "b")]),
        lambda: find(directory),
        lambda: list(directory.paged(BASE, present("uid"), ["uid"])),
    ):
        find(directory)
        ended = server.made[-1]
        changes = ended.modified
        ended.server.close()
        ask()
        assert ended.closed
        assert ended.modified == changes
    assert server.attempts == 4


def test_a_server_that_stays_down_is_reported_after_one_more_try(server: Server) -> None:
    server.plan = [[ldap.SERVER_DOWN], ldap.SERVER_DOWN]
    with pytest.raises(DirectoryUnavailable, match="made by the test"):
        find(Directory(settings()))
    assert server.attempts == 2


class Clock:
    """Time that passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(connection.time, "monotonic", lambda: self.now)


def test_callers_do_not_queue_for_a_server_that_is_silent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)

    def silent(_: DirectorySettings) -> FakeConnection:
        clock.now += 3  # the time limit
        return server.connect(_)

    monkeypatch.setattr(connection, "_connect", silent)
    server.plan = [ldap.SERVER_DOWN]
    directory = Directory(settings())
    for _ in range(20):
        with pytest.raises(DirectoryUnavailable, match="made by the test"):
            find(directory)
    assert server.attempts == 1
    clock.now += 0.25
    assert find(directory) == "uid=a,dc=x"


def test_a_server_that_is_back_is_found_by_the_next_caller(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was refused at once has cost nothing: nobody is told that it failed a moment ago."""
    Clock(monkeypatch)
    server.plan = [ldap.SERVER_DOWN]
    directory = Directory(settings())
    with pytest.raises(DirectoryUnavailable, match="made by the test"):
        find(directory)
    assert server.attempts == 1, "a connection that cannot be made is not a lost one"
    assert find(directory) == "uid=a,dc=x"


def test_a_slow_answer_is_not_asked_for_twice(server: Server) -> None:
    server.plan = [[ldap.TIMEOUT]]
    with pytest.raises(DirectoryUnavailable):
        find(Directory(settings()))
    assert server.attempts == 1
    assert server.made[0].closed


def test_an_old_idle_connection_is_not_trusted(server: Server) -> None:
    directory = Directory(settings(max_idle=0))
    find(directory)
    find(directory)
    assert server.attempts == 2
    assert server.made[0].closed


@pytest.mark.parametrize("error", [ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT])
def test_a_refusal_is_told_apart_and_keeps_the_connection(
    server: Server, error: type[ldap.LDAPError]
) -> None:
    server.plan = [[error]]
    directory = Directory(settings())
    with pytest.raises(DirectoryMisconfigured):
        find(directory)
    find(directory)
    assert server.attempts == 1


def test_threads_share_a_bounded_number_of_connections(server: Server) -> None:
    directory = Directory(settings(pool_size=3))
    errors: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(50):
                find(directory)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert server.attempts <= 3


def test_a_full_pool_gives_up_in_time(server: Server) -> None:
    directory = Directory(settings(pool_size=1, timeout=0.1))
    pages = directory.paged(BASE, present("uid"), [])
    next(pages)
    with pytest.raises(DirectoryUnavailable, match="in use"):
        find(directory)
    assert list(pages) == []
    find(directory)


def test_two_entries_where_one_is_expected_is_a_fault(server: Server) -> None:
    class Two(FakeConnection):
        def result3(self, *_: Any, **__: Any) -> tuple[int, list[Any], int, list[Any]]:
            return ldap.RES_SEARCH_RESULT, [ENTRY, ENTRY], 1, []

    directory = Directory(settings())
    find(directory)
    server.made[0].__class__ = Two
    with pytest.raises(DirectoryMisconfigured, match="several"):
        directory.one(BASE, equals("uid", "a"), [])


def test_the_password_is_not_in_messages() -> None:
    assert "secret" not in repr(settings())


@pytest.mark.parametrize(
    "changes",
    [{"uri": "ldap.example"}, {"uri": ""}, {"uri": "ldap://a ldaps://b"}, {"password": ""}],
)
def test_settings_that_cannot_work(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"not LDAP URIs|no password"):
        settings(**changes)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_says_nothing_costs_the_time_limit(silent_port: int) -> None:
    # with StartTLS here; ldaps:// in tests/integration on the host itself, because
    # Debian 12's libldap, which may run this test, waits for a handshake for ever
    directory = Directory(
        settings(uri=f"ldap://127.0.0.1:{silent_port}", connect_timeout=1, timeout=1)
    )
    begin = time.monotonic()
    with pytest.raises(DirectoryUnavailable):
        directory.ping()
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (ldap.SERVER_DOWN, WriteUncertain),
        (ldap.TIMEOUT, WriteUncertain),
        (ldap.ALREADY_EXISTS, AlreadyExists),
        (ldap.INSUFFICIENT_ACCESS, NotAllowed),
        (ldap.CONSTRAINT_VIOLATION, Conflict),
        (ldap.NO_SUCH_ATTRIBUTE, StaleEntry),
        (ldap.BUSY, DirectoryUnavailable),
    ],
)
def test_a_change_is_asked_for_once_and_its_answer_named(
    server: Server, answer: type[ldap.LDAPError], meaning: type[Exception]
) -> None:
    server.plan = [[answer]]
    with pytest.raises(meaning) as raised:
        Directory(settings()).modify("uid=a,dc=x", [Change.replace("sn", "A")])
    assert raised.type is meaning
    assert [one.modified for one in server.made] == [1]


def test_a_refused_change_costs_no_connection(server: Server) -> None:
    server.plan = [[ldap.INSUFFICIENT_ACCESS]]
    directory = Directory(settings())
    with pytest.raises(NotAllowed):
        directory.modify("uid=a,dc=x", [Change.replace("sn", "A")])
    find(directory)
    assert server.attempts == 1


def test_a_change_does_not_show_its_values() -> None:
    assert "secret1" not in repr(Change.replace("userPassword", "secret1"))
