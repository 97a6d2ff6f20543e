"""The help desk's pages: for whom they are, what they show, and what they never show."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client

import annuaire_app
import helpdesk_desk
from ent.annuaire.helpdesk import access, views
from ent.annuaire.helpdesk.codes import Code, new_code
from ent.annuaire.helpdesk.trail import Action, Entry, Outcome
from ent.annuaire.limits.attempts import TooManyAttempts
from ent.directory import AccountState, WriteUncertain
from helpdesk_desk import AUDITORS, STAFF, FakeDirectory, Scene, person

NEW = "nouveau-2026"


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with annuaire_app.helpdesk():
        yield


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(
        FakeDirectory(
            person("jmartin"),
            person("ygarnier", AccountState.PRE_CREATED, displayName="Yves Garnier", mail=""),
            person("mroux", AccountState.SUSPENDED, displayName="Mireille Roux"),
            person("sfaure", displayName="Sophie Faure", cn="Faure Sophie"),
            person("ldumas", displayName="Luc Dumas", cn="Dumas Luc"),
            person("kbenali", displayName="Karim Benali", cn="Benali Karim"),
        )
    )
    scene.directory.groups[STAFF].add(dn("sfaure"))
    scene.directory.groups[AUDITORS].add(dn("ldumas"))
    monkeypatch.setattr(access, "desk", lambda: scene.desk)
    monkeypatch.setattr(views, "desk", lambda: scene.desk)
    return scene


def dn(uid: str) -> str:
    return f"uid={uid},ou=people,{helpdesk_desk.SUFFIX}"


def browser(uid: str = "", *, renewed: bool = True, **options: Any) -> Client:
    client = Client(headers=annuaire_app.HEADERS, **options)
    if uid:
        user, _ = apps.get_model("auth", "User").objects.get_or_create(username=uid)
        client.force_login(user, backend="ent.web.cas.Backend")
        session = client.session
        session["attributes"] = {"isFromNewLogin": "true"} if renewed else {}
        session.save()
    return client


@pytest.fixture
def agent(scene: Scene) -> Client:
    return browser("sfaure")


@pytest.fixture
def auditor(scene: Scene) -> Client:
    return browser("ldumas")


def text(response: HttpResponse) -> str:
    """What a reader reads."""
    shown = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", response.content.decode())
    return " ".join(unescape(shown).split())


STAFF_PAGES = [
    ("get", "/assistance/?q=martin"),
    ("get", "/assistance/personne/jmartin"),
    ("post", "/assistance/personne/jmartin/verifier"),
    ("post", "/assistance/personne/jmartin/code"),
    ("post", "/assistance/personne/jmartin/debloquer"),
]
AUDITORS_PAGES = [
    ("get", "/assistance/journal"),
    ("get", "/assistance/journal/export.csv"),
    ("post", "/assistance/journal/controle"),
]
PAGES = STAFF_PAGES + AUDITORS_PAGES


# Who


@pytest.mark.parametrize(("method", "path"), PAGES[1:])
@pytest.mark.usefixtures("scene")
def test_without_signing_in_nothing_opens(method: str, path: str) -> None:
    response = getattr(browser(), method)(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/assistance/connexion?next=")


@pytest.mark.parametrize(("method", "path"), PAGES)
@pytest.mark.parametrize("uid", ["kbenali", "mroux", "nobody"])
def test_nobody_else_gets_in(scene: Scene, uid: str, method: str, path: str) -> None:
    # whoever may not sign in has no business here, whatever the group says
    scene.directory.groups[STAFF].add(dn("mroux"))
    scene.directory.groups[AUDITORS].add(dn("mroux"))
    response = getattr(browser(uid), method)(path)
    assert response.status_code == 403
    assert "Martin" not in text(response)
    assert scene.store.said() == ["access refused group"]


@pytest.mark.parametrize(("method", "path"), STAFF_PAGES[1:])
def test_an_auditor_does_not_act(scene: Scene, auditor: Client, method: str, path: str) -> None:
    assert getattr(auditor, method)(path).status_code == 403
    assert scene.store.said() == ["access refused group"]


@pytest.mark.parametrize(("method", "path"), AUDITORS_PAGES)
def test_an_agent_does_not_audit(agent: Client, method: str, path: str) -> None:
    assert getattr(agent, method)(path).status_code == 403


def test_an_auditor_begins_with_the_trail(auditor: Client) -> None:
    assert auditor.get("/assistance/")["Location"] == "/assistance/journal"


def test_who_leaves_the_group_leaves_at_once(scene: Scene, agent: Client) -> None:
    assert agent.get("/assistance/personne/jmartin").status_code == 200
    scene.directory.groups[STAFF].clear()
    assert agent.get("/assistance/personne/jmartin").status_code == 403
    assert agent.post("/assistance/personne/jmartin/code").status_code == 403


def test_who_is_suspended_leaves_at_once(scene: Scene, agent: Client) -> None:
    scene.directory.entries[dn("sfaure")]["supannRessourceEtat"] = AccountState.SUSPENDED.value
    assert agent.get("/assistance/").status_code == 403


def test_the_password_is_asked_again(scene: Scene) -> None:
    """A sign-in that the single sign-on gave without a password opens nothing."""
    client = browser("sfaure", renewed=False)
    response = client.get("/assistance/personne/jmartin")
    assert response.status_code == 302
    assert "connexion" in response["Location"]
    assert "_auth_user_id" not in client.session
    assert scene.store.said() == []


def test_an_idle_session_ends(scene: Scene, agent: Client) -> None:
    assert agent.get("/assistance/?q=martin").status_code == 200
    session = agent.session
    session["seen"] = time.time() - 20 * 60 - 1
    session.save()
    response = agent.post("/assistance/personne/jmartin/code")
    assert response.status_code == 302
    # the form is not sent again by signing in
    assert response["Location"] == "/assistance/connexion?next=%2Fassistance%2F"
    assert "_auth_user_id" not in agent.session


def test_a_session_in_use_goes_on(agent: Client) -> None:
    session = agent.session
    for _ in range(3):
        session["seen"] = time.time() - 19 * 60
        session.save()
        assert agent.get("/assistance/").status_code == 200
        session = agent.session


def test_actions_are_posted(agent: Client, auditor: Client) -> None:
    for client, (method, path) in [
        *((agent, one) for one in STAFF_PAGES),
        *((auditor, one) for one in AUDITORS_PAGES),
    ]:
        if method == "post":
            assert client.get(path).status_code == 405


def test_actions_need_the_form(scene: Scene) -> None:
    client = browser("sfaure", enforce_csrf_checks=True)
    response = client.post("/assistance/personne/jmartin/debloquer")
    assert response.status_code == 403
    assert "Formulaire expiré" in text(response)
    assert scene.store.said() == []


@pytest.mark.parametrize(("method", "path"), STAFF_PAGES)
def test_a_directory_that_is_away_is_said(
    scene: Scene, agent: Client, method: str, path: str
) -> None:
    scene.directory.down = True
    response = getattr(agent, method)(path, {"number": "1", "born": "01/02/1970"})
    assert response.status_code == 503
    assert "L’annuaire ne répond pas" in text(response)
    assert scene.store.said() == []


@pytest.mark.parametrize(("method", "path"), STAFF_PAGES[:2])
def test_a_database_that_is_away_is_said(
    scene: Scene, agent: Client, method: str, path: str
) -> None:
    agent.raise_request_exception = False
    scene.store.down = True
    response = getattr(agent, method)(path)
    assert response.status_code == 503
    assert "Martin" not in text(response)


def test_no_page_is_kept(agent: Client, auditor: Client) -> None:
    for client, path in [
        (agent, "/assistance/"),
        (agent, "/assistance/personne/jmartin"),
        (auditor, "/assistance/journal"),
        (browser(), "/assistance/code"),
    ]:
        response = client.get(path)
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"]
        assert "script-src" not in response["Content-Security-Policy"]
        assert "default-src 'none'" in response["Content-Security-Policy"]


# Staff


def test_looking_somebody_up(scene: Scene, agent: Client) -> None:
    response = agent.get("/assistance/?q=martin")
    assert "Jeanne Martin" in text(response)
    assert 'href="/assistance/personne/jmartin"' in response.content.decode()
    assert scene.store.said()[-1].startswith("search done found:")


def test_never_entered_in_harpege(agent: Client) -> None:
    said = text(agent.get("/assistance/", {"q": "Zzyzx"}))
    assert "n’a jamais été saisie dans Harpège, ou l’a été aujourd’hui" in said
    assert "Zzyzx" in said


@pytest.mark.parametrize("q", ["", "   ", "x" * 101, "\0", "\ud83d", "<script>"])
def test_whatever_is_searched(agent: Client, q: str) -> None:
    q = q.encode("utf-8", "replace").decode()
    response = agent.get("/assistance/", {"q": q})
    assert response.status_code == 200
    assert "<script>" not in response.content.decode()


def test_what_is_searched_is_not_in_the_trail(scene: Scene, agent: Client) -> None:
    agent.get("/assistance/", {"q": "depart-2026"})
    assert "depart" not in repr(scene.store.entries)


def test_why_somebody_cannot_sign_in(agent: Client) -> None:
    said = text(agent.get("/assistance/personne/ygarnier"))
    assert "Compte pas encore activé" in said
    assert "activer mon compte" in said
    said = text(agent.get("/assistance/personne/mroux"))
    assert "Compte suspendu par l’administration" in said


def test_nothing_secret_is_shown(scene: Scene, agent: Client) -> None:
    scene.directory.entries[dn("jmartin")] |= {
        "supannMailPerso": "moi@example.org",
        "mobile": "04 65 71 00 77",
    }
    verified(agent)
    page = agent.get("/assistance/personne/jmartin").content.decode()
    for secret in ("10001", "1975", "ancien-2026", "moi@example.org", "00 77"):
        assert secret not in page


@pytest.mark.parametrize("uid", ["nobody", "a*", "x" * 300, "é"])
def test_nobody_of_that_name(agent: Client, uid: str) -> None:
    for method, suffix in (
        ("get", ""),
        ("post", "/verifier"),
        ("post", "/code"),
        ("post", "/debloquer"),
    ):
        response = getattr(agent, method)(f"/assistance/personne/{uid}{suffix}")
        assert response.status_code == 404, suffix


def verified(client: Client, **proofs: str) -> str:
    given = {"number": "10001", "born": "14/03/1975"} | proofs
    response = client.post("/assistance/personne/jmartin/verifier", given)
    assert response.status_code == 302, text(response)
    return text(client.get(response["Location"]))


def test_verifying(agent: Client) -> None:
    said = verified(agent)
    assert "identité vérifiée" in said
    assert "Donner un code" in said
    # once: the page that is loaded again says what holds, not what was done
    assert "Les deux réponses" not in text(agent.get("/assistance/personne/jmartin"))


@pytest.mark.parametrize("proofs", [{"number": "9"}, {"born": "15/03/1975"}])
def test_which_one_is_wrong_is_not_said(agent: Client, proofs: dict[str, str]) -> None:
    said = verified(agent, **proofs)
    assert "Les réponses ne correspondent pas" in said
    assert "Vérifiez d’abord l’identité" in said
    page = agent.get("/assistance/personne/jmartin").content.decode()
    assert "/03/1975" not in page
    assert "10001" not in page


@pytest.mark.parametrize("born", ["", "hier", "14/03/75", "32/01/1970", "x" * 500])
def test_what_cannot_be_compared_is_no_attempt(scene: Scene, agent: Client, born: str) -> None:
    response = agent.post("/assistance/personne/jmartin/verifier", {"number": "4711", "born": born})
    assert response.status_code == 422
    assert "Ce formulaire est à corriger" in text(response)
    assert 'value="4711"' in response.content.decode()
    assert "verify" not in " ".join(scene.store.said())


def test_too_many_verifications(agent: Client) -> None:
    for _ in range(5):
        verified(agent, number="0")
    assert "Trop de vérifications fausses pour cette personne" in verified(agent)


def issued(client: Client) -> Code:
    verified(client)
    response = client.post("/assistance/personne/jmartin/code")
    assert response.status_code == 200
    shown = re.search(r'class="code"[^>]*>(\d{3}) (\d{3}) (\d{3})<', response.content.decode())
    assert shown
    return Code("".join(shown.groups()))


def test_a_code_is_shown_once(agent: Client) -> None:
    code = issued(agent)
    page = agent.get("/assistance/personne/jmartin").content.decode()
    assert code.digits not in page
    assert " ".join(code.groups) not in page
    assert "Un code donné par sfaure" in page


def test_the_page_of_the_code_says_where_to_go(agent: Client) -> None:
    verified(agent)
    said = text(agent.post("/assistance/personne/jmartin/code"))
    assert "https://annuaire.univ-provence.fr/assistance/code" in said
    assert "jmartin" in said


def test_no_code_without_verification(scene: Scene, agent: Client) -> None:
    response = agent.post("/assistance/personne/jmartin/code")
    assert "Vérifiez d’abord" in text(agent.get(response["Location"]))
    assert scene.store.codes == {}


@pytest.mark.parametrize("uid", ["ygarnier", "mroux"])
def test_no_code_for_a_closed_account(scene: Scene, agent: Client, uid: str) -> None:
    agent.post(f"/assistance/personne/{uid}/verifier", {"number": "10001", "born": "14/03/1975"})
    page = agent.get(f"/assistance/personne/{uid}").content.decode()
    assert f'action="/assistance/personne/{uid}/code"' not in page
    response = agent.post(f"/assistance/personne/{uid}/code")
    assert "Ce compte ne peut pas recevoir de code" in text(agent.get(response["Location"]))
    assert scene.store.codes == {}


def test_lifting(scene: Scene, agent: Client) -> None:
    now = scene.now.strftime("%Y%m%d%H%M%SZ")
    scene.directory.entries[dn("jmartin")]["pwdAccountLockedTime"] = now
    assert "Lever les blocages" in text(agent.get("/assistance/personne/jmartin"))
    response = agent.post("/assistance/personne/jmartin/debloquer")
    said = text(agent.get(response["Location"]))
    assert "Les blocages sont levés." in said
    assert "Rien n’empêche la connexion" in said
    assert "Lever les blocages" not in said


def test_what_could_not_be_lifted(scene: Scene, agent: Client) -> None:
    scene.sign_on.down = True
    response = agent.post("/assistance/personne/jmartin/debloquer")
    said = text(agent.get(response["Location"]))
    assert "Pas levé, faute de réponse : Ralentissement de la page de connexion" in said


@pytest.mark.parametrize("page", ["journal", "journal/export.csv"])
@pytest.mark.parametrize("days", ["since=0001-01-01", "until=9999-12-31"])
def test_the_first_and_the_last_day_of_the_calendar(auditor: Client, page: str, days: str) -> None:
    assert auditor.get(f"/assistance/{page}?{days}").status_code == 200


# The caller


def form(code: Code | str, **changes: str) -> dict[str, str]:
    typed = code if isinstance(code, str) else " ".join(code.groups)
    return {"login": "jmartin", "code": typed, "password": NEW, "again": NEW} | changes


def test_a_caller_chooses_a_password(scene: Scene, agent: Client) -> None:
    caller = browser()
    response = caller.post("/assistance/code", form(issued(agent)))
    assert response.status_code == 302
    said = text(caller.get(response["Location"]))
    assert "Mot de passe enregistré" in said
    assert "Bonjour Jeanne Martin" in said
    assert scene.password("jmartin") == NEW
    # reloaded, it says the same; elsewhere it says nothing
    assert text(caller.get("/assistance/code/fait")) == said
    assert browser().get("/assistance/code/fait")["Location"] == "/assistance/code"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"login": ""}, "Saisissez votre identifiant."),
        ({"login": "x" * 65}, "64"),
        ({"login": "jeanne.martin@univ-provence.fr"}, "et non votre adresse électronique. L"),
        ({"login": "pdupont2", "password": "pdupont2", "again": "pdupont2"}, "être votre identif"),
        ({"code": ""}, "Saisissez le code"),
        ({"code": "12345678"}, "Ce n’est pas un code de l’assistance"),
        ({"code": "123456789"}, "Cet essai n’est pas compté"),
        ({"password": "court1", "again": "court2"}, "Les deux mots de passe sont différents."),
        ({"password": "a1", "again": "a1"}, "au moins 6 caractères"),
        ({"password": "abcdef", "again": "abcdef"}, "contenir un chiffre"),
        ({"password": "123456", "again": "123456"}, "contenir une lettre"),
        ({"password": "a1" * 70, "again": "a1" * 70}, "trop long"),
        ({"password": "", "again": ""}, "Choisissez un mot de passe."),
        ({"password": "abc\0123", "again": "abc\0123"}, "caract"),
    ],
)
def test_errors_beside_the_field_and_summarised(
    scene: Scene, changes: dict[str, str], error: str
) -> None:
    response = browser().post("/assistance/code", form(new_code()) | changes)
    assert response.status_code == 422
    page = text(response)
    assert page.startswith("Erreur :")
    assert page.count(error) >= 2
    assert NEW not in response.content.decode()
    # nothing was tried
    assert scene.store.said() == []
    assert scene.attempts.ended == []


def test_wrong_unknown_expired_and_spent_look_the_same(scene: Scene, agent: Client) -> None:
    code = issued(agent)
    pages = []
    for changes in ({"code": new_code().digits}, {"login": "nobody"}, {"login": "mroux"}):
        response = browser().post("/assistance/code", form(code) | changes)
        assert response.status_code == 403
        pages.append(_without_values(response))
    scene.passes(minutes=11)
    pages.append(_without_values(browser().post("/assistance/code", form(code))))
    assert len(set(pages)) == 1
    assert "ne vont pas ensemble" in pages[0]


def _without_values(response: HttpResponse) -> str:
    page = re.sub(r'value="[^"]*"', "", response.content.decode())
    return re.sub(r"nobody|mroux|jmartin", "LOGIN", page)


def test_a_refused_password_is_said_beside_it(scene: Scene, agent: Client) -> None:
    from ent.directory import PasswordRefused  # noqa: PLC0415

    def refuse() -> None:
        raise PasswordRefused("no", "passwordInHistory")

    code = issued(agent)
    scene.directory.before = refuse
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 422
    assert "Votre code reste valable" in text(response)
    scene.directory.before = lambda: None
    assert browser().post("/assistance/code", form(code)).status_code == 302


@pytest.mark.parametrize(("wait", "said"), [(30, "dans 30 secondes"), (None, "Appelez")])
def test_too_many_tries(scene: Scene, agent: Client, wait: int | None, said: str) -> None:
    code = issued(agent)
    scene.attempts.refuse = TooManyAttempts(wait)
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 429
    assert said in text(response)
    assert response.headers.get("Retry-After") == (str(wait) if wait else None)


def test_closed_meanwhile(scene: Scene, agent: Client) -> None:
    code = issued(agent)
    scene.directory.entries[dn("jmartin")]["supannRessourceEtat"] = AccountState.EXPIRED.value
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 403
    assert "Rappelez l’assistance" in text(response)


def test_the_directory_is_away(scene: Scene, agent: Client) -> None:
    code = issued(agent)
    scene.directory.down = True
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 503
    assert "Rien n’a été changé" in text(response)
    assert "reste valable jusqu’au 23 novembre 2026 à 10:10" in text(response)


def test_the_database_is_away(scene: Scene, agent: Client) -> None:
    code = issued(agent)
    scene.store.down = True
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 503
    assert "Rien n’a été changé" in text(response)


def test_nobody_knows(scene: Scene, agent: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ent.annuaire.helpdesk.redemption.PATIENCE", 0.0)
    code = issued(agent)

    def gone() -> None:
        scene.directory.down = True
        raise WriteUncertain("gone")

    scene.directory.after = gone
    response = browser().post("/assistance/code", form(code))
    assert response.status_code == 503
    said = text(response)
    assert "Mot de passe peut-être changé" in said
    assert "recommencez avec le même code" in said


def test_the_public_page_opens_no_session(scene: Scene) -> None:
    sessions = apps.get_model("sessions", "Session").objects
    before = sessions.count()
    caller = browser()
    assert caller.get("/assistance/code").status_code == 200
    caller.post("/assistance/code", form(new_code()))
    assert sessions.count() == before


def test_cookies_off() -> None:
    response = browser(enforce_csrf_checks=True).post("/assistance/code", form(new_code()))
    assert response.status_code == 403
    assert "votre navigateur refuse les cookies" in text(response)


def test_a_form_of_a_megabyte() -> None:
    response = browser().post("/assistance/code", form("1" * 1_000_000))
    assert response.status_code == 400


def test_the_first_page_is_for_callers(scene: Scene) -> None:
    said = text(browser().get("/assistance/"))
    assert "J’ai reçu un code" in said
    assert "Personnel de l’assistance : se connecter" in said


def test_english_on_request(scene: Scene, agent: Client) -> None:
    """Catalogs are compiled when the application is built: e2e reads them."""
    scene.configure(not_found=({"fr": "Au personnel.", "en": "Ask personnel."},))
    agent.post("/assistance/langue", {"language": "en", "next": "/assistance/"})
    page = agent.get("/assistance/", {"q": "Zzyzx"}).content.decode()
    assert '<html lang="en">' in page
    assert "Ask personnel." in page


# Auditors


@pytest.fixture
def trail(scene: Scene) -> Scene:
    for at in range(120):
        scene.store.write(Entry(Action.VIEW, Outcome.DONE, "sfaure", "192.0.2.10", f"p{at}"))
    return scene


def numbers(page: HttpResponse) -> list[int]:
    return [int(one) for one in re.findall(r"<tr><td>(\d+)</td>", page.content.decode())]


@pytest.mark.usefixtures("trail")
def test_reading_the_trail_page_by_page(auditor: Client) -> None:
    page = auditor.get("/assistance/journal")
    seen = numbers(page)
    assert seen == list(range(121, 71, -1))
    while older := re.search(r'href="([^"]+)">Lignes plus anciennes', page.content.decode()):
        page = auditor.get(unescape(older[1]))
        seen += numbers(page)
    assert seen == list(range(121, 0, -1))


def test_reading_leaves_a_line(trail: Scene, auditor: Client) -> None:
    auditor.get("/assistance/journal", {"person": "p3"})
    assert trail.store.said()[-1] == "read done p3"


def test_filtering(trail: Scene, auditor: Client) -> None:
    page = auditor.get("/assistance/journal", {"person": " P3 "})
    assert numbers(page) == [121, 4]
    assert "person=" in page.content.decode()


@pytest.mark.parametrize("query", ["since=hier", "action=x", "person=" + "x" * 65])
@pytest.mark.usefixtures("trail")
def test_a_filter_that_is_none(auditor: Client, query: str) -> None:
    page = auditor.get(f"/assistance/journal?{query}")
    assert page.status_code == 422
    assert "Ce formulaire est à corriger" in text(page)
    assert auditor.get(f"/assistance/journal/export.csv?{query}").status_code == 302


@pytest.mark.parametrize("below", ["-1", "x", "9" * 30, "٣", "0"])
def test_a_page_that_is_none(auditor: Client, below: str) -> None:
    assert auditor.get("/assistance/journal", {"avant": below}).status_code == 200


def test_export(trail: Scene, auditor: Client) -> None:
    trail.store.write(Entry(Action.VIEW, Outcome.DONE, "=HYPERLINK(1)", "::1", "é"))
    response = auditor.get("/assistance/journal/export.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    content = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert content.startswith("\ufeffLigne;Date et heure;Agent;")
    rows = content.splitlines()
    assert len(rows) == 1 + 122
    assert ";'=HYPERLINK(1);" in content
    assert "Consultation d’un compte" in rows[-1]
    assert trail.store.said()[-1] == "export done"


def test_checking_the_trail(trail: Scene, auditor: Client) -> None:
    said = text(auditor.post("/assistance/journal/controle"))
    assert "Le journal est intact : ses 120 lignes" in said
    assert trail.store.said()[-1] == "check done whole:120"


def test_a_trail_that_was_changed(
    trail: Scene, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(trail.store.chain())
    del lines[41]
    monkeypatch.setattr(trail.store, "chain", lambda: iter(lines))
    said = text(auditor.post("/assistance/journal/controle"))
    assert "à partir de la ligne 43" in said
    assert trail.store.said()[-1] == "check failed broken:43"
