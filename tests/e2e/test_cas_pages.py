"""The sign-in pages in a browser: keyboard, small screen, screen reader."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("sso1", "client1"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]


@pytest.fixture
def small(page: Page) -> Page:
    page.set_viewport_size({"width": 320, "height": 640})
    return page


def _usable(page: Page) -> None:
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("path", ["/cas/login", "/cas/login?service=https://evil.example/", "/x"])
def test_pages_of_strangers(small: Page, lab: LabUnderTest, path: str) -> None:
    small.goto(f"https://cas.{lab.domain}{path}")
    _usable(small)


@pytest.mark.guide("G3")
def test_sign_in_and_out_by_keyboard(small: Page, lab: LabUnderTest) -> None:
    small.goto(f"https://cas.{lab.domain}/cas/login")
    small.keyboard.type("personne")
    small.keyboard.press("Tab")
    small.keyboard.type("faux1234")
    small.keyboard.press("Enter")
    small.get_by_role("alert").get_by_text("Identifiant ou mot de passe incorrect").wait_for()
    _usable(small)
    small.get_by_label("Identifiant").fill("jmartin")
    small.get_by_label("Mot de passe").fill(lab.secret("person-jmartin"))
    small.keyboard.press("Enter")
    small.get_by_role("heading", name="Vous êtes connecté").wait_for()
    _usable(small)
    small.get_by_role("button", name="Se déconnecter").press("Enter")
    small.get_by_role("heading", name="Vous êtes déconnecté").wait_for()
    _usable(small)
