"""« Mon compte »: what staff see of themselves and change, in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import looks
from account_people import NEW, PASSWORD, cas_accepts, forget, make
from activation_people import People
from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("annuaire1", "portal1", "client1", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
    pytest.mark.service("ldap1", "slapd"),
]
SignIn = Callable[..., None]
UID = "ac.lea"
NAME = "Léa Compte-Navigateur"


def look(page: Page, name: str) -> None:
    """What must hold on every page."""
    looks.look(page, name, full_page=True)


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    yield made
    made.remove()


@pytest.fixture
def lea(people: People) -> str:
    """Somebody who has activated and accepted the charter in force."""
    make(people, UID, "Léa", surname="Compte-Navigateur")
    forget(people)
    return UID


@pytest.fixture
def annuaire(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}"


@pytest.fixture
def account(page: Page, annuaire: str, lea: str, sign_in: SignIn) -> Page:
    """Her own page, reached as the annuaire offers it."""
    page.goto(annuaire)
    page.get_by_role("link", name="Mon compte").click()
    sign_in(page, lea, PASSWORD)
    expect(heading(page)).to_have_text("Mon compte")
    return page


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def line(page: Page, label: str) -> Locator:
    """The values that stand beside a label."""
    row = page.locator(".record > div").filter(has=page.locator(f"dt:text-is('{label}')"))
    return row.locator("dd")


def test_what_the_directory_says(account: Page, lea: str) -> None:
    expect(line(account, "Nom affiché")).to_have_text(NAME)
    expect(line(account, "Identifiant")).to_have_text(lea)
    expect(line(account, "Structure principale")).to_have_text("Direction des ressources humaines")
    expect(line(account, "Adresse électronique")).to_have_text(f"{lea}@univ-provence.fr")
    expect(line(account, "Anciennes et autres adresses")).to_have_text(f"{lea}@up.univ-aix.fr")
    expect(line(account, "Téléphone")).to_have_text("04 65 71 00 47")
    expect(line(account, "État du compte")).to_have_text("Actif")
    expect(line(account, "Charte informatique")).to_contain_text(
        "Version 2026-1 acceptée le 1 novembre 2026."
    )
    body = account.locator("main")
    expect(body).to_contain_text("division du personnel")
    # the proofs of identity are nowhere
    expect(body).not_to_contain_text("1975")
    expect(account.locator(".who")).to_have_text(NAME)
    look(account, "account")


def find(page: Page, annuaire: str) -> Locator:
    """The result of a search for her, as anybody makes it."""
    page.goto(annuaire)
    form = page.get_by_role("search")
    form.get_by_label("Nom", exact=True).fill("compte navigateur")
    form.get_by_role("button", name="Rechercher").click()
    return page.get_by_role("link", name=NAME, exact=True)


def test_red_list_and_telephone_as_the_public_sees_them(
    account: Page, browser: Browser, annuaire: str
) -> None:
    public = browser.new_context(locale="fr-FR").new_page()
    # the index is seconds behind for somebody new
    wait_for(lambda: find(public, annuaire).count() == 1, what="she is in the public directory")
    find(public, annuaire).click()
    expect(public.locator("main")).to_contain_text("04 65 71 00 47")
    her_page = public.url
    account.get_by_role("link", name="Modifier l’affichage").click()
    expect(heading(account)).to_have_text("Affichage dans l’annuaire public")
    look(account, "account-display")
    account.get_by_label("Ne pas montrer mon téléphone").check()
    account.get_by_role("button", name="Enregistrer").click()
    expect(account.locator(".success")).to_contain_text("sont enregistrés")
    expect(line(account, "Annuaire public")).to_contain_text("sans votre téléphone")
    public.goto(her_page)
    expect(heading(public)).to_have_text(NAME)
    expect(public.locator("main")).not_to_contain_text("04 65 71 00 47")
    account.get_by_role("link", name="Modifier l’affichage").click()
    expect(account.get_by_label("Ne pas montrer mon téléphone")).to_be_checked()
    account.get_by_label("liste rouge").check()
    account.get_by_role("button", name="Enregistrer").click()
    expect(line(account, "Annuaire public")).to_contain_text("liste rouge")
    response = public.goto(her_page)
    assert response
    assert response.status == 404
    assert find(public, annuaire).count() == 0
    public.context.close()


def test_personal_address(account: Page) -> None:
    account.get_by_role("link", name="Modifier l’adresse personnelle").click()
    address = account.get_by_label("Adresse électronique personnelle")
    again = account.get_by_label("La même adresse, une seconde fois")
    address.fill("lea@univ-provence.fr")
    again.fill("lea@exemple.fr")
    account.get_by_role("button", name="Enregistrer cette adresse").click()
    summary = account.get_by_role("alert")
    expect(summary).to_contain_text("est une adresse de l’université")
    expect(summary).to_be_focused()
    expect(address).to_have_attribute("aria-invalid", "true")
    look(account, "account-recovery-error")
    summary.get_by_role("link").first.click()
    expect(address).to_be_focused()
    address.fill("lea@exemple.fr")
    again.fill("lea@exemple.fr")
    account.get_by_role("button", name="Enregistrer cette adresse").click()
    expect(line(account, "Adresse personnelle")).to_contain_text("lea@exemple.fr")
    account.get_by_role("link", name="Modifier l’adresse personnelle").click()
    look(account, "account-recovery")
    account.get_by_role("button", name="Supprimer").click()
    expect(line(account, "Adresse personnelle")).to_contain_text("Aucune.")


def change_password(page: Page, present: str, new: str) -> None:
    page.get_by_label("Mot de passe actuel", exact=True).fill(present)
    page.get_by_label("Nouveau mot de passe", exact=True).fill(new)
    page.get_by_label("Nouveau mot de passe, une seconde fois").fill(new)
    page.get_by_role("button", name="Changer le mot de passe").click()


def test_password(account: Page, lab: LabUnderTest, lea: str) -> None:
    account.get_by_role("link", name="Changer le mot de passe").click()
    expect(heading(account)).to_have_text("Changer de mot de passe")
    expect(account.get_by_text("au moins 6 caractères")).to_be_visible()
    look(account, "account-password")
    change_password(account, "faux-2026", NEW)
    expect(account.get_by_role("alert")).to_contain_text("Ce n’est pas votre mot de passe actuel")
    expect(account.get_by_label("Mot de passe actuel", exact=True)).to_have_value("")
    look(account, "account-password-wrong")
    change_password(account, PASSWORD, "nouveau")
    expect(account.get_by_role("alert")).to_contain_text("au moins un chiffre")
    change_password(account, PASSWORD, NEW)
    expect(account.locator(".success")).to_contain_text("Votre mot de passe est changé")
    assert cas_accepts(lab, lea, NEW)
    assert not cas_accepts(lab, lea, PASSWORD)
    look(account, "account-password-changed")
    # reloading sends nothing again and says it no more
    account.reload()
    expect(account.locator(".success")).to_have_count(0)


def test_a_charter_that_is_not_accepted(
    page: Page, lab: LabUnderTest, people: People, lea: str, sign_in: SignIn, annuaire: str
) -> None:
    """The portal announces it, the own page asks; « Plus tard » closes nothing."""
    people.directory.as_root(
        f"dn: {people.directory.dn(lea)}\nchangetype: modify\nreplace: supannConsentement\n"
        "supannConsentement: {CHARTE}2019-1:20190901080000Z\n\n"
    )
    portal = f"https://ent.{lab.domain}"
    page.goto(f"{portal}/connexion")
    sign_in(page, lea, PASSWORD)
    expect(page.locator("#charte")).to_contain_text("charte")
    look(page, "portal-charter")
    page.goto(f"{annuaire}/compte/")
    expect(heading(page)).to_have_text("La charte informatique a changé")
    look(page, "account-charter")
    page.get_by_role("button", name="Plus tard").click()
    expect(heading(page)).to_have_text("Mon compte")
    expect(page.locator(".notice")).to_contain_text("pas encore accepté")
    page.goto(portal)
    page.get_by_role("link", name="Lire et accepter la charte").click()
    page.get_by_role("button", name="Accepter").click()
    expect(page.get_by_role("alert")).to_contain_text("cochez la case")
    page.get_by_label("J’ai pris connaissance de la charte").check()
    page.get_by_role("button", name="Accepter").click()
    expect(page.locator(".success")).to_contain_text("acceptation de la charte est enregistrée")
    expect(line(page, "Charte informatique")).to_contain_text("Version 2026-1 acceptée")
    page.goto(portal)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Bonjour")
    expect(page.locator("#charte")).to_have_count(0)


def test_closed_while_the_page_is_open(account: Page, people: People, lea: str) -> None:
    people.directory.as_root(
        f"dn: {people.directory.dn(lea)}\nchangetype: modify\nreplace: supannRessourceEtat\n"
        "supannRessourceEtat: {COMPTE}S:SupannVerrouAdministratif\n\n"
    )
    account.get_by_role("link", name="Modifier l’affichage").click()
    expect(heading(account)).to_have_text("Votre session est terminée")
    expect(account.locator("main")).to_contain_text("suspendu par l’administration")
    expect(account.locator("main")).not_to_contain_text(NAME)
    look(account, "account-closed")


def test_with_the_keyboard_and_without_scripts(
    browser: Browser, annuaire: str, lab: LabUnderTest, lea: str, sign_in: SignIn
) -> None:
    """The change of password from the link to its end, by Tab and Enter alone."""
    context = browser.new_context(locale="fr-FR", java_script_enabled=False)
    page = context.new_page()
    try:
        page.goto(f"{annuaire}/compte/")
        sign_in(page, lea, PASSWORD)
        page.get_by_role("link", name="Changer le mot de passe").press("Enter")
        expect(heading(page)).to_have_text("Changer de mot de passe")
        page.get_by_label("Mot de passe actuel", exact=True).focus()
        page.keyboard.type(PASSWORD)
        for _ in range(2):
            page.keyboard.press("Tab")
            page.keyboard.type(NEW)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Changer le mot de passe")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".success")).to_contain_text("Votre mot de passe est changé")
    finally:
        context.close()
    assert cas_accepts(lab, lea, NEW)


def test_signing_out(account: Page, annuaire: str) -> None:
    account.get_by_role("button", name="Se déconnecter").click()
    account.wait_for_load_state()
    expect(account.locator("body")).not_to_contain_text(NAME)
    for _ in range(2):
        account.go_back()
        assert NAME not in account.content()
    account.goto(f"{annuaire}/compte/")
    expect(account.locator("input[name=password]")).to_be_visible()


def test_english(account: Page) -> None:
    account.get_by_role("button", name="English").click()
    expect(heading(account)).to_have_text("My account")
    expect(line(account, "State of the account")).to_have_text("Active")
    look(account, "account-english")
