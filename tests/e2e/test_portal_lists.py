"""The guide's « Listes de diffusion », in the browser: one's lists, without a second password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import looks
from lab import LabUnderTest
from portal_lists import Lists

pytestmark = [
    pytest.mark.uses("portal1", "client1"),
    # whose processes are started again, so that they know the lists of these tests
    pytest.mark.alone("portal1"),
    pytest.mark.service("portal1", "ent-portal"),
    pytest.mark.service("lists1", "wwsympa", "sympasoap", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]
SignIn = Callable[..., None]
BIKES, COUNCIL, CHOIR = "mes-velos", "mes-conseil", "mes-chorale"


@pytest.fixture(scope="module")
def lists(lab: LabUnderTest) -> Iterator[Lists]:
    made = Lists(lab)
    with made.shown(
        {"name": BIKES, "subject": "À vélo à l’université"},
        {
            "name": COUNCIL,
            "subject": "Conseil de la documentation",
            "subscribe": "owner",
            "owners": ["alefevre"],
        },
        {"name": CHOIR, "subject": "La chorale répète le jeudi soir"},
    ):
        made.add(CHOIR, made.mail("tnguyen"))
        yield made


@pytest.fixture
def portal(lab: LabUnderTest) -> str:
    return f"https://ent.{lab.domain}"


def go(page: Page, lab: LabUnderTest, sign_in: SignIn, uid: str) -> Page:
    """Sign in at the portal, and to the lists by its navigation."""
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, uid)
    page.get_by_role("navigation").get_by_role("link", name="Mes listes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mes listes de diffusion")

    page.wait_for_load_state()
    if page.get_by_text("ne répond pas").count():
        # started again by another test a moment ago, and too slow once
        Lists(lab).recovered()
        page.reload()
    return page


@pytest.fixture
def jmartin(page: Page, lab: LabUnderTest, lists: Lists, sign_in: SignIn) -> Page:
    for name in (BIKES, COUNCIL, CHOIR):
        lists.drop(name, lists.mail("jmartin"))
    return go(page, lab, sign_in, "jmartin")


def own(page: Page) -> Locator:
    return page.get_by_role("region", name="Vos listes")


def others(page: Page) -> Locator:
    return page.get_by_role("region", name="S’abonner à d’autres listes")


@pytest.mark.guide("G1b")
def test_subscribe_and_unsubscribe_with_one_click(jmartin: Page, lists: Lists) -> None:
    page, me = jmartin, lists.mail("jmartin")
    expect(page.get_by_text(f"{me}.")).to_be_visible()
    others(page).get_by_role("button", name=f"S’abonner à la liste {BIKES}").click()
    outcome = page.get_by_role("status")
    expect(outcome).to_have_text(f"Vous êtes maintenant sur la liste « {BIKES} ».")
    expect(outcome).to_be_focused()
    expect(own(page).get_by_role("heading", name=BIKES)).to_be_visible()
    expect(own(page)).to_contain_text("Abonné ou abonnée")
    assert me in lists.review(BIKES)
    looks.look(page, "portal-lists")
    own(page).get_by_role("button", name=f"Se désabonner de la liste {BIKES}").click()
    expect(page.get_by_role("status")).to_have_text(f"Vous n’êtes plus sur la liste « {BIKES} ».")
    expect(others(page).get_by_role("heading", name=BIKES)).to_be_visible()
    assert me not in lists.review(BIKES)


@pytest.mark.guide("G1b")
def test_a_list_whose_owners_decide(
    jmartin: Page, lists: Lists, browser: Browser, lab: LabUnderTest, sign_in: SignIn
) -> None:
    others(jmartin).get_by_role("button", name=f"S’abonner à la liste {COUNCIL}").click()
    expect(jmartin.get_by_role("status")).to_contain_text("demande l’accord de ses propriétaires")
    card = jmartin.locator(f"#liste-{COUNCIL}")
    expect(card).to_contain_text("Demande transmise aux propriétaires")
    expect(card.get_by_role("button")).to_have_count(0)
    assert lists.mail("jmartin") not in lists.review(COUNCIL)
    looks.look(jmartin, "portal-lists-asked", picture=False)
    context = browser.new_context(locale="fr-FR")
    try:
        owner = go(context.new_page(), lab, sign_in, "alefevre")
        expect(own(owner).locator(f"#liste-{COUNCIL}")).to_contain_text("Propriétaire")
    finally:
        context.close()


@pytest.mark.guide("G1", "G1b")
def test_archives_and_page_of_the_list_without_a_second_password(
    jmartin: Page, portal: str, lists: Lists
) -> None:
    page, me = jmartin, lists.mail("jmartin")
    others(page).get_by_role("button", name=f"S’abonner à la liste {BIKES}").click()
    lists.post(BIKES, me, "Sortie de dimanche")
    own(page).get_by_role("link", name=f"Archives {BIKES}").click()
    page.wait_for_url(re.compile(rf"{lists.url}/arc/{BIKES}"))
    expect(page.get_by_role("link", name="Sortie de dimanche")).to_be_visible()
    page.goto(f"{portal}/mes-listes")
    own(page).get_by_role("link", name=f"Page de la liste {BIKES}").click()
    page.wait_for_url(re.compile(rf"{lists.url}/info/{BIKES}"))
    expect(page.get_by_role("heading", name="À vélo à l’université")).to_be_visible()


@pytest.mark.guide("G1b")
def test_everybody_sees_only_theirs(
    jmartin: Page, browser: Browser, lab: LabUnderTest, sign_in: SignIn
) -> None:
    others(jmartin).get_by_role("button", name=f"S’abonner à la liste {BIKES}").click()
    expect(own(jmartin).get_by_role("heading", name=BIKES)).to_be_visible()
    expect(own(jmartin).get_by_role("heading", name=CHOIR)).to_have_count(0)
    context = browser.new_context(locale="fr-FR")
    try:
        theirs = go(context.new_page(), lab, sign_in, "tnguyen")
        expect(own(theirs).get_by_role("heading", name=CHOIR)).to_be_visible()
        expect(own(theirs).get_by_role("heading", name=BIKES)).to_have_count(0)
        expect(others(theirs).get_by_role("heading", name=BIKES)).to_be_visible()
    finally:
        context.close()


@pytest.mark.guide("G1b")
@pytest.mark.alone("lists1")
def test_the_page_is_whole_without_sympa(jmartin: Page, portal: str, lists: Lists) -> None:
    with lists.away():
        jmartin.reload()
        expect(jmartin.get_by_role("status")).to_contain_text("Le serveur de listes ne répond pas")
        looks.look(jmartin, "portal-lists-down", picture=False)
        jmartin.get_by_role("link", name="Mes services").click()
        expect(jmartin.get_by_role("heading", level=1)).to_have_text("Bonjour Jeanne")
    jmartin.goto(f"{portal}/mes-listes")
    expect(others(jmartin).get_by_role("heading", name=BIKES)).to_be_visible()


def test_with_the_keyboard_and_without_scripts(
    browser: Browser, lab: LabUnderTest, lists: Lists, sign_in: SignIn
) -> None:
    lists.drop(BIKES, lists.mail("jmartin"))
    context = browser.new_context(java_script_enabled=False)
    try:
        page = go(context.new_page(), lab, sign_in, "jmartin")
        button = others(page).get_by_role("button", name=f"S’abonner à la liste {BIKES}")
        button.focus()
        page.keyboard.press("Enter")
        # a click waits for the page that it leads to, a key does not
        said = "Vous êtes maintenant sur la liste"
        expect(page.get_by_role("status")).to_contain_text(said)
    finally:
        context.close()


def test_in_english(jmartin: Page) -> None:
    jmartin.get_by_role("button", name="English").click()
    expect(jmartin.get_by_role("heading", level=1)).to_have_text("My mailing lists")
    expect(jmartin.get_by_role("button", name=f"Subscribe to the list {BIKES}")).to_be_visible()
