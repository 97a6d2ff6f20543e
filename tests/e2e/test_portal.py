"""Staff at the portal, in the browser, as the guide tells them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import looks
from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("portal1", "client1"),
    pytest.mark.service("portal1", "ent-portal", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]
SignIn = Callable[..., None]


def look(page: Page, name: str) -> None:
    """What must hold on every page; these are French."""
    looks.look(page, name)
    expect(page.locator("html")).to_have_attribute("lang", "fr")


@pytest.fixture
def portal(lab: LabUnderTest) -> str:
    return f"https://ent.{lab.domain}"


@pytest.fixture
def cas(lab: LabUnderTest) -> str:
    return f"https://cas.{lab.domain}"


@pytest.fixture
def jmartin(page: Page, portal: str, sign_in: SignIn) -> Page:
    """The page of somebody who has signed in."""
    page.goto(f"{portal}/connexion")
    sign_in(page, "jmartin")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour Jeanne")
    return page


@pytest.mark.guide("G2b", "G3", "G1")
def test_sign_in_from_the_portal(page: Page, portal: str, cas: str, sign_in: SignIn) -> None:
    page.goto(portal)
    look(page, "portal-welcome")
    page.get_by_role("link", name="Se connecter").click()
    assert page.url.startswith(cas)
    look(page, "cas-form")
    sign_in(page, "jmartin")
    expect(page).to_have_url(f"{portal}/")
    expect(page.locator(".person-name")).to_have_text("Jeanne Martin")
    expect(page.locator(".person-affiliation")).to_contain_text("Personnel")
    expect(page.locator(".person-structure")).not_to_be_empty()
    expect(page.locator(".person-structure")).not_to_have_text("DSI")
    expect(page.get_by_role("link", name="Bulletins de paie")).to_be_visible()
    look(page, "portal-home")


@pytest.mark.guide("G1")
@pytest.mark.parametrize(
    ("uid", "name", "theirs", "others"),
    [
        ("tnguyen", "Thu Nguyen", "Vie étudiante", "Bulletins de paie"),
        ("alefevre", "Amélie Lefèvre", "Archive ouverte HAL", "Vie étudiante"),
        ("kbenali", "Karim Benali", "Archive ouverte HAL", "Vie étudiante"),
    ],
)
def test_everyone_sees_their_own_services(
    page: Page, portal: str, sign_in: SignIn, uid: str, name: str, theirs: str, others: str
) -> None:
    page.goto(f"{portal}/connexion")
    sign_in(page, uid)
    expect(page.locator(".person-name")).to_have_text(name)
    expect(page.get_by_role("link", name=theirs)).to_be_visible()
    expect(page.get_by_role("link", name=others)).to_have_count(0)


@pytest.mark.guide("G3")
def test_a_wrong_password_says_so_in_french(
    page: Page, portal: str, cas: str, sign_in: SignIn
) -> None:
    page.goto(f"{portal}/connexion")
    sign_in(page, "kbenali", "not the password")
    assert page.url.startswith(cas)
    expect(page.locator("input[name=password]")).to_be_visible()
    expect(page.locator("body")).to_contain_text("Identifiant ou mot de passe incorrect")
    look(page, "cas-wrong-password")


@pytest.mark.parametrize("uid", ["mroux", "pdurand"])
def test_who_is_not_active_does_not_get_in(
    page: Page, portal: str, cas: str, sign_in: SignIn, uid: str
) -> None:
    page.goto(f"{portal}/connexion")
    sign_in(page, uid)
    assert page.url.startswith(cas)
    page.goto(portal)
    expect(page.get_by_role("link", name="Se connecter")).to_be_visible()


def test_a_deep_link_leads_through_cas_and_back(page: Page, portal: str, sign_in: SignIn) -> None:
    page.goto(f"{portal}/mes-informations")
    sign_in(page, "jmartin")
    expect(page).to_have_url(f"{portal}/mes-informations")
    expect(page.locator("dl")).to_contain_text("jmartin")
    look(page, "portal-record")


@pytest.mark.guide("G1")
def test_signing_out_ends_the_single_sign_on(jmartin: Page, portal: str, cas: str) -> None:
    jmartin.goto(f"{portal}/mes-informations")
    jmartin.get_by_role("button", name="Se déconnecter").click()
    jmartin.wait_for_load_state()
    expect(jmartin.locator("body")).not_to_contain_text("Jeanne")
    look(jmartin, "portal-signed-out")
    for _ in range(2):
        jmartin.go_back()
        assert "Jeanne" not in jmartin.content()
    jmartin.goto(f"{portal}/connexion")
    assert jmartin.url.startswith(cas)
    expect(jmartin.locator("input[name=password]")).to_be_visible()


def test_signing_out_at_cas_ends_the_portal(jmartin: Page, portal: str, cas: str) -> None:
    jmartin.goto(f"{cas}/cas/logout")
    jmartin.wait_for_load_state("networkidle")
    jmartin.goto(portal)
    expect(jmartin.get_by_role("link", name="Se connecter")).to_be_visible()


def test_one_sign_in_is_enough(jmartin: Page, portal: str) -> None:
    """The portal forgets, CAS does not: no password is asked."""
    jmartin.context.clear_cookies(name="__Host-ent-session")
    jmartin.goto(f"{portal}/mes-informations")
    expect(jmartin).to_have_url(f"{portal}/mes-informations")
    expect(jmartin.locator("dl")).to_contain_text("jmartin")


def test_with_the_keyboard_alone(page: Page, lab: LabUnderTest, portal: str) -> None:
    page.goto(portal)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Se connecter")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/cas/login**")
    user = page.locator("input[name=user]")
    for _ in range(10):
        if user.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(user).to_be_focused()
    page.keyboard.type("jmartin")
    page.keyboard.press("Tab")
    expect(page.locator("input[name=password]")).to_be_focused()
    page.keyboard.type(lab.secret("person-jmartin"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{portal}/")
    expect(page.locator(".person-name")).to_have_text("Jeanne Martin")


def test_without_scripts(browser: Browser, portal: str, sign_in: SignIn) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(portal)
        page.get_by_role("link", name="Se connecter").click()
        sign_in(page, "jmartin")
        expect(page.locator(".person-name")).to_have_text("Jeanne Martin")
    finally:
        context.close()


def test_english(page: Page, portal: str) -> None:
    page.goto(portal)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")


def test_a_page_that_does_not_exist(page: Page, portal: str) -> None:
    response = page.goto(f"{portal}/nulle-part")
    assert response
    assert response.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("Page introuvable")
    look(page, "portal-404")


def test_twice_the_text_size(page: Page, portal: str) -> None:
    """200 % zoom of a 1280 px window leaves 640 px."""
    page.set_viewport_size({"width": 640, "height": 400})
    page.goto(portal)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
