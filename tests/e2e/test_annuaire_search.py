"""Finding somebody at annuaire.univ-provence.fr, in the browser, as the guide tells it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from lab import LabUnderTest
from looks import look

pytestmark = [
    pytest.mark.uses("annuaire1", "client1"),
    pytest.mark.service("annuaire1", "ent-annuaire", "ent-annuaire-index", "nginx"),
    pytest.mark.service("ldap1", "slapd"),
]


@pytest.fixture
def annuaire(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}"


def search(page: Page, name: str, profile: str = "", structure: str = "") -> None:
    """Fill in the form that the page shows."""
    form = page.get_by_role("search")
    form.get_by_label("Nom", exact=True).fill(name)
    if profile:
        form.get_by_label(profile, exact=True).check()
    if structure:
        form.get_by_label("Structure").fill(structure)
    form.get_by_role("button", name="Rechercher").click()


@pytest.mark.guide("G4", "G6a", "G6b")
def test_find_yourself_as_the_guide_says(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    expect(page.get_by_role("heading", level=1)).to_have_text("Rechercher une personne")
    expect(page.get_by_role("radio").first).to_have_accessible_name("Personnel")
    expect(page.get_by_label("Personnel", exact=True)).to_be_checked()
    look(page, "annuaire-search")
    search(page, "garnier")
    expect(page.locator(".result")).to_have_count(1)
    look(page, "annuaire-results")
    page.get_by_role("link", name="Yves Garnier").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Yves Garnier")
    expect(page.locator("dl")).to_contain_text("Direction des ressources humaines")
    expect(page.get_by_role("link", name="Activer mon compte")).to_be_visible()
    look(page, "annuaire-person")


@pytest.mark.guide("G6c")
def test_activation_is_offered_to_whom_it_is_for(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    search(page, "jeanne martin")
    page.get_by_role("link", name="Jeanne Martin").click()
    expect(page.locator("dl")).to_contain_text("jeanne.martin@univ-provence.fr")
    expect(page.locator("dl")).to_contain_text("04 65 71 00 21")
    expect(page.get_by_role("link", name="Activer mon compte")).to_have_count(0)
    look(page, "annuaire-person-active")


@pytest.mark.guide("G6a")
def test_the_profile_is_honoured(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    search(page, "nguyen")
    expect(page.get_by_role("heading", name="Aucune personne trouvée")).to_be_visible()
    expect(page.locator("main")).to_contain_text("le lendemain de la saisie")
    expect(page.locator("main")).to_contain_text("04 65 71 00 30")
    look(page, "annuaire-nobody")
    page.get_by_role("link", name="Chercher dans tous les profils").click()
    expect(page.get_by_role("link", name="Thu Nguyen")).to_be_visible()
    search(page, "nguyen", "Étudiant")
    expect(page.get_by_role("link", name="Thu Nguyen")).to_be_visible()


@pytest.mark.guide("G6a")
@pytest.mark.parametrize(
    "typed", ["LEFEVRE", "lefèvre amélie", "Amelie Lef", "lef", "Lefevr", "Lefevvre", "Lefvère"]
)
def test_ways_to_type_a_name(page: Page, annuaire: str, typed: str) -> None:
    page.goto(annuaire)
    search(page, typed)
    expect(page.locator(".result").first).to_contain_text("Amélie Lefèvre")


def test_by_structure(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    search(page, "", structure="lettres")
    page.get_by_role("link", name="UFR Lettres").click()
    expect(page.get_by_role("link", name="Amélie Lefèvre")).to_be_visible()
    expect(page.get_by_role("link", name="Thu Nguyen")).to_have_count(0)
    look(page, "annuaire-structure")
    page.get_by_role("navigation", name="Navigation principale").get_by_text("Structures").click()
    look(page, "annuaire-structures")
    page.get_by_role("link", name="Maison méditerranéenne").click()
    expect(page.get_by_role("link", name="Karim Benali")).to_be_visible()


def test_an_empty_form_says_what_to_do_beside_the_field(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    search(page, "")
    expect(page.get_by_role("alert")).to_contain_text("Saisissez un nom")
    expect(page.get_by_role("alert")).to_be_focused()
    field = page.get_by_label("Nom", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Erreur\u00a0: Saisissez un nom"))
    look(page, "annuaire-empty")
    page.get_by_role("alert").get_by_role("link").click()
    expect(field).to_be_focused()


def test_by_keyboard_alone(page: Page, annuaire: str) -> None:
    page.goto(annuaire)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Nom", exact=True)).to_be_focused()
    page.keyboard.type("benali")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Karim Benali")).to_be_visible()


def test_without_script_and_in_english(browser: Browser, annuaire: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="fr-FR")
    page = context.new_page()
    page.goto(annuaire)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_label("Name", exact=True).fill("garnier")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Yves Garnier").click()
    expect(page.get_by_role("link", name="Activate my account")).to_be_visible()
    context.close()
