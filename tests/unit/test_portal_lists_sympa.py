"""What the portal asks of Sympa and understands of its answers: true ones, faults, hostile ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import local_tls
import sympa_double
from ent.portal.lists import envelope, sympa
from ent.portal.lists.config import ListsConfig
from ent.portal.lists.sympa import MailingList, NoSuchList, Refused, Sympa, SympaUnavailable
from sympa_double import DONE, PASSWORD, Kept, SympaDouble, array, fault

ME = "jeanne.martin@univ-provence.fr"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return local_tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path) -> Iterator[SympaDouble]:
    made = SympaDouble(certificate)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.held.set()
    made.ended.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def lists(server: SympaDouble, certificate: Path) -> Sympa:
    config = ListsConfig(url=server.url, password=PASSWORD, places=2)
    return Sympa(config, str(certificate), quiet=0)


def test_lists_with_their_roles(server: SympaDouble, lists: Sympa) -> None:
    server.lists = {
        "petits-dejeuners": Kept("Été & <fêtes>, café", members={ME}),
        "Conseil": Kept("", owners={ME}, editors={ME}),
        "autre": Kept("Une autre"),
    }
    home = f"https://localhost:{server.server_port}/sympa"
    assert lists.of(ME) == [
        MailingList(
            name="petits-dejeuners",
            address="petits-dejeuners@listes.univ-provence.fr",
            subject="Été & <fêtes>, café",
            page=f"{home}/info/petits-dejeuners",
            archive=f"{home}/arc/petits-dejeuners",
            subscriber=True,
            owner=False,
            editor=False,
        ),
        MailingList(
            name="conseil",
            address="conseil@listes.univ-provence.fr",
            subject="",
            page="",
            archive="",
            subscriber=False,
            owner=True,
            editor=True,
        ),
    ]
    assert [one.name for one in lists.visible(ME)] == ["petits-dejeuners", "conseil", "autre"]


def test_no_lists(server: SympaDouble, lists: Sympa) -> None:
    assert lists.of(ME) == lists.visible(ME) == []


def test_it_asks_as_the_application_for_the_person(server: SympaDouble, lists: Sympa) -> None:
    server.lists = {"a": Kept()}
    lists.subscribe(ME, "a", 'Jeanne "J" <Märtin> & C°\r\nx\x00')
    lists.sign_off("alain@univ-provence.fr", "a")
    first, second = server.asked
    assert (first.application, first.password) == ("portal", PASSWORD)
    assert first.action == '"urn:sympasoap#authenticateRemoteAppAndRun"'
    assert (first.person, first.call) == (ME, "subscribe")
    assert first.values == ("a", 'Jeanne "J" <Märtin> & C° x')
    assert (second.person, second.call) == ("alain@univ-provence.fr", "signoff")
    assert second.values == ("a",)


def test_no_session_of_one_request_reaches_another(server: SympaDouble, lists: Sympa) -> None:
    for person in (ME, "alain@univ-provence.fr", ME):
        lists.of(person)
    assert [one.cookie for one in server.asked] == ["", "", ""]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        f"{ME},USER_EMAIL=autre@univ-provence.fr",
        "a=b@univ-provence.fr",
        "a b@univ-provence.fr",
        "a@univ-provence.fr\n",
        "a@b@univ-provence.fr",
        "a\x00@univ-provence.fr",
    ],
)
def test_addresses_that_would_say_something_else(
    server: SympaDouble, lists: Sympa, address: str
) -> None:
    assert not sympa.usable(address)
    with pytest.raises(SympaUnavailable):
        lists.of(address)
    with pytest.raises(SympaUnavailable):
        lists.subscribe(address, "a", "")
    assert server.asked == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a/b", "a b", "a@b", "x" * 51, "é", "a\n"])
def test_names_that_no_list_has(name: str) -> None:
    assert not sympa.is_name(name)


@pytest.mark.parametrize("name", ["a", "petits-dejeuners", "a.b_c+d", "2026"])
def test_names_that_a_list_can_have(name: str) -> None:
    assert sympa.is_name(name)


@pytest.mark.parametrize("call", ["subscribe", "signoff"])
@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ("Not allowed.", Refused),
        ("Undef", Refused),
        ("Unknown list", NoSuchList),
        ("Unknown list.", NoSuchList),
        ("Internal error", SympaUnavailable),
        ("Authentication failed", SympaUnavailable),
        ("", SympaUnavailable),
    ],
)
def test_faults_of_an_action(
    server: SympaDouble, lists: Sympa, call: str, said: str, raised: type[Exception]
) -> None:
    server.says[call] = (500, fault(said))
    with pytest.raises(raised):
        lists.subscribe(ME, "a", "J") if call == "subscribe" else lists.sign_off(ME, "a")


def test_a_wrong_password_is_said_in_the_log(
    server: SympaDouble, certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Sympa(ListsConfig(url=server.url, password="wrong-secret"), str(certificate))
    for _ in range(2):
        with caplog.at_level(logging.INFO), pytest.raises(SympaUnavailable, match="Authent"):
            wrong.of(ME)
    assert "Authentication failed" in caplog.text
    assert "wrong-secret" not in caplog.text
    assert "wrong-secret" not in repr(wrong._config)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
HOSTILE = {
    "nothing": b"",
    "not XML": b"<html><body>Bad Gateway",
    "a page": b"<html><body>It works</body></html>",
    "another envelope": DONE.replace(b"soap/envelope", b"soap/other"),
    "no body": b'<E xmlns="http://schemas.xmlsoap.org/soap/envelope/"/>',
    "an empty body": DONE[: DONE.index(b"<authenticate")] + b"</soap:Body></soap:Envelope>",
    "another function": DONE.replace(b"RunResponse", b"WalkResponse"),
    "no result": sympa_double.answer(""),
    "a result that is no array": DONE,
    "cut off": array({"listAddress": "a@b"})[:-30],
    "entities": f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l8;</l>'.encode(),
    "an outside entity": b'<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>',
    "an entity in the answer": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY f "x">]>'
    + array({"listAddress": "a@b"}).partition(b"?>")[2],
    "a document type in UTF-16": '<!DOCTYPE l SYSTEM "http://x/"><l/>'.encode("utf-16"),
    "very deep": b"<a>" * 100_000,
    "an unknown encoding": b'<?xml version="1.0" encoding="latin-x"?><a/>',
    "not the encoding it says": b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_answers_that_are_none(server: SympaDouble, lists: Sympa, kind: str) -> None:
    server.says["complexWhich"] = (200, HOSTILE[kind])
    with pytest.raises(SympaUnavailable):
        lists.of(ME)


def test_fields_in_a_namespace_and_in_none() -> None:
    told = {"listAddress": "a@l.fr", "subject": "S"}
    text = array(told)
    assert envelope.items(envelope.result(text)) == [told]
    plain = text.replace(b"<authenticate", b"<s:authenticate").replace(
        b"</authenticate", b"</s:authenticate"
    )
    plain = plain.replace(b"xmlns=", b"xmlns:s=")
    assert envelope.items(envelope.result(plain)) == [told]


@pytest.mark.parametrize("text", [b"", *HOSTILE.values()])
def test_no_answer_breaks_the_reader(text: bytes) -> None:
    with pytest.raises((envelope.NotAnAnswer, envelope.Fault)):
        envelope.items(envelope.result(text))


def test_depth_has_a_bound() -> None:
    deep = sympa_double.answer(f"<return>{'<a>' * 5000}{'</a>' * 5000}</return>")
    with pytest.raises(envelope.NotAnAnswer, match="depth"):
        envelope.result(deep)


def test_an_answer_to_an_action_that_is_no_yes(server: SympaDouble, lists: Sympa) -> None:
    server.says["subscribe"] = (200, DONE.replace(b"true", b"false"))
    with pytest.raises(SympaUnavailable):
        lists.subscribe(ME, "a", "")


@pytest.mark.parametrize(
    ("told", "page", "archive"),
    [
        ({"homepage": "https://{host}/sympa/info/a"}, "/sympa/info/a", "/sympa/arc/a"),
        ({"homepage": "https://evil.example/sympa/info/a"}, "", ""),
        ({"homepage": "http://{host}/sympa/info/a"}, "", ""),
        ({"homepage": "javascript:alert(1)//{host}/info/a"}, "", ""),
        ({"homepage": "https://{host}@evil.example/info/a"}, "", ""),
        ({"homepage": "https://{host}/sympa/info/a?x=<y>"}, "", ""),
        ({"homepage": "https://[/info/a"}, "", ""),
        ({}, "", ""),
    ],
)
def test_links_lead_to_the_list_server(
    server: SympaDouble, lists: Sympa, told: dict[str, str], page: str, archive: str
) -> None:
    host = f"localhost:{server.server_port}"
    item = {"listAddress": "a@l.fr"} | {k: v.format(host=host) for k, v in told.items()}
    server.says["complexWhich"] = (200, array(item))
    [found] = lists.of(ME)
    assert found.page == (f"https://{host}{page}" if page else "")
    assert found.archive == (f"https://{host}{archive}" if archive else "")


def test_what_is_not_a_list_is_left_out(server: SympaDouble, lists: Sympa) -> None:
    items: list[dict[str, Any]] = [
        {"listAddress": "<script>@x"},
        {"listAddress": "a" * 60 + "@l.fr"},
        {"subject": "no address"},
        {"listAddress": "bonne@l.fr", "subject": "ligne\n\tsuivante\x85"},
    ]
    server.says["complexWhich"] = (200, array(*items))
    [found] = lists.of(ME)
    assert (found.name, found.subject) == ("bonne", "ligne suivante")


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 502, 503, 504])
def test_other_statuses(server: SympaDouble, lists: Sympa, status: int) -> None:
    server.says["complexWhich"] = (status, array())
    server.location = server.url
    with pytest.raises(SympaUnavailable, match=str(status)):
        lists.of(ME)
    assert len(server.asked) == 1


def test_an_answer_that_is_too_long(
    server: SympaDouble, lists: Sympa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sympa, "_LONGEST", 1000)
    server.says["complexWhich"] = (200, array(*[{"listAddress": "a@b"}] * 100))
    with pytest.raises(SympaUnavailable, match="more than 1000 bytes"):
        lists.of(ME)


def test_a_certificate_that_nobody_vouches_for(server: SympaDouble) -> None:
    strict = Sympa(
        ListsConfig(url=server.url, password=PASSWORD), "/etc/ssl/certs/ca-certificates.crt"
    )
    with pytest.raises(SympaUnavailable, match="certificate"):
        strict.of(ME)
    assert server.asked == []


def test_a_server_that_does_not_answer_is_left(
    server: SympaDouble, lists: Sympa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sympa, "_TO_READ", 0.3)
    server.held.clear()
    with pytest.raises(SympaUnavailable, match="timed out"):
        lists.of(ME)
    assert not server.held.is_set()


def test_a_server_that_answers_drop_by_drop_is_left(
    server: SympaDouble, lists: Sympa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sympa, "_TO_READ", 1.5)
    server.drip = 0.05  # each byte within the limit, 30 seconds for all
    with pytest.raises(SympaUnavailable, match="takes more than"):
        lists.of(ME)


def test_a_server_that_is_away(server: SympaDouble, lists: Sympa) -> None:
    server.server_close()
    with pytest.raises(SympaUnavailable):
        lists.of(ME)


def test_after_a_failure_nobody_waits(
    server: SympaDouble, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(sympa.time, "monotonic", lambda: clock[0])
    lists = Sympa(ListsConfig(url=server.url, password=PASSWORD), str(certificate), quiet=8)
    server.says["complexWhich"] = (502, b"")
    with pytest.raises(SympaUnavailable, match="502"):
        lists.of(ME)
    clock[0] += 7.9
    with pytest.raises(SympaUnavailable, match="a moment ago"):
        lists.subscribe(ME, "a", "")
    server.says.clear()
    clock[0] += 0.2
    assert lists.of(ME) == []
    assert server.calls() == ["complexWhich", "complexWhich"]


def test_a_refusal_keeps_nobody_waiting(server: SympaDouble, certificate: Path) -> None:
    server.lists = {"a": Kept(subscribe="closed")}
    lists = Sympa(ListsConfig(url=server.url, password=PASSWORD), str(certificate))
    with pytest.raises(Refused):
        lists.subscribe(ME, "a", "")
    assert lists.of(ME) == []


def test_only_some_threads_wait(server: SympaDouble, lists: Sympa) -> None:
    server.held.clear()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(lists.of, ME) for _ in range(2)]
        for _ in waiting:
            assert server.arrived.acquire(timeout=10)
        with pytest.raises(SympaUnavailable, match="2 requests are waiting"):
            lists.of(ME)
        server.held.set()
        assert [one.result() for one in waiting] == [[], []]
    assert lists.of(ME) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "https://l/sympasoap"}, "password is empty"),
        ({"password": "p"}, "url is empty"),
        ({"url": "http://l/sympasoap", "password": "p"}, "expected https://HOST/sympasoap"),
        ({"url": "https:///sympasoap", "password": "p"}, "expected https://HOST/sympasoap"),
        ({"application": ""}, "application is empty"),
        ({"places": 0}, "places is 0"),
    ],
)
def test_settings_that_are_wrong_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ListsConfig(**given)
