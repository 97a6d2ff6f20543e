"""The pages of « Mon compte », on a directory in memory and a database of this process."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import annuaire_app
from annuaire_account import PASSWORD, AccountDirectory
from annuaire_activation import Down

annuaire_app.start()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.db import DatabaseError, OperationalError, connection  # noqa: E402
from django.test import Client  # noqa: E402
from django_cas_ng.models import SessionTicket  # noqa: E402

from ent.annuaire.account import choices, consent, password, views, visit  # noqa: E402
from ent.annuaire.activation.charter import load  # noqa: E402
from ent.annuaire.limits.models import Count  # noqa: E402
from ent.directory import AccountState, WriteUncertain  # noqa: E402

NEW = "nouveau-2027"
PAGES = ["", "affichage", "adresse-personnelle", "mot-de-passe", "charte"]
PRESENT = load()
NEXT = replace(PRESENT, version="2027-1")


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(choices.Choices, "patience", 0.3)
    monkeypatch.setattr(password.PasswordChange, "patience", 0.3)
    with annuaire_app.public():
        yield
    for model in (Count, SessionTicket, Session, User):
        model.objects.all().delete()


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> AccountDirectory:
    made = AccountDirectory()
    made.account()
    made.account("mblanc")

    def only_account(identity: str) -> AccountDirectory:
        assert identity == "account"
        return made

    monkeypatch.setattr(visit, "directory_as", only_account)
    return made


def signed_in(uid: str = "jdurand", **options: Any) -> Client:
    """A browser in which somebody signed in with CAS."""
    client = Client(**{"raise_request_exception": False, **options}, headers=annuaire_app.HEADERS)
    user, _ = User.objects.get_or_create(username=uid)
    client.force_login(user, "ent.web.cas.Backend")
    SessionTicket.objects.create(session_key=client.session.session_key, ticket=f"ST-{uid}")
    return client


@pytest.fixture
def client(directory: AccountDirectory) -> Client:
    return signed_in()


def text(response: Any) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def hidden(response: Any, name: str = "seen") -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found
    return found[1]


def display(client: Client, **ticked: str) -> Any:
    seen = hidden(client.get("/compte/affichage"))
    return client.post("/compte/affichage", {"seen": seen, **ticked})


def change(client: Client, present: str = PASSWORD, new: str = NEW, again: str = "") -> Any:
    typed = {"present": present, "password": new, "confirmation": again or new}
    return client.post("/compte/mot-de-passe", typed)


# Who gets in


@pytest.mark.parametrize("page", PAGES)
def test_signing_in_comes_first(directory: AccountDirectory, page: str) -> None:
    client = Client(headers=annuaire_app.HEADERS)
    for response in (client.get(f"/compte/{page}"), client.post(f"/compte/{page}", {"x": "1"})):
        if page or response.request["REQUEST_METHOD"] == "GET":
            assert response.status_code == 302
            assert response["Location"] == f"/connexion?next=/compte/{page}"
    assert directory.writes == 0


def test_only_ones_own_entry(client: Client, directory: AccountDirectory) -> None:
    """Whatever names somebody else in address, form or cookie: it is not read."""
    other = {"uid": "mblanc", "user": "mblanc", "dn": "uid=mblanc,ou=people,dc=univ-provence,dc=fr"}
    assert "mblanc" not in text(client.get("/compte/", other))
    client.cookies["uid"] = "mblanc"
    display(client, red_list="on", **other)
    seen = hidden(client.get("/compte/adresse-personnelle"))
    typed = {"address": "a@exemple.fr", "confirmation": "a@exemple.fr", "seen": seen, **other}
    client.post("/compte/adresse-personnelle", typed, query_params=other)
    typed = {"present": PASSWORD, "password": NEW, "confirmation": NEW, **other}
    client.post("/compte/mot-de-passe", typed, query_params=other)
    assert directory.values("mblanc", "supannListeRouge") == []
    assert directory.values("mblanc", "supannMailPerso") == []
    assert directory.passwords["mblanc"] == PASSWORD
    assert directory.values("jdurand", "supannListeRouge") == ["TRUE"]
    assert directory.values("jdurand", "supannMailPerso") == ["a@exemple.fr"]
    assert directory.passwords["jdurand"] == NEW
    assert {where.partition(",")[0] for where, _ in directory.modified} == {"uid=jdurand"}
    for path in ("/compte/mblanc", "/compte/?uid=mblanc", "/compte/../compte/mblanc"):
        assert "mblanc" not in text(client.get(path))


def test_forms_need_their_token(directory: AccountDirectory) -> None:
    client = signed_in(enforce_csrf_checks=True)
    seen = hidden(client.get("/compte/affichage"))
    for page in PAGES[1:]:
        response = client.post(f"/compte/{page}", {"seen": seen, "red_list": "on"})
        assert response.status_code == 403
        assert "Formulaire expiré" in text(response)
    assert directory.writes == 0


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_kept_by_caches(client: Client, page: str) -> None:
    response = client.get(f"/compte/{page}")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store, private"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in response.content.decode()
    assert "style=" not in response.content.decode()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (AccountState.SUSPENDED, "suspendu par l’administration"),
        (AccountState.DEPARTED, "après la fin de votre contrat"),
        (AccountState.EXPIRED, "a expiré"),
        (AccountState.PRE_CREATED, "activé de nouveau"),
        (None, "n’est plus actif"),
    ],
)
@pytest.mark.parametrize("page", PAGES)
def test_closed_while_the_session_is_open(
    client: Client, directory: AccountDirectory, state: AccountState | None, said: str, page: str
) -> None:
    other = [state.value] if state else ["{COMPTE}A:Autre"]
    directory.people["jdurand"]["supannRessourceEtat"] = other
    response = client.get(f"/compte/{page}")
    assert response.status_code == 403
    assert "Votre session est terminée" in text(response)
    assert said in text(response)
    assert "04 65 71 00 10" in text(response)
    assert not Session.objects.exists()
    assert not SessionTicket.objects.exists()
    assert client.get(f"/compte/{page}").status_code == 302


def test_closed_between_form_and_post(client: Client, directory: AccountDirectory) -> None:
    seen = hidden(client.get("/compte/affichage"))
    directory.people["jdurand"]["supannRessourceEtat"] = [AccountState.SUSPENDED.value]
    response = client.post("/compte/affichage", {"seen": seen, "red_list": "on"})
    assert response.status_code == 403
    assert directory.writes == 0


def test_an_entry_that_is_gone(client: Client, directory: AccountDirectory) -> None:
    del directory.people["jdurand"]
    assert "Votre session est terminée" in text(client.get("/compte/"))


# The first page


def test_home(client: Client, directory: AccountDirectory) -> None:
    directory.people["jdurand"] |= {
        "supannAutreMail": ["jdurand@univ-provence.fr", "j.durand@up.univ-aix.fr"],
        "supannMailPerso": ["jd@exemple.fr"],
        "displayName": ["Jeanne <b>Durand</b>"],
    }
    response = client.get("/compte/")
    page = text(response)
    for said in (
        "Jeanne &lt;b&gt;Durand&lt;/b&gt;",
        "Direction des systèmes d’information",
        "j.durand@up.univ-aix.fr",
        "jd@exemple.fr",
        "Version 2026-1 acceptée le 23 novembre 2026",
        "division du personnel",
        "04 65 71 00 30",
        "Actif",
        "Vous y figurez.",
    ):
        assert said in page, said
    # the proofs of identity
    assert "4711" not in page
    assert "1975" not in page
    assert "scolarité" not in page


def test_students_are_sent_to_their_office(client: Client, directory: AccountDirectory) -> None:
    directory.people["jdurand"]["eduPersonAffiliation"] = ["student", "member"]
    page = text(client.get("/compte/"))
    assert "scolarité de votre composante" in page
    assert "Harpège). Pour" not in page


def test_every_link_leads_somewhere(client: Client, directory: AccountDirectory) -> None:
    """Of the own page's pages: addresses of this site answer, and anchors are there."""
    elsewhere = (
        "https://",
        "mailto:",
        "tel:",
        "/static/",
        "/recherche",
        "/structures",
        "/connexion",
        # the help desk's process
        "/assistance/",
    )
    for path in PAGES:
        page = client.get(f"/compte/{path}").content.decode()
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for target in re.findall(r'(?:href|action)="([^"]+)"', page):
            if target.startswith("#"):
                assert target[1:] in ids
            elif target not in ("/", "/deconnexion", "/langue") and not target.startswith(
                elsewhere
            ):
                assert client.get(target).status_code == 200, target
        for attribute in ("for", "aria-labelledby", "aria-describedby"):
            for named in re.findall(rf'\b{attribute}="([^"]+)"', page):
                assert set(named.split()) <= set(ids), named


# Display


def test_display(client: Client, directory: AccountDirectory, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "ent.annuaire.account.journal")
    response = display(client, red_list="on")
    assert (response.status_code, response["Location"]) == (302, "/compte/")
    assert directory.values("jdurand", "supannListeRouge") == ["TRUE"]
    assert directory.values("jdurand", "entTelephoneHidden") == ["FALSE"]
    page = text(client.get("/compte/"))
    assert "Vos choix d’affichage" in page
    assert "Vous n’y figurez pas (liste rouge)." in page
    # said once
    assert "Vos choix d’affichage" not in text(client.get("/compte/"))
    assert (
        "action=display outcome=done uid=jdurand address=192.0.2.7 "
        "detail='red list TRUE, telephone hidden FALSE'"
    ) in caplog.text
    display(client, telephone_hidden="on")
    assert directory.values("jdurand", "supannListeRouge") == ["FALSE"]
    assert "sans votre téléphone" in text(client.get("/compte/"))


def test_display_shows_what_is_so(client: Client, directory: AccountDirectory) -> None:
    def ticked() -> list[str]:
        page = client.get("/compte/affichage").content.decode()
        return [
            re.findall(r'name="(\w+)"', one)[0]
            for one in re.findall(r"<input[^>]*checked[^>]*>", page)
        ]

    assert ticked() == []
    directory.people["jdurand"]["supannListeRouge"] = ["TRUE"]
    assert ticked() == ["red_list"]


def test_double_click(client: Client, directory: AccountDirectory) -> None:
    seen = hidden(client.get("/compte/affichage"))
    for _ in range(2):
        assert client.post("/compte/affichage", {"seen": seen, "red_list": "on"}).status_code == 302
    assert directory.writes == 1


@pytest.mark.parametrize("seen", [None, "", "x", "0" * 32, "é" * 500])
def test_changed_in_another_window(
    client: Client, directory: AccountDirectory, seen: str | None
) -> None:
    if seen is None:
        seen = hidden(client.get("/compte/affichage"))
        directory.people["jdurand"]["entTelephoneHidden"] = ["TRUE"]
    response = client.post("/compte/affichage", {"seen": seen, "red_list": "on"})
    assert response.status_code == 409
    assert "Rien n’a été enregistré" in text(response)
    assert "changés entre-temps" in text(response)
    assert directory.writes == 0
    # the page shows the present state, and from there it goes on
    again = {"seen": hidden(response), "red_list": "on"}
    assert client.post("/compte/affichage", again).status_code == 302


# The personal address


def recovery(client: Client, address: str, **more: str) -> Any:
    seen = hidden(client.get("/compte/adresse-personnelle"))
    typed = {"seen": seen, "address": address, "confirmation": address, **more}
    return client.post("/compte/adresse-personnelle", typed)


def test_recovery(client: Client, directory: AccountDirectory, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "ent.annuaire.account.journal")
    assert recovery(client, " jd@exemple.fr ")["Location"] == "/compte/"
    assert directory.values("jdurand", "supannMailPerso") == ["jd@exemple.fr"]
    page = text(client.get("/compte/"))
    assert "jd@exemple.fr" in page
    assert "Votre adresse personnelle est enregistrée" in page
    # that it was set is in the journal, the address is not
    assert "action=recovery-address outcome=done" in caplog.text
    assert "exemple.fr" not in caplog.text
    seen = hidden(client.get("/compte/adresse-personnelle"))
    response = client.post("/compte/adresse-personnelle", {"seen": seen, "remove": "1"})
    assert response.status_code == 302
    assert directory.values("jdurand", "supannMailPerso") == []


def test_recovery_errors_are_said_and_summarised(client: Client) -> None:
    response = recovery(client, "jeanne@univ-provence.fr", confirmation="autre@exemple.fr")
    page = response.content.decode()
    assert page.count("est une adresse de l’université") == 2
    assert 'href="#id_address"' in page
    assert 'aria-invalid="true"' in page
    assert 'value="jeanne@univ-provence.fr"' in page
    assert "<title>Erreur\u00a0:" in page


def test_recovery_refused_by_the_directory(client: Client, directory: AccountDirectory) -> None:
    response = recovery(client, "refused@exemple.fr")
    assert response.status_code == 200
    assert "L’annuaire refuse cette adresse" in text(response)


@pytest.mark.parametrize("removal", [False, True])
def test_recovery_changed_meanwhile(
    client: Client, directory: AccountDirectory, removal: bool
) -> None:
    seen = hidden(client.get("/compte/adresse-personnelle"))
    directory.people["jdurand"]["supannMailPerso"] = ["autre@exemple.fr"]
    typed = {"seen": seen, "address": "jd@exemple.fr", "confirmation": "jd@exemple.fr"}
    if removal:
        typed = {"seen": seen, "remove": "1"}
    response = client.post("/compte/adresse-personnelle", typed)
    assert response.status_code == 409
    assert "autre@exemple.fr" in text(response)
    assert directory.writes == 0


# Password


def test_password(client: Client, directory: AccountDirectory, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    response = change(client)
    assert (response.status_code, response["Location"]) == (302, "/compte/")
    assert directory.passwords["jdurand"] == NEW
    page = client.get("/compte/")
    assert "Votre mot de passe est changé" in text(page)
    assert "action=password outcome=done uid=jdurand" in caplog.text
    for secret in (PASSWORD, NEW):
        assert secret not in caplog.text
        assert secret not in page.content.decode()
        assert all(secret not in str(one.get_decoded()) for one in Session.objects.all())


def test_password_ends_the_other_sessions(client: Client, directory: AccountDirectory) -> None:
    elsewhere, somebody_else = signed_in(), signed_in("mblanc")
    before = client.session.session_key
    change(client)
    assert client.get("/compte/").status_code == 200
    assert elsewhere.get("/compte/").status_code == 302
    assert somebody_else.get("/compte/").status_code == 200
    # the session has a new key, and a single logout still finds it
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()
    assert SessionTicket.objects.filter(session_key=client.session.session_key).exists()


def test_two_changes_one_after_the_other(client: Client, directory: AccountDirectory) -> None:
    change(client)
    assert change(client, NEW, "encore-2028").status_code == 302
    assert directory.passwords["jdurand"] == "encore-2028"


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"present": ""}, "present", "Tapez votre mot de passe actuel"),
        ({"present": "x" * 2000}, "present", "Ce n’est pas votre mot de passe actuel"),
        ({"password": "", "confirmation": ""}, "password", "Choisissez un nouveau mot de passe"),
        ({"password": "a1", "confirmation": "a1"}, "password", "au moins 6 caractères"),
        ({"password": "abcdef", "confirmation": "abcdef"}, "password", "au moins un chiffre"),
        ({"password": "éé1a", "confirmation": "éé1a"}, "password", "trop court"),
        ({"confirmation": "autre-2027"}, "confirmation", "différents"),
        ({"password": PASSWORD, "confirmation": PASSWORD}, "password", "le même que l’actuel"),
        ({"password": "jdurand", "confirmation": "jdurand"}, "password", "pas être votre identif"),
        ({"password": "refused-1", "confirmation": "refused-1"}, "password", "déjà été le vôtre"),
        ({"present": "faux-2026"}, "present", "Ce n’est pas votre mot de passe actuel"),
    ],
)
def test_password_errors(
    client: Client, directory: AccountDirectory, typed: dict[str, str], field: str, said: str
) -> None:
    right = {"present": PASSWORD, "password": NEW, "confirmation": NEW}
    response = client.post("/compte/mot-de-passe", right | typed)
    page = response.content.decode()
    assert response.status_code == 200
    [beside] = re.findall(rf'id="id_{field}_error">(.*?)</p>', page, flags=re.S)
    assert said in beside
    assert page.count(said) >= 2
    assert f'href="#id_{field}"' in page
    assert directory.passwords["jdurand"] == PASSWORD
    # nothing that was typed comes back
    assert NEW not in page
    assert PASSWORD not in page


def test_wrong_passwords_delay_then_lock(
    client: Client, directory: AccountDirectory, caplog: Any
) -> None:
    answers = [change(client, "faux") for _ in range(4)]
    assert "Vous pourrez réessayer dans 30 secondes" in text(answers[-1])
    refused = change(client)
    assert refused.status_code == 429
    assert refused["Retry-After"]
    assert "Patientez" in text(refused)
    assert client.get("/compte/mot-de-passe").status_code == 429
    assert directory.failures == 4
    Count.objects.filter(task="password").update(failures=9, free_at=None)
    locked = change(client, "faux")
    assert locked.status_code == 429
    assert "Changement de mot de passe bloqué" in text(locked)
    assert "04 65 71 00 10" in text(locked)
    assert "Changement de mot de passe bloqué" in text(change(client))
    # the other pages are open as before
    assert client.get("/compte/").status_code == 200
    assert "outcome=refused" in caplog.text


def test_locked_by_the_directory(client: Client, directory: AccountDirectory) -> None:
    directory.locked = True
    response = change(client)
    assert response.status_code == 429
    assert "Compte verrouillé" in text(response)
    assert "15 minutes" in text(response)
    assert Count.objects.get(task="password").failures == 0
    with annuaire_app.public(account={"lockout_seconds": 0}):
        assert "Seule l’assistance" in text(change(client))


# Charter


@pytest.fixture
def new_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "present_charter", lambda: NEXT)
    monkeypatch.setattr(consent, "earlier_charters", lambda: {"2026-1": PRESENT})


@pytest.mark.usefixtures("new_version")
def test_a_new_charter_is_asked(client: Client, directory: AccountDirectory) -> None:
    assert client.get("/compte/")["Location"] == "/compte/charte"
    page = client.get("/compte/charte")
    assert "La charte informatique a changé" in text(page)
    assert "Ce qui change depuis la version 2026-1" in text(page)
    version = hidden(page, "version")
    refused = client.post("/compte/charte", {"version": version})
    assert refused.status_code == 200
    assert "choisissez « Plus tard »" in text(refused)
    assert directory.writes == 0
    assert client.post("/compte/charte", {"version": version, "accept": "on"}).status_code == 302
    assert len(directory.values("jdurand", "supannConsentement")) == 2
    assert directory.values("jdurand", "supannConsentement")[1].startswith("{CHARTE}2027-1:2")
    assert "Votre acceptation de la charte est enregistrée" in text(client.get("/compte/"))
    # again, as by a double click
    client.post("/compte/charte", {"version": version, "accept": "on"})
    assert len(directory.values("jdurand", "supannConsentement")) == 2


@pytest.mark.usefixtures("new_version")
def test_later_closes_nothing_and_the_question_comes_again(client: Client) -> None:
    for page in ("affichage", "adresse-personnelle", "mot-de-passe"):
        assert client.get(f"/compte/{page}").status_code == 200
    assert client.post("/compte/charte", {"later": "1"})["Location"] == "/compte/"
    response = client.get("/compte/")
    assert response.status_code == 200
    assert "pas encore accepté la version 2027-1" in text(response)
    assert signed_in().get("/compte/")["Location"] == "/compte/charte"


@pytest.mark.usefixtures("new_version")
def test_the_text_changed_while_it_was_read(client: Client, directory: AccountDirectory) -> None:
    response = client.post("/compte/charte", {"version": "2026-1", "accept": "on"})
    assert "Le texte de la charte a changé" in text(response)
    assert directory.writes == 0


@pytest.mark.usefixtures("new_version")
def test_who_never_accepted_any(client: Client, directory: AccountDirectory) -> None:
    del directory.people["jdurand"]["supannConsentement"]
    page = text(client.get("/compte/charte"))
    assert "Acceptez la charte informatique" in page
    assert "Ce qui change" not in page


def test_an_accepted_charter_can_be_read_again(client: Client) -> None:
    page = text(client.get("/compte/charte"))
    assert "Version 2026-1, que vous avez acceptée le 23 novembre 2026" in page
    assert "Article 1" in page


# Faults


@pytest.mark.parametrize("page", PAGES)
def test_the_directory_is_away(client: Client, directory: AccountDirectory, page: str) -> None:
    directory.before_read = Down()
    for response in (client.get(f"/compte/{page}"), client.post(f"/compte/{page}", {"later": "1"})):
        if response.status_code != 405:
            assert response.status_code == 503
            assert response["Retry-After"]
            assert "Rien n’a été modifié" in text(response)


@pytest.mark.parametrize("made", [True, False])
def test_the_directory_stops_in_the_middle(
    client: Client, directory: AccountDirectory, made: bool
) -> None:
    def dies(_: int) -> None:
        directory.before_read = Down()
        raise WriteUncertain("no answer")

    def comes_back() -> None:
        directory.before_read = lambda: None
        directory.before_write = directory.after_write = lambda _: None

    def next_write_dies() -> None:
        if made:
            directory.after_write = dies
        else:
            directory.before_write = dies

    seen = hidden(client.get("/compte/affichage"))
    next_write_dies()
    response = client.post("/compte/affichage", {"seen": seen, "red_list": "on"})
    assert response.status_code == 503
    assert "peut-être enregistrée" in text(response)
    comes_back()
    assert directory.values("jdurand", "supannListeRouge") == (["TRUE"] if made else [])
    next_write_dies()
    response = change(client)
    assert response.status_code == 503
    assert "Mot de passe peut-être changé" in text(response)
    comes_back()
    # what the page says: one of the two is accepted, and tells which
    accepted = [one for one in (PASSWORD, NEW) if directory.check_password("uid=jdurand,", one)]
    assert accepted == [NEW if made else PASSWORD]
    assert Count.objects.get(task="network").failures == 0


def test_the_database_is_away(client: Client, directory: AccountDirectory) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("down")

    with connection.execute_wrapper(broken):
        for page in PAGES:
            response = client.get(f"/compte/{page}")
            assert response.status_code == 503
            assert "momentanément indisponible" in text(response)
        assert change(client).status_code == 503
    assert directory.passwords["jdurand"] == PASSWORD


@pytest.mark.parametrize("error", [DatabaseError("down"), OperationalError("down")])
def test_the_database_stops_after_the_password_was_changed(
    client: Client,
    directory: AccountDirectory,
    monkeypatch: pytest.MonkeyPatch,
    error: DatabaseError,
) -> None:
    """The password is changed, and that is what the page says."""

    def broken(*_: Any, **__: Any) -> None:
        raise error

    def now_it_stops(_: int) -> None:
        monkeypatch.setattr(SessionStore, "save", broken)
        monkeypatch.setattr(User, "save", broken)

    directory.after_write = now_it_stops
    response = change(client)
    assert response.status_code == 200
    assert "Votre mot de passe est changé" in text(response)
    assert directory.passwords["jdurand"] == NEW


# Anything at all

ODD = [
    "",
    "\0",
    "*)(uid=*))(|(uid=*",
    "\u202e\u2066x",
    "😀" * 50,
    "\ud800",
    "<script>alert(1)</script>",
    "a" * 5000,
    "é\u0301\r\n\tSet-Cookie: x=y",
    "TRUE",
    "-1",
    "../../etc/passwd",
    "{{ 7*7 }}",
    "%00%0a",
]
FIELDS = [
    *("seen", "red_list", "telephone_hidden", "address", "confirmation", "remove"),
    *("present", "password", "version", "accept", "later", "next", "uid"),
]


@pytest.mark.parametrize("page", PAGES[1:])
def test_fuzz(client: Client, directory: AccountDirectory, page: str) -> None:
    """A clean answer to everything, and never somebody else's entry."""
    seed = random.Random(page)
    for _ in range(60):
        fields = {name: seed.choice(ODD) for name in FIELDS if seed.random() < 0.5}
        data = {name: value.encode("utf-8", "surrogatepass") for name, value in fields.items()}
        body = b"&".join(
            name.encode() + b"=" + b"".join(b"%%%02x" % byte for byte in value)
            for name, value in data.items()
        )
        response = client.post(
            f"/compte/{page}", body, content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code in (200, 302, 409, 429), fields
        page_text = response.content.decode()
        assert "<script>" not in page_text
        assert "49" not in re.findall(r"value=\"([^\"]*)\"", page_text)
        Count.objects.all().delete()
        directory.failures = 0
    assert {where.partition(",")[0] for where, _ in directory.modified} <= {"uid=jdurand"}
    assert directory.passwords == {"jdurand": PASSWORD, "mblanc": PASSWORD}


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_megabyte(client: Client, directory: AccountDirectory, page: str) -> None:
    response = client.post(f"/compte/{page}", {"password": "a" * 1_000_000})
    assert response.status_code == 400
    assert "Demande incomprise" in text(response)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["put", "delete", "patch", "options", "trace"])
def test_other_methods(client: Client, page: str, method: str) -> None:
    assert getattr(client, method)(f"/compte/{page}").status_code == 405


# Mailing lists


def lists_of(client: Client) -> str:
    """What the page says of mailing lists; "" when there is no such line."""
    found = re.search(r'<div id="listes">.*?</div>', client.get("/compte/").content.decode(), re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else ""


def test_where_messages_of_lists_arrive(client: Client, directory: AccountDirectory) -> None:
    directory.people["jdurand"]["supannAutreMail"] = ["jeanne.durand@univ-provence.fr"]
    address = directory.people["jdurand"]["mail"][0]
    assert lists_of(client) == (
        f"Listes de diffusion Leurs messages vous arrivent à {address}. Voir mes listes"
    )
    page = client.get("/compte/").content.decode()
    assert 'href="https://ent.univ-provence.fr/mes-listes"' in page
    directory.people["jdurand"]["supannAutreMail"].append("Jeanne.Durand@UP.univ-aix.fr")
    assert "pris avec une ancienne adresse y passent automatiquement" in lists_of(client)


def test_nothing_of_lists_without_an_address_or_without_lists(
    client: Client, directory: AccountDirectory
) -> None:
    with annuaire_app.public(activation=annuaire_app.ACTIVATION | {"lists_url": ""}):
        assert lists_of(client) == ""
    directory.people["jdurand"]["mail"] = []
    assert lists_of(client) == ""
