"""The portal's pages, with a CAS server and a directory that the test plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import portal_app
import web_apps

portal_app.start()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.test import Client  # noqa: E402
from django_cas_ng.models import SessionTicket  # noqa: E402

from ent.directory import AccountState  # noqa: E402
from ent.portal import profile, views  # noqa: E402
from ent.web import cas_http, signin  # noqa: E402

SLO = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="x" Version="2.0">'
    "<samlp:SessionIndex>{}</samlp:SessionIndex></samlp:LogoutRequest>"
)
NAMESPACE = 'xmlns:cas="http://www.yale.edu/tp/cas"'


class FakeCas:
    """Tickets it gave, each for one service and one use."""

    def __init__(self) -> None:
        self.tickets: dict[str, tuple[str, str]] = {}
        self.released = {"displayName": "Jeanne Cas", "eduPersonPrimaryAffiliation": "staff"}
        self.down = False

    def give(self, uid: str, service: str) -> str:
        ticket = f"ST-{len(self.tickets)}-abc"
        self.tickets[ticket] = (uid, service)
        return ticket

    def get(self, url: str, params: dict[str, str] | None = None, **_: Any) -> Any:
        if self.down:
            raise cas_http.CasUnavailable("down")
        known = self.tickets.pop((params or {}).get("ticket", ""), None)
        inner = '<cas:authenticationFailure code="INVALID_TICKET"/>'
        if known and known[1] == (params or {})["service"]:
            attributes = "".join(f"<cas:{k}>{v}</cas:{k}>" for k, v in self.released.items())
            inner = (
                f"<cas:authenticationSuccess><cas:user>{known[0]}</cas:user>"
                f"<cas:attributes>{attributes}</cas:attributes></cas:authenticationSuccess>"
            )
        response = cas_http.requests.Response()
        response._content = (
            f"<cas:serviceResponse {NAMESPACE}>{inner}</cas:serviceResponse>".encode()
        )
        response.status_code = 200
        return response


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with web_apps.serving(portal_app.django_settings()):
        yield


@pytest.fixture
def cas(monkeypatch: pytest.MonkeyPatch) -> FakeCas:
    fake = FakeCas()
    monkeypatch.setattr(cas_http.CasSession, "get", lambda _, *a, **k: fake.get(*a, **k))
    monkeypatch.setattr(signin.cas_probe(), "_yes_until", 0.0)
    monkeypatch.setattr(signin.cas_probe(), "_remember", 0.0)
    return fake


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> portal_app.FakeDirectory:
    fake = portal_app.FakeDirectory(
        portal_app.person(), structures={"DSI": "Direction des systèmes d'information"}
    )
    monkeypatch.setattr(views, "directory", lambda: fake)
    monkeypatch.setattr(profile, "directory", lambda: fake)
    return fake


@pytest.fixture
def client(cas: FakeCas, directory: portal_app.FakeDirectory) -> Iterator[Client]:
    yield Client(
        enforce_csrf_checks=True,
        raise_request_exception=False,
        headers={
            "host": "ent.univ-provence.fr",
            "x-forwarded-proto": "https",
            "origin": portal_app.URL,
        },
    )
    for model in (SessionTicket, Session, User):
        model.objects.all().delete()


def go_to_cas(client: Client, path: str = "/connexion") -> str:
    """Follow the portal to CAS; return the service it asks a ticket for."""
    response = client.get(path)
    assert response.status_code == 302
    address = urlsplit(response["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{portal_app.CAS}login"
    return parse_qs(address.query)["service"][0]


def come_back(client: Client, service: str, ticket: str) -> Any:
    address = urlsplit(service)
    assert f"{address.scheme}://{address.netloc}" == portal_app.URL
    return client.get(f"{address.path}?{address.query}&ticket={ticket}")


def sign_in(client: Client, cas: FakeCas, uid: str = "jmartin", path: str = "/connexion") -> Any:
    service = go_to_cas(client, path)
    return come_back(client, service, cas.give(uid, service))


def csrf(client: Client) -> dict[str, str]:
    return {"csrfmiddlewaretoken": client.cookies["__Host-ent-csrf"].value}


def test_the_public_page_has_one_way_in_and_needs_no_database(client: Client) -> None:
    with connection.execute_wrapper(lambda *_: pytest.fail("a query")):
        response = client.get("/")
    assert response.status_code == 200
    page = response.content.decode()
    assert 'href="/connexion"' in page
    assert "Se connecter" in page
    assert '<html lang="fr">' in page


def test_signed_in_name_affiliation_structure_and_services(client: Client, cas: FakeCas) -> None:
    response = sign_in(client, cas)
    assert (response.status_code, response["Location"]) == (302, "/")
    page = client.get("/").content.decode()
    assert "Jeanne Martin" in page
    assert "Personnel administratif, technique ou des bibliothèques" in page
    assert "Direction des systèmes d&#x27;information" in page
    assert "Pour tous" in page
    assert "Paie" in page
    assert "Crous" not in page


def test_services_of_somebody_else(
    client: Client, cas: FakeCas, directory: portal_app.FakeDirectory
) -> None:
    directory.people["tnguyen"] = portal_app.person(
        "tnguyen", affiliations=("student", "member"), primary_affiliation="student"
    )
    sign_in(client, cas, "tnguyen")
    page = client.get("/").content.decode()
    assert "Crous" in page
    assert "Paie" not in page


def test_the_session_key_changes_and_lasts_a_bounded_time(client: Client, cas: FakeCas) -> None:
    session = client.session
    session["planted"] = "by somebody"
    session.save()
    planted = session.session_key
    sign_in(client, cas)
    cookie = client.cookies["__Host-ent-session"]
    assert cookie.value != planted
    assert not Session.objects.filter(session_key=planted).exists()
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert not cookie["max-age"]
    assert client.session.get_expiry_age() <= 10 * 3600


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/mes-informations", "/mes-informations"),
        ("/?a=b", "/?a=b"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("mes-informations", "/"),
    ],
)
def test_where_one_returns_to(client: Client, cas: FakeCas, asked: str, given: str) -> None:
    response = client.get("/connexion", {"next": asked})
    service = parse_qs(urlsplit(response["Location"]).query)["service"][0]
    assert come_back(client, service, cas.give("jmartin", service))["Location"] == given


def test_a_deep_link_goes_to_cas_and_returns(client: Client, cas: FakeCas) -> None:
    response = client.get("/mes-informations")
    assert response.status_code == 302
    back = sign_in(client, cas, path=response["Location"])
    assert back["Location"] == "/mes-informations"
    assert "jeanne.martin@univ-provence.fr" in client.get("/mes-informations").content.decode()


def test_a_ticket_from_another_browser_is_refused(client: Client, cas: FakeCas) -> None:
    attacker = Client(headers={"host": "ent.univ-provence.fr", "x-forwarded-proto": "https"})
    service = go_to_cas(attacker)
    ticket = cas.give("mallory", service)
    assert come_back(client, service, ticket).status_code == 403
    mine = go_to_cas(client)
    response = come_back(client, mine, ticket)
    assert response.status_code == 403
    assert "/connexion" in response.content.decode()
    assert not Session.objects.exists()


def test_two_tabs_both_come_to_their_page(client: Client, cas: FakeCas) -> None:
    first = go_to_cas(client, "/connexion?next=/mes-informations")
    second = go_to_cas(client)
    assert come_back(client, first, cas.give("jmartin", first))["Location"] == "/mes-informations"
    assert come_back(client, second, cas.give("jmartin", second))["Location"] == "/"
    client.cookies.clear()
    assert urlsplit(go_to_cas(client)).query != urlsplit(second).query


def test_a_ticket_for_a_browser_that_never_asked_is_refused(client: Client, cas: FakeCas) -> None:
    """Made for a service without the secret of any browser, and slipped into a link."""
    service = f"{portal_app.URL}/connexion?next=%2F&etat="
    assert come_back(client, service, cas.give("mallory", service)).status_code == 403
    assert not Session.objects.exists()


@pytest.mark.parametrize("ticket", ["ST-unknown", "PT-1", "ST-1&x=1", "x" * 5000])
def test_a_bad_ticket_gets_a_page_not_a_session(client: Client, ticket: str) -> None:
    service = go_to_cas(client)
    assert come_back(client, service, ticket).status_code in (400, 403)
    assert not Session.objects.exists()


def test_a_ticket_works_once(client: Client, cas: FakeCas) -> None:
    service = go_to_cas(client)
    ticket = cas.give("jmartin", service)
    come_back(client, service, ticket)
    client.cookies.clear()
    assert come_back(client, service, ticket).status_code == 403


def test_sign_out_ends_the_session_then_cas(client: Client, cas: FakeCas) -> None:
    sign_in(client, cas)
    client.get("/")
    response = client.post("/deconnexion", csrf(client))
    assert response.status_code == 302
    assert response["Location"].startswith(f"{portal_app.CAS}logout?service=")
    assert "au-revoir" in response["Location"]
    assert not Session.objects.exists()
    assert not SessionTicket.objects.exists()


def test_sign_out_needs_a_form_of_ours(client: Client, cas: FakeCas) -> None:
    sign_in(client, cas)
    assert client.get("/deconnexion").status_code == 405
    client.get("/")
    for response in (
        client.post("/deconnexion"),
        client.post("/deconnexion", csrf(client), headers={"origin": "https://evil.example"}),
    ):
        assert response.status_code == 403
        assert "Formulaire expiré" in response.content.decode()
    assert Session.objects.count() == 1


def test_single_logout_ends_the_session(client: Client, cas: FakeCas) -> None:
    service = go_to_cas(client)
    ticket = cas.give("jmartin", service)
    come_back(client, service, ticket)
    from_cas = Client(headers={"host": "ent.univ-provence.fr", "x-forwarded-proto": "https"})
    address = f"/connexion?{urlsplit(service).query}"
    for wrong in ("ST-other", ""):
        from_cas.post(address, {"logoutRequest": SLO.format(wrong)})
        assert "Jeanne" in client.get("/").content.decode()
    assert from_cas.post(address, {"logoutRequest": SLO.format(ticket)}).status_code == 204
    assert "Jeanne" not in client.get("/").content.decode()
    assert not SessionTicket.objects.exists()


@pytest.mark.parametrize(
    "posted",
    [{}, {"logoutRequest": ""}, {"logoutRequest": "<a"}, {"logoutRequest": "<a/>"}],
)
def test_other_posts_are_refused(client: Client, posted: dict[str, str]) -> None:
    assert client.post("/connexion", posted).status_code == 400


@pytest.mark.parametrize(
    "state", [None, AccountState.SUSPENDED, AccountState.EXPIRED, AccountState.PRE_CREATED]
)
def test_an_account_that_is_not_active_any_more(
    client: Client,
    cas: FakeCas,
    directory: portal_app.FakeDirectory,
    state: AccountState | None,
) -> None:
    sign_in(client, cas)
    directory.people["jmartin"] = portal_app.person(state=state)
    response = client.get("/")
    assert response.status_code == 403
    assert "n’ouvre pas l’ENT" in response.content.decode()
    assert "Paie" not in response.content.decode()


def test_a_person_without_entry(client: Client, cas: FakeCas) -> None:
    sign_in(client, cas, "nobody")
    assert client.get("/").status_code == 403
    assert client.get("/mes-informations").status_code == 403


def test_directory_down_the_page_is_whole_and_says_so(
    client: Client, cas: FakeCas, directory: portal_app.FakeDirectory
) -> None:
    directory.down = True
    sign_in(client, cas)
    response = client.get("/")
    assert response.status_code == 200
    assert "Jeanne Cas" in response.content.decode()
    assert "annuaire de l’université ne répond pas" in response.content.decode()


def test_cas_down_before_and_after(client: Client, cas: FakeCas) -> None:
    service = go_to_cas(client)
    cas.down = True
    for response in (client.get("/connexion"), come_back(client, service, "ST-1-abc")):
        assert response.status_code == 503
        assert response["Retry-After"] == "60"
        assert "ne répond pas" in response.content.decode()


def test_cas_down_at_sign_out(client: Client, cas: FakeCas) -> None:
    sign_in(client, cas)
    client.get("/")
    cas.down = True
    response = client.post("/deconnexion", csrf(client))
    assert "Fermez toutes les fenêtres" in response.content.decode()
    assert not Session.objects.exists()


def test_database_down_gets_a_page(client: Client, cas: FakeCas) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("down")

    sign_in(client, cas)
    with connection.execute_wrapper(broken):
        response = client.get("/")
        assert client.get("/sante").json() == {"base": "ko", "annuaire": "ok"}
    assert response.status_code == 503
    assert "momentanément indisponible" in response.content.decode()


def test_health(client: Client, directory: portal_app.FakeDirectory) -> None:
    response = client.get("/sante")
    assert (response.status_code, response.json()) == (200, {"base": "ok", "annuaire": "ok"})
    directory.down = True
    response = client.get("/sante")
    assert (response.status_code, response.json()) == (503, {"base": "ok", "annuaire": "ko"})


def test_another_host_name_is_refused(client: Client) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/nulle-part", "/connexion?ticket=ST-1"])
def test_headers(client: Client, path: str) -> None:
    response = client.get(path)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]


def test_english_on_request_only(client: Client) -> None:
    page = client.get("/", headers={"accept-language": "en"}).content.decode()
    assert '<html lang="fr">' in page
    response = client.post("/langue", {**csrf(client), "language": "en", "next": "/nulle-part"})
    assert response["Location"] == "/nulle-part"
    assert '<html lang="en">' in client.get("/").content.decode()
    hostile = {**csrf(client), "language": "fr", "next": "https://evil.example/"}
    assert "evil" not in client.post("/langue", hostile)["Location"]


def test_markup_in_names_is_text(
    client: Client, cas: FakeCas, directory: portal_app.FakeDirectory
) -> None:
    directory.people["jmartin"] = portal_app.person(display_name="<b>x</b>", given_name="<i>")
    sign_in(client, cas)
    page = client.get("/").content.decode()
    assert "<b>x" not in page
    assert "<i>" not in page
