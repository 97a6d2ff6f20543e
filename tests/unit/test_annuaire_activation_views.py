"""The pages of the activation, on a directory in memory and a database of this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import annuaire_app
from annuaire_activation import DOMAIN, LEGACY, Down, MemoryDirectory

annuaire_app.start()

from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import OperationalError  # noqa: E402
from django.test import Client  # noqa: E402

from ent.annuaire.activation import service, views  # noqa: E402
from ent.annuaire.activation.charter import Charter  # noqa: E402
from ent.annuaire.activation.flow import Activation  # noqa: E402
from ent.annuaire.limits import locks  # noqa: E402
from ent.annuaire.limits.models import Count  # noqa: E402
from ent.annuaire.limits.rules import NETWORK  # noqa: E402
from ent.annuaire.references import reference_of  # noqa: E402
from ent.directory import AccountState, WriteUncertain  # noqa: E402

PASSWORD = "depart-2026"
RIGHT = {
    "code": "4711",
    "birth_date": "03/02/1975",
    "password": PASSWORD,
    "confirmation": PASSWORD,
}
WRONG = RIGHT | {"code": "4712"}


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with annuaire_app.public():
        yield
    Count.objects.all().delete()
    Session.objects.all().delete()
    cache.clear()


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> MemoryDirectory:
    made = MemoryDirectory()
    made.make("aoui", "Ann", "Oui")
    steps = Activation(made, DOMAIN, LEGACY, patience=0.3)
    for module in (service, views):
        monkeypatch.setattr(module, "activation", lambda: steps)
    return made


def new_client(**headers: str) -> Client:
    return Client(
        enforce_csrf_checks=True,
        raise_request_exception=False,
        headers=annuaire_app.HEADERS | headers,
    )


@pytest.fixture
def client(directory: MemoryDirectory) -> Client:
    return new_client()


def path(uid: str = "aoui", name: str = "") -> str:
    return f"/activer/{reference_of(uid)}{'/' + name if name else ''}"


def text(response: Any) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def heading(response: Any) -> str:
    found = re.search(r"<h1>(.*?)</h1>", response.content.decode(), re.S)
    assert found, response.content.decode()
    return found[1]


def post(client: Client, where: str, **form: str) -> Any:
    if "__Host-annuaire-csrf" not in client.cookies:
        client.get(where)
    token = client.cookies["__Host-annuaire-csrf"].value
    return client.post(where, {"csrfmiddlewaretoken": token, **form})


def accept(client: Client, uid: str = "aoui", **changes: str) -> Any:
    version = re.search(r'name="version" value="([^"]+)"', client.get(path(uid)).content.decode())
    assert version
    return post(client, path(uid), **({"version": version[1], "accept": "on"} | changes))


def validate(client: Client, uid: str = "aoui", form: dict[str, str] = RIGHT, **more: str) -> Any:
    return post(client, path(uid, "informations"), **(form | more))


def state(directory: MemoryDirectory, uid: str = "aoui") -> AccountState | None:
    return AccountState.of(tuple(directory.people[uid]["supannRessourceEtat"]))


# The way through


def test_the_whole_way(client: Client, directory: MemoryDirectory) -> None:
    page = client.get(path())
    assert page.status_code == 200
    assert "Ann Oui" in text(page)
    assert "Charte d’usage des ressources informatiques" in text(page)
    response = accept(client)
    assert (response.status_code, response["Location"]) == (302, path(name="informations"))
    page = client.get(response["Location"])
    assert heading(page) == "Renseignez les informations demandées"
    response = validate(client)
    assert (response.status_code, response["Location"]) == (302, path(name="termine"))
    page = client.get(response["Location"])
    assert heading(page) == "Votre compte est activé."
    for said in ("aoui", "ann.oui@univ-provence.fr", "Aller à l’ENT"):
        assert said in text(page)
    assert 'href="https://ent.univ-provence.fr/"' in page.content.decode()
    assert "Vos anciennes adresses" not in text(page)
    assert directory.people["aoui"]["userPassword"] == [PASSWORD]
    assert re.fullmatch(
        r"\{CHARTE\}2026-1:\d{14}Z", directory.people["aoui"]["supannConsentement"][0]
    )


def test_old_addresses_are_told_what_becomes_of_them(
    client: Client, directory: MemoryDirectory
) -> None:
    directory.people["aoui"]["supannAutreMail"] = ["ann.oui@up.univ-aix.fr"]
    assert "up.univ-aix.fr" not in text(client.get(path()))  # nothing before the proofs
    accept(client)
    assert "up.univ-aix.fr" not in text(client.get(path(name="informations")))
    validate(client)
    said = text(client.get(path(name="termine")))
    assert "Votre ancienne adresse" in said
    assert "ann.oui@up.univ-aix.fr" in said
    assert "renvoyés automatiquement à ann.oui@univ-provence.fr" in said
    assert "Vos abonnements aux listes de diffusion" in said
    assert "propriétaire" in said


def test_nothing_is_said_of_lists_where_nothing_moves_them(
    client: Client, directory: MemoryDirectory
) -> None:
    directory.people["aoui"]["supannAutreMail"] = ["ann.oui@up.univ-aix.fr"]
    accept(client)
    with annuaire_app.public(activation=annuaire_app.ACTIVATION | {"lists_url": ""}):
        validate(client)
        said = text(client.get(path(name="termine")))
    assert "ann.oui@up.univ-aix.fr" in said
    assert "diffusion" not in said


@pytest.mark.parametrize("written", ["4711", " 47 11 ", "４７１１", "47\u00a011"])
def test_a_code_as_it_is_printed(client: Client, directory: MemoryDirectory, written: str) -> None:
    accept(client)
    assert validate(client, code=written).status_code == 302


def test_the_charter_by_itself(client: Client) -> None:
    page = client.get("/activer/charte")
    assert page.status_code == 200
    assert heading(page) == "Charte d’usage des ressources informatiques"
    assert "Version 2026-1" in text(page)


def test_texts_of_the_site_in_english(client: Client) -> None:
    """Those of the pages are in the catalogue, compiled when the application is built."""
    accept(client)
    assert "Adressez-vous à la division du personnel." in text(
        client.get(path(name="informations"))
    )
    client.cookies["__Host-annuaire-langue"] = "en"
    assert "Ask personnel." in text(client.get(path(name="informations")))


# The charter


def test_without_acceptance_nothing_happens(client: Client, directory: MemoryDirectory) -> None:
    page = post(client, path(), version="2026-1")
    assert page.status_code == 200
    assert "acceptez la charte en cochant la case" in text(page)
    page = client.get(path(name="informations"))
    assert heading(page) == "Reprenez au début"
    assert heading(validate(client)) == "Reprenez au début"
    assert directory.writes == 0
    assert directory.compared == []


def test_the_charter_changes_while_it_is_read(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = accept(client, version="2025-9")
    assert page.status_code == 200
    assert "Le texte de la charte a changé" in text(page)
    assert 'name="version" value="2026-1"' in page.content.decode()
    assert "checked" not in page.content.decode()
    # and between acceptance and « Valider »
    assert accept(client).status_code == 302
    monkeypatch.setattr(views, "charter", lambda: Charter("2027-1", "Charte", "<p>Neuve</p>"))
    assert heading(validate(client)) == "Reprenez au début"
    assert directory.writes == 0


# Offered or not


@pytest.mark.parametrize("other", [one for one in AccountState if one.may_sign_in])
def test_an_activated_account(
    client: Client, directory: MemoryDirectory, other: AccountState
) -> None:
    directory.people["aoui"]["supannRessourceEtat"] = [other.value]
    for name in ("", "informations", "termine"):
        page = client.get(path(name=name))
        assert (page.status_code, heading(page)) == (409, "Ce compte est déjà activé")
        assert 'href="/assistance/"' in page.content.decode()
    assert heading(validate(client)) == "Ce compte est déjà activé"
    assert directory.compared == []


@pytest.mark.parametrize(
    "other", [AccountState.SUSPENDED, AccountState.DEPARTED, AccountState.EXPIRED]
)
def test_a_closed_account(client: Client, directory: MemoryDirectory, other: AccountState) -> None:
    accept(client)
    directory.people["aoui"]["supannRessourceEtat"] = [other.value]
    for page in (client.get(path()), client.get(path(name="informations")), validate(client)):
        assert (page.status_code, heading(page)) == (409, "Ce compte ne peut pas être activé")
        assert "04 65 71 00 30" in text(page)  # the personnel division
        assert other.name.lower() not in text(page).lower()
    assert directory.writes == 0


def test_an_account_in_no_known_state(client: Client, directory: MemoryDirectory) -> None:
    directory.people["aoui"]["supannRessourceEtat"] = ["{COMPTE}Z:Nouveau"]
    assert heading(client.get(path())) == "Ce compte ne peut pas être activé"


@pytest.mark.parametrize("reference", ["x", "aoui", "%00", "*", "a" * 5000, "é", "..%2f"])
def test_addresses_that_lead_to_nobody(client: Client, reference: str) -> None:
    for name in ("", "/informations", "/termine"):
        page = client.get(f"/activer/{reference}{name}")
        assert page.status_code == 404, page.content
    page = client.get(path("nobody"))
    assert (page.status_code, heading(page)) == (404, "Personne introuvable")


# Proofs and limits


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "4712"},
        {"birth_date": "02/03/1975"},
        {"code": "4712", "birth_date": "02/03/1975"},
        {"code": "*"},
        {"code": "4711)(uid=*"},
        {"code": "\u202e1174"},
        {"code": "🙂"},
    ],
)
def test_one_message_for_every_wrong_proof(
    client: Client, directory: MemoryDirectory, changes: dict[str, str]
) -> None:
    accept(client)
    page = validate(client, **changes)
    assert page.status_code == 200
    assert "ne correspondent pas, ensemble, à cette personne" in text(page)
    assert [name for name, _ in directory.compared] == ["supannEmpId", "supannOIDCDateDeNaissance"]
    assert directory.writes == 0
    assert Count.objects.get(subject="aoui").failures == 1


def test_somebody_without_a_code_gets_the_same_message(
    client: Client, directory: MemoryDirectory
) -> None:
    accept(client)
    with_code = text(validate(client, code="4712"))
    directory.people["aoui"]["supannEmpId"] = []
    assert text(validate(client, code="4712")) == with_code


def test_delays_then_a_lock_that_the_help_desk_lifts(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(client)
    for _ in range(3):
        assert "Vous pourrez réessayer" not in text(validate(client, form=WRONG))
    assert "Vous pourrez réessayer dans 30 secondes." in text(validate(client, form=WRONG))
    # the right proofs are not heard during a delay, and every step says so
    for page in (validate(client), client.get(path()), client.get(path(name="informations"))):
        assert (page.status_code, heading(page)) == (429, "Patientez avant de réessayer")
        assert 0 < int(page["Retry-After"]) <= 30
    assert directory.writes == 0
    for _ in range(6):
        Count.objects.filter(subject="aoui").update(free_at=None)
        last = validate(client, form=WRONG)
    assert (last.status_code, heading(last)) == (429, "Activation bloquée")
    assert "04 65 71 00 10" in text(last)
    assert heading(new_client().get(path())) == "Activation bloquée"
    assert [one.until for one in locks.lift("aoui")] == [None]
    assert validate(client).status_code == 302


def test_the_network_is_counted_over_people(client: Client, directory: MemoryDirectory) -> None:
    for number in range(NETWORK.free + 5):
        uid = directory.make(f"aoui{number}")
        other = new_client(**{"x-forwarded-for": f"2001:db8::{number}"})
        page = other.get(path(uid))
        if page.status_code == 429:
            break
        accept(other, uid)
        validate(other, uid, WRONG)
    assert number == NETWORK.free + 1
    assert client.get(path()).status_code == 200  # another network


def test_success_clears_the_account(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    validate(client, form=WRONG)
    validate(client)
    assert not Count.objects.filter(subject="aoui").exists()


def test_a_failure_is_recorded_before_the_answer(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process is killed while the directory compares."""
    accept(client)

    def killed(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(directory, "compare", killed)
    with pytest.raises(SystemExit):
        validate(client)
    assert Count.objects.get(subject="aoui").failures == 1


# The form


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": ""}, "Indiquez votre code Harpège."),
        ({"code": "   "}, "Indiquez votre code Harpège."),
        ({"code": "1" * 65}, "trop long pour un code"),
        ({"birth_date": ""}, "Indiquez votre date de naissance."),
        ({"birth_date": "31/02/1975"}, "Cette date de naissance n’existe pas."),
        ({"birth_date": "03/02/75"}, "quatre chiffres"),
        ({"birth_date": "1" * 50000}, "Cette date de naissance n’existe pas."),
        ({"password": "", "confirmation": ""}, "Choisissez un mot de passe."),
        ({"password": "éé1a", "confirmation": "éé1a"}, "au moins 6 caractères"),
        ({"password": "éàùç12", "confirmation": "éàùç12"}, "au moins une lettre"),
        ({"password": "abcdef", "confirmation": "abcdef"}, "au moins un chiffre"),
        ({"password": "a1\0\0\0\0", "confirmation": "a1\0\0\0\0"}, "taper au clavier"),
        ({"password": "a1" * 100, "confirmation": "a1" * 100}, "pas plus de 128 caractères"),
        ({"confirmation": "depart-2027"}, "Les deux mots de passe sont différents."),
        ({"confirmation": ""}, "Tapez le mot de passe une seconde fois."),
    ],
)
def test_what_the_form_refuses(
    client: Client, directory: MemoryDirectory, changes: dict[str, str], said: str
) -> None:
    """A form with a mistake tries no proof, and counts for nothing."""
    accept(client)
    page = validate(client, **changes)
    content = page.content.decode()
    assert page.status_code == 200
    assert text(page).count(said) >= 2  # in the summary, and beside the field
    assert 'aria-invalid="true"' in content
    assert directory.compared == []
    assert directory.writes == 0
    assert not Count.objects.exists()
    assert PASSWORD not in content  # passwords are not sent back


def test_the_directory_has_the_last_word_on_passwords(
    client: Client, directory: MemoryDirectory
) -> None:
    accept(client)
    page = validate(client, password="refused-1", confirmation="refused-1")
    assert "L’annuaire refuse ce mot de passe." in text(page)
    assert "refused-1" not in page.content.decode()
    assert state(directory) is AccountState.PRE_CREATED
    assert validate(client).status_code == 302


def test_the_login_is_no_password(client: Client, directory: MemoryDirectory) -> None:
    directory.make("pdupont2")
    accept(client, "pdupont2")
    typed = {"password": "pdupont2", "confirmation": "pdupont2"}
    # whoever has not proved who they are does not learn the login so
    assert "identifiant :" not in text(validate(client, "pdupont2", WRONG, **typed))
    assert "ne doit pas être votre identifiant" in text(validate(client, "pdupont2", **typed))
    assert state(directory, "pdupont2") is AccountState.PRE_CREATED


def test_who_is_refused_learns_what_to_do(client: Client, directory: MemoryDirectory) -> None:
    """A namesake's page, or a wrong date in the record: neither is mended by trying again."""
    accept(client)
    assert "personne de l’université porte" not in text(validate(client, code=""))
    page = validate(client, form=WRONG)
    assert "Une autre personne de l’université porte peut-être votre nom." in text(page)
    assert "/recherche?profil=tous&amp;nom=Ann%20Oui" in page.content.decode()
    assert "la division du personnel la corrige" in text(page)


def test_spaces_and_signs_belong_to_a_password(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    odd = "  é<&>\"'%s{}1a🙂\u200f "
    assert validate(client, password=odd, confirmation=odd).status_code == 302
    assert directory.people["aoui"]["userPassword"] == [odd]


def test_bytes_that_are_no_text(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    token = client.cookies["__Host-annuaire-csrf"].value
    body = (
        f"csrfmiddlewaretoken={token}&code=4711&birth_date=03/02/1975".encode()
        + b"&password=abc123%ff&confirmation=abc123%ff"
    )
    page = client.post(
        path(name="informations"), body, content_type="application/x-www-form-urlencoded"
    )
    assert "taper au clavier" in text(page)


@pytest.mark.parametrize("size", [70 * 1024, 1024 * 1024])
def test_fields_of_a_megabyte(client: Client, directory: MemoryDirectory, size: int) -> None:
    accept(client)
    for name in RIGHT:
        page = validate(client, **{name: "a" * size})
        assert page.status_code == 400
        assert heading(page) == "Demande incomprise"
    assert directory.compared == []


# Back, reload, two tabs, double click, time


def test_back_and_reload_after_activation(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    validate(client)
    for name in ("", "informations"):
        response = client.get(path(name=name))
        assert (response.status_code, response["Location"]) == (302, path(name="termine"))
    for response in (validate(client), accept_again(client)):
        assert (response.status_code, response["Location"]) == (302, path(name="termine"))
    for _ in range(2):
        assert heading(client.get(path(name="termine"))) == "Votre compte est activé."
    assert directory.writes == 1


def accept_again(client: Client) -> Any:
    return post(client, path(), version="2026-1", accept="on")


def test_a_second_click_before_the_first_has_answered(
    client: Client, directory: MemoryDirectory
) -> None:
    """The account is active, and this browser's session does not know yet."""
    accept(client)
    before = dict(SessionStore(client.cookies["__Host-annuaire-session"].value).load())
    validate(client)
    session = SessionStore(client.cookies["__Host-annuaire-session"].value)
    session.update(before)
    session["activation"] = before["activation"]
    session.save()
    response = validate(client)
    assert (response.status_code, response["Location"]) == (302, path(name="termine"))
    assert "ann.oui@univ-provence.fr" in text(client.get(path(name="termine")))
    assert directory.writes == 1


def test_two_tabs_one_of_which_has_finished(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    client.get(path(name="informations"))
    other = new_client()  # another browser
    accept(other)
    validate(other, password="another-1", confirmation="another-1")
    page = validate(client)
    assert (page.status_code, heading(page)) == (409, "Ce compte est déjà activé")
    assert directory.people["aoui"]["userPassword"] == ["another-1"]


def test_two_people_in_two_tabs(client: Client, directory: MemoryDirectory) -> None:
    directory.make("bnon", "Bob", "Non", supannEmpId="4712")
    accept(client)
    accept(client, "bnon")
    assert validate(client, "bnon", WRONG).status_code == 302
    assert validate(client).status_code == 302
    assert "bob.non@" in text(client.get(path("bnon", "termine")))
    assert "ann.oui@" in text(client.get(path("aoui", "termine")))


def test_an_acceptance_is_for_one_person(client: Client, directory: MemoryDirectory) -> None:
    directory.make("bnon", "Bob", "Non")
    accept(client)
    assert heading(validate(client, "bnon")) == "Reprenez au début"


def test_a_form_that_stayed_open(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(client)
    later = views.timezone.now() + views.timezone.timedelta(minutes=31)
    monkeypatch.setattr(views.timezone, "now", lambda: later)
    page = validate(client)
    assert (page.status_code, heading(page)) == (403, "Reprenez au début")
    assert "plus de 30 minutes" in text(page)
    assert directory.compared == []


def test_without_cookies(client: Client, directory: MemoryDirectory) -> None:
    token = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(path()).content.decode()
    )
    assert token
    form = {"csrfmiddlewaretoken": token[1], "version": "2026-1", "accept": "on"}
    page = new_client().post(path(), form)
    assert page.status_code == 403
    assert "refuse les cookies" in text(page)


# Something is down


def test_the_directory_is_down(client: Client, directory: MemoryDirectory) -> None:
    directory.before_read = Down()
    page = client.get(path())
    assert (page.status_code, heading(page)) == (503, "Activation momentanément impossible")
    directory.before_read = lambda: None
    accept(client)
    # between the look and the proofs
    calls: list[int] = []

    def second() -> None:
        calls.append(1)
        if len(calls) == 2:
            Down()()

    directory.before_read = second
    page = validate(client)
    assert page.status_code == 503
    assert "cet essai n’est pas compté" in text(page)
    assert Count.objects.get(subject="aoui").failures == 0
    # between the proofs and the change
    directory.before_read = lambda: None
    directory.before_write = Down()
    page = validate(client)
    assert page.status_code == 503
    assert "Rien n’a été activé" in text(page)
    assert state(directory) is AccountState.PRE_CREATED
    directory.before_write = lambda _: None
    assert validate(client).status_code == 302


def test_the_answer_of_the_directory_is_lost_for_long(
    client: Client, directory: MemoryDirectory
) -> None:
    accept(client)

    def lose(_: int) -> None:
        directory.before_read = Down()
        raise WriteUncertain("connection lost")

    directory.after_write = lose
    page = validate(client)
    assert (page.status_code, heading(page)) == (503, "Votre compte est peut-être activé")
    assert f'href="{path()}"' in page.content.decode()
    directory.before_read = lambda: None
    # « Vérifier », and a reload of « Valider »
    assert heading(client.get(path())) == "Ce compte est déjà activé"
    assert validate(client)["Location"] == path(name="termine")
    assert "ann.oui@univ-provence.fr" in text(client.get(path(name="termine")))


def test_the_database_is_down(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(client)

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(Count.objects, "bulk_create", down)
    page = validate(client)
    assert (page.status_code, heading(page)) == (503, "Service momentanément indisponible")
    assert directory.compared == []
    assert directory.writes == 0


def test_the_database_is_lost_after_the_change(
    client: Client, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is activated: the last page is shown, kept or not."""
    accept(client)
    save = SessionStore.save

    def down(self: SessionStore, must_create: bool = False) -> None:
        raise OperationalError("down")

    directory.after_write = lambda _: monkeypatch.setattr(SessionStore, "save", down)
    page = validate(client)
    assert (page.status_code, heading(page)) == (200, "Votre compte est activé.")
    assert "ann.oui@univ-provence.fr" in text(page)
    monkeypatch.setattr(SessionStore, "save", save)
    assert validate(client)["Location"] == path(name="termine")


# What is said to others


def test_nothing_secret_is_kept_or_logged(
    client: Client, directory: MemoryDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    accept(client)
    validate(client, code="8888", birth_date="29/02/1980")
    validate(client)
    kept = "".join(
        str(one.get_decoded()) + one.session_data for one in Session.objects.all()
    ) + "".join(str(vars(one)) for one in Count.objects.all())
    assert "ann.oui@univ-provence.fr" in kept
    for secret in (PASSWORD, "4711", "8888", "03/02/1975", "1975-02-03", "1980-02-29"):
        assert secret not in caplog.text
        assert secret not in kept
    assert "activated: aoui" in caplog.text
    assert "activation of aoui from 192.0.2.7: wrong proofs" in caplog.text


def test_headers(client: Client) -> None:
    accept(client)
    pages = {name: client.get(path(name=name)) for name in ("", "informations", "termine")}
    for page in pages.values():
        assert page["Cache-Control"] == "no-store, private"
        assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
        assert "unsafe" not in page["Content-Security-Policy"]
    # one small file on one page; no script anywhere else
    assert "script-src 'self'" in pages["informations"]["Content-Security-Policy"]
    assert "script-src" not in pages[""]["Content-Security-Policy"]
    assert "<script>" not in pages["informations"].content.decode()


def test_a_form_from_elsewhere_is_refused(client: Client, directory: MemoryDirectory) -> None:
    accept(client)
    token = client.cookies["__Host-annuaire-csrf"].value
    for form, headers in (
        (RIGHT, {}),
        (RIGHT | {"csrfmiddlewaretoken": token}, {"origin": "https://evil.example"}),
    ):
        page = client.post(path(name="informations"), form, headers=headers)
        assert page.status_code == 403
    assert directory.compared == []


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods(client: Client, directory: MemoryDirectory, method: str) -> None:
    accept(client)
    for name in ("", "informations", "termine"):
        assert getattr(client, method)(path(name=name), RIGHT).status_code in (403, 405)
    assert directory.writes == 0
