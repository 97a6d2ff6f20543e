"""The pages of the activation in the browser, step by step as the guide has them."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from activation_people import PASSWORD, Newcomer
from lab import wait_for


def find(page: Page, annuaire: str, who: Newcomer) -> None:
    """G6a, G6b: search one's name, and click on the result; the index is seconds behind."""

    def found() -> bool:
        page.goto(annuaire)
        form = page.get_by_role("search")
        form.get_by_label("Nom", exact=True).fill(who.surname)
        form.get_by_label("Personnel", exact=True).check()
        form.get_by_role("button", name="Rechercher").click()
        return page.get_by_role("link", name=who.name, exact=True).count() == 1

    wait_for(found, what=f"{who.name} in the index of the search")
    page.get_by_role("link", name=who.name, exact=True).click()


def begin(page: Page, annuaire: str, who: Newcomer) -> None:
    """G6c, G6d: « activer mon compte », accept the charter."""
    find(page, annuaire, who)
    page.get_by_role("link", name="Activer mon compte").click()
    accept_charter(page)


def accept_charter(page: Page) -> None:
    page.get_by_label("J’ai pris connaissance de la charte").check()
    page.get_by_role("button", name="Continuer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Renseignez les informations demandées"
    )


def fill_in(page: Page, who: Newcomer, password: str = PASSWORD, **changes: str) -> None:
    """G6e: the information requested."""
    page.get_by_label("Code Harpège", exact=True).fill(changes.get("code", who.code))
    page.get_by_label("Date de naissance", exact=True).fill(changes.get("born", who.born))
    page.get_by_label("Mot de passe", exact=True).fill(password)
    page.get_by_label("Mot de passe, une seconde fois").fill(changes.get("again", password))


def validate(page: Page) -> None:
    page.get_by_role("button", name="Valider").click()


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)
