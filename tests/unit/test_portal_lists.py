"""« Mes listes »: what somebody sees, what a click does, and the page without the list server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import local_tls
import portal_app
import web_apps
from sympa_double import PASSWORD, Kept, SympaDouble, fault

portal_app.start()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.test import Client  # noqa: E402

from ent.directory import AccountState  # noqa: E402
from ent.portal import profile, views  # noqa: E402
from ent.portal.lists import mine  # noqa: E402
from ent.portal.lists import views as list_views  # noqa: E402
from ent.portal.lists.mine import Lists, matching  # noqa: E402
from ent.portal.lists.sympa import MailingList  # noqa: E402

ME = "jeanne.martin@univ-provence.fr"
OTHER = "thu.nguyen@univ-provence.fr"
DOWN = "Le serveur de listes ne répond pas"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return local_tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path) -> Iterator[SympaDouble]:
    made = SympaDouble(certificate)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture(autouse=True)
def process(server: SympaDouble, certificate: Path) -> Iterator[None]:
    told = {"url": server.url, "password": PASSWORD, "from_directory": ["personnels", "struct-*"]}
    content = portal_app.settings(lists=told, ca_file=str(certificate))
    with web_apps.serving(
        web_apps.settings_of("ent.portal.settings", "ENT_PORTAL_SETTINGS", content)
    ):
        list_views.lists.cache_clear()
        yield
    list_views.lists.cache_clear()
    Session.objects.all().delete()
    User.objects.all().delete()


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch) -> portal_app.FakeDirectory:
    fake = portal_app.FakeDirectory(
        portal_app.person(),
        portal_app.person("tnguyen", display_name="Thu Nguyen", mail=OTHER),
    )
    monkeypatch.setattr(views, "directory", lambda: fake)
    monkeypatch.setattr(profile, "directory", lambda: fake)
    return fake


def browser(uid: str = "jmartin") -> Client:
    client = Client(
        enforce_csrf_checks=True,
        headers={
            "host": "ent.univ-provence.fr",
            "x-forwarded-proto": "https",
            "origin": portal_app.URL,
        },
    )
    client.force_login(User.objects.get_or_create(username=uid)[0], "ent.web.cas.Backend")
    return client


@pytest.fixture
def client() -> Client:
    return browser()


def text_of(markup: str) -> str:
    """What a screen reader reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


class Seen:
    """A page « Mes listes »: its text, and the cards of its lists."""

    def __init__(self, answer: Any) -> None:
        assert answer.status_code == 200
        self.markup = answer.content.decode()
        assert self.markup.rstrip().endswith("</html>")
        self.text = text_of(self.markup)
        self.own = self._cards("abonnements")
        self.open = self._cards("ouvertes")

    def _cards(self, section: str) -> dict[str, str]:
        found = re.search(rf'<section aria-labelledby="{section}">.*?</section>', self.markup, re.S)
        cards = re.findall(
            r'<li class="list" id="liste-([^"]+)">(.*?)</li>', found[0] if found else "", re.S
        )
        return {name: text_of(card) for name, card in cards}

    @property
    def notice(self) -> str:
        found = re.search(r'<p class="(\w+) outcome".*?</p>', self.markup, re.S)
        return f"{found[1]}: {text_of(found[0])}" if found else ""


def look(client: Client, typed: str = "") -> Seen:
    return Seen(client.get("/mes-listes", {"q": typed} if typed else {}))


def click(client: Client, action: str, name: str, **more: str) -> Seen:
    """The click, and the page that one comes to."""
    client.get("/mes-listes")
    answer = client.post(
        f"/mes-listes/{action}",
        {"csrfmiddlewaretoken": client.cookies["__Host-ent-csrf"].value, "liste": name, **more},
    )
    assert answer.status_code == 302
    return Seen(client.get(answer["Location"]))


# What one sees


def test_own_lists_with_roles_and_lists_to_join(server: SympaDouble, client: Client) -> None:
    server.lists = {
        "velo": Kept("À vélo", members={ME, OTHER}),
        "conseil": Kept("Le conseil", members={ME}, owners={ME}, editors={ME}),
        "annonces": Kept("Annonces", owners={ME}),
        "chorale": Kept("La chorale", members={OTHER}),
    }
    seen = look(client)
    assert list(seen.own) == ["annonces", "conseil", "velo"]
    assert "Votre rôle : Abonné ou abonnée" in seen.own["velo"]
    assert "Propriétaire" not in seen.own["velo"]
    assert "À vélo" in seen.own["velo"]
    assert "Se désabonner de la liste velo" in seen.own["velo"]
    roles = "Abonné ou abonnée , Propriétaire , Modérateur ou modératrice"
    assert f"Votre rôle : {roles}" in seen.own["conseil"]
    assert "Votre rôle : Propriétaire" in seen.own["annonces"]
    assert "S’abonner à la liste annonces" in seen.own["annonces"]
    assert list(seen.open) == ["chorale"]
    assert "S’abonner à la liste chorale" in seen.open["chorale"]
    assert ME in seen.text
    assert OTHER not in seen.markup
    forms = re.findall(r'action="/mes-listes/\w+">\s*<input ([^>]*)>', seen.markup)
    assert len(forms) == 4
    assert all('name="csrfmiddlewaretoken"' in one for one in forms)


def test_links_to_archives_and_page(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept(members={ME})}
    seen = look(client)
    site = server.url.removesuffix("soap")
    assert f'href="{site}/arc/velo"' in seen.markup
    assert f'href="{site}/info/velo"' in seen.markup
    assert "Archives velo Page de la liste velo" in seen.own["velo"]


def test_everybody_sees_only_theirs(server: SympaDouble) -> None:
    server.lists = {"velo": Kept(members={ME}), "chorale": Kept(members={OTHER}, hidden=True)}
    mine_, theirs = browser(), browser("tnguyen")
    assert (list(look(mine_).own), list(look(theirs).own)) == (["velo"], ["chorale"])
    assert list(look(mine_).open) == []
    assert {one.person for one in server.asked} == {ME, OTHER}


def test_the_address_is_the_directory_s_whatever_the_request_says(
    server: SympaDouble, client: Client
) -> None:
    server.lists = {"velo": Kept()}
    said = {"mail": OTHER, "email": OTHER, "USER_EMAIL": OTHER}
    client.get("/mes-listes", said, headers={"USER_EMAIL": OTHER, "remote-user": OTHER})
    click(client, "abonnement", "velo", **said)
    assert {one.person for one in server.asked} == {ME}
    assert server.lists["velo"].members == {ME}


def test_nothing_at_all(client: Client) -> None:
    seen = look(client)
    assert "Vous n’êtes sur aucune liste." in seen.text
    assert "Aucune autre liste ne vous est ouverte pour l’instant." in seen.text
    assert "Chercher une liste" not in seen.text


def test_lists_of_the_directory_say_so_and_have_no_button(
    server: SympaDouble, client: Client
) -> None:
    server.lists = {"struct-dsi": Kept(members={ME}), "personnels": Kept()}
    seen = look(client)
    assert "viennent de l’annuaire de l’université" in seen.own["struct-dsi"]
    assert "abonner" not in seen.own["struct-dsi"]
    assert seen.open == {}


@pytest.mark.parametrize("action", ["abonnement", "desabonnement"])
def test_nobody_joins_or_leaves_those_by_hand(
    server: SympaDouble, client: Client, action: str
) -> None:
    server.lists = {"personnels": Kept(members={ME, OTHER})}
    seen = click(client, action, "personnels")
    assert seen.notice == (
        "notice: Les membres de la liste « personnels » viennent de l’annuaire de l’université : on"
        " n’y entre et on n’en sort pas soi-même."
    )
    assert {"subscribe", "signoff"}.isdisjoint(server.calls())


def test_markup_in_a_subject_is_text(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept('<script>alert("x")</script>', members={ME})}
    seen = look(client)
    assert "<script" not in seen.markup
    assert '<script>alert("x")</script>' in unescape(seen.markup)


# Searching


def test_many_lists_are_searched(server: SympaDouble, client: Client) -> None:
    server.lists = {f"liste{n:03}": Kept(f"Sujet {n}") for n in range(60)} | {
        "ete": Kept("L’Été à la Faculté"),
        "etudes": Kept("Bureau des études", members={ME}),
    }
    seen = look(client)
    assert "Chercher une liste" in seen.text
    assert len(seen.open) == 50
    assert "Seules les 50 premières sont montrées" in seen.text
    seen = look(client, "ÉTÉ faculte")
    assert (list(seen.own), list(seen.open)) == ([], ["ete"])
    assert "Aucune de vos listes ne correspond à « ÉTÉ faculte »." in seen.text
    assert 'value="ÉTÉ faculte"' in seen.markup
    seen = look(client, "etud")
    assert (list(seen.own), list(seen.open)) == (["etudes"], [])
    assert "Aucune autre liste ne correspond" in seen.text


def test_a_click_keeps_the_search(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept(), "chorale": Kept()}
    seen = click(client, "abonnement", "velo", q="velo & x")
    assert 'value="velo &amp; x"' in seen.markup
    assert "velo" in seen.notice


def test_words_in_any_order() -> None:
    def named(name: str, subject: str) -> MailingList:
        return MailingList(name, f"{name}@l.fr", subject, "", "", False, False, False)

    lists = [named("a-b", "Œuvres sociales"), named("c", "Réseau ÉTÉ")]
    assert [one.name for one in matching(lists, "ete reseau")] == ["c"]
    assert [one.name for one in matching(lists, "SOCIALES a-")] == ["a-b"]
    assert matching(lists, "") == lists
    assert matching(lists, "reseau sociales") == []


# Clicks


def test_subscribing(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept("À vélo")}
    seen = click(client, "abonnement", "velo")
    assert seen.notice == "success: Vous êtes maintenant sur la liste « velo »."
    assert list(seen.own) == ["velo"]
    assert server.lists["velo"].members == {ME}
    [asked] = [one for one in server.asked if one.call == "subscribe"]
    assert asked.values == ("velo", "Jeanne Martin")
    assert look(client).notice == "", "told once"


def test_unsubscribing(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept(members={ME, OTHER})}
    seen = click(client, "desabonnement", "velo")
    assert seen.notice == "success: Vous n’êtes plus sur la liste « velo »."
    assert (list(seen.own), list(seen.open)) == ([], ["velo"])
    assert server.lists["velo"].members == {OTHER}


@pytest.mark.parametrize(
    ("action", "members", "told"),
    [
        ("abonnement", {ME}, "Vous étiez déjà sur la liste « velo »."),
        ("desabonnement", set(), "Vous n’étiez déjà plus sur la liste « velo »."),
    ],
)
def test_clicking_twice(
    server: SympaDouble, client: Client, action: str, members: set[str], told: str
) -> None:
    server.lists = {"velo": Kept(members=members)}
    assert click(client, action, "velo").notice == f"success: {told}"
    assert {"subscribe", "signoff"}.isdisjoint(server.calls())


def test_a_list_whose_owners_decide(server: SympaDouble, client: Client) -> None:
    server.lists = {"conseil": Kept(subscribe="owner")}
    seen = click(client, "abonnement", "conseil")
    assert seen.notice.startswith("success: L’abonnement à la liste « conseil » demande l’accord")
    assert seen.own == {}
    assert "Demande transmise aux propriétaires" in seen.open["conseil"]
    assert "S’abonner" not in seen.open["conseil"], "they are asked once"
    server.lists["conseil"].members.add(ME)
    seen = look(client)
    assert list(seen.own) == ["conseil"]


def test_leaving_with_the_owners_consent(server: SympaDouble, client: Client) -> None:
    server.lists = {"conseil": Kept(members={ME}, unsubscribe="owner")}
    seen = click(client, "desabonnement", "conseil")
    assert seen.notice.startswith("success: Quitter la liste « conseil » demande l’accord")
    assert "Demande transmise" in seen.own["conseil"]


@pytest.mark.parametrize(
    ("action", "members", "told"),
    [
        ("abonnement", set(), "La liste « velo » n’accepte pas votre abonnement."),
        ("desabonnement", {ME}, "La liste « velo » ne permet pas de se désabonner soi-même."),
    ],
)
def test_a_list_that_is_closed(
    server: SympaDouble, client: Client, action: str, members: set[str], told: str
) -> None:
    server.lists = {"velo": Kept(members=members, subscribe="closed", unsubscribe="closed")}
    assert click(client, action, "velo").notice.startswith(f"notice: {told}")
    assert server.lists["velo"].members == members


@pytest.mark.parametrize("name", ["", "nulle-part", "../x", "a,b", "<b>", "A" * 200, "velo\n"])
def test_lists_that_do_not_exist(server: SympaDouble, client: Client, name: str) -> None:
    server.lists = {"velo": Kept()}
    seen = click(client, "abonnement", name)
    assert seen.notice == "notice: La liste demandée n’existe pas, ou n’existe plus."
    assert server.lists["velo"].members == set()


def test_clicks_need_a_form_of_ours_and_a_post(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept()}
    look(client)
    token = {"csrfmiddlewaretoken": client.cookies["__Host-ent-csrf"].value, "liste": "velo"}
    for answer in (
        client.post("/mes-listes/abonnement", {"liste": "velo"}),
        client.post("/mes-listes/abonnement", token, headers={"origin": "https://evil.example"}),
    ):
        assert answer.status_code == 403
    answer = client.get("/mes-listes/abonnement", {"liste": "velo"})
    assert (answer.status_code, answer["Location"]) == (302, "/mes-listes")
    assert look(client).notice == ""
    assert client.put("/mes-listes/abonnement").status_code in (403, 405)
    assert "subscribe" not in server.calls()


def test_after_signing_in_again_nothing_is_done(server: SympaDouble, client: Client) -> None:
    look(client)
    client.logout()
    anonymous = client.get("/mes-listes")
    assert anonymous.status_code == 302
    assert anonymous["Location"] == "/connexion?next=/mes-listes"


def test_who_is_not_active_any_more(
    server: SympaDouble, client: Client, directory: portal_app.FakeDirectory
) -> None:
    look(client)
    directory.people["jmartin"] = portal_app.person(state=AccountState.SUSPENDED)
    before = len(server.asked)
    assert client.get("/mes-listes").status_code == 403
    token = client.cookies["__Host-ent-csrf"].value
    answer = client.post("/mes-listes/abonnement", {"csrfmiddlewaretoken": token, "liste": "velo"})
    assert answer.status_code == 403
    assert len(server.asked) == before


# Without the list server, or the directory


def test_the_page_without_the_list_server(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept(members={ME})}
    server.says = {"complexWhich": (502, b"<html>Bad Gateway")}
    seen = look(client)
    assert DOWN in seen.text
    assert "Réessayer" in seen.text
    assert "Se déconnecter" in seen.text
    assert (seen.own, seen.open) == ({}, {})
    for path in ("/", "/mes-informations"):
        assert client.get(path).status_code == 200
    assert len(server.asked) == 1


def test_only_the_other_lists_are_missing(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept(members={ME})}
    server.says = {"complexLists": (500, fault("Internal error"))}
    seen = look(client)
    assert list(seen.own) == ["velo"]
    assert "Le serveur de listes n’a pas donné les autres listes." in seen.text


def test_a_click_without_an_answer(server: SympaDouble, client: Client) -> None:
    server.lists = {"velo": Kept()}
    server.says = {"subscribe": (502, b"")}
    seen = click(client, "abonnement", "velo")
    assert seen.notice.startswith("notice: Le serveur de listes n’a pas répondu")
    assert DOWN in seen.text


def test_without_the_directory_the_address_of_the_sign_in_serves(
    server: SympaDouble, client: Client, directory: portal_app.FakeDirectory
) -> None:
    server.lists = {"velo": Kept(members={ME})}
    session = client.session
    session["attributes"] = {"mail": ME, "displayName": "Jeanne Cas"}
    session.save()
    directory.down = True
    seen = look(client)
    assert list(seen.own) == ["velo"]
    assert "annuaire de l’université ne répond pas" in seen.text


def test_somebody_without_an_address(
    server: SympaDouble, client: Client, directory: portal_app.FakeDirectory
) -> None:
    directory.people["jmartin"] = portal_app.person(mail="")
    assert "ne connaît pas d’adresse électronique" in look(client).text
    assert click(client, "abonnement", "velo").notice.startswith("notice: La liste demandée")
    assert server.asked == []


def test_the_navigation_leads_there(client: Client) -> None:
    for path in ("/", "/mes-informations"):
        assert 'href="/mes-listes"' in client.get(path).content.decode()
    assert 'href="/mes-listes" aria-current="page"' in look(client).markup


CARD = {"name": "Listes", "url": "/mes-listes", "description": "D", "icon": "lists"}


def with_card(**more: Any) -> dict[str, Any]:
    content = portal_app.settings(services=[*portal_app.SERVICES, CARD], **more)
    return web_apps.settings_of("ent.portal.settings", "ENT_PORTAL_SETTINGS", content)


def test_a_card_leads_there(server: SympaDouble, client: Client) -> None:
    with web_apps.serving(with_card(lists={"url": server.url, "password": PASSWORD})):
        assert '<h3><a href="/mes-listes">Listes</a></h3>' in client.get("/").content.decode()


def test_a_site_without_lists_has_no_such_page(client: Client) -> None:
    with web_apps.serving(with_card()):
        page = client.get("/").content.decode()
        assert "Pour tous" in page
        assert "mes-listes" not in page
        for path in ("/mes-listes", "/mes-listes/abonnement"):
            assert client.get(path).status_code == 404


# What is kept


def test_lists_to_join_are_kept_for_a_moment_one_s_own_are_not(
    server: SympaDouble, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(mine.time, "monotonic", lambda: clock[0])
    for _ in range(2):
        look(client)
    assert server.calls() == ["complexWhich", "complexLists", "complexWhich"]
    look(browser("tnguyen"))
    assert server.asked[-1].person == OTHER
    assert server.calls()[-1] == "complexLists"
    clock[0] += 31
    look(client)
    assert server.calls()[-1] == "complexLists"


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def of(self, _: str) -> list[MailingList]:
            return []

        visible = of

    monkeypatch.setattr(mine, "_PEOPLE_KEPT", 3)
    clock = [1000.0]
    monkeypatch.setattr(mine.time, "monotonic", lambda: clock[0])
    lists = Lists(Nothing(), ())  # type: ignore[arg-type]
    for number in range(10):
        lists.overview(f"p{number}@univ-provence.fr")
        clock[0] += 5
    assert len(lists._visible) == 3
