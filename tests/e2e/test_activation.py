"""A newcomer with the guide in hand: from the search to the ENT, in the browser, in its words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

import looks
from activation_browser import accept_charter, begin, fill_in, find, heading, validate
from activation_people import PASSWORD, People
from lab import REPOSITORY, LabUnderTest

pytestmark = [
    pytest.mark.uses("annuaire1", "portal1", "client1", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
    pytest.mark.service("ldap1", "slapd"),
]
SignIn = Callable[..., None]
MANUAL = REPOSITORY / "docs" / "mode-d-emploi.md"
# The manual's pictures are taken anew: WRITE_DOCS=1 make verify TESTS=tests/e2e/test_activation.py
WRITE_DOCS = os.environ.get("WRITE_DOCS")


def look(page: Page, name: str) -> None:
    """What must hold on every page; the manual takes its own pictures."""
    looks.look(page, name, picture=False)


class Manual:
    """The illustrated manual, whose every quoted word must be on the page it is about."""

    def __init__(self) -> None:
        sections = re.split(r"^## \d+\. ", MANUAL.read_text("utf-8"), flags=re.M)[1:]
        self.sections = [section.partition("\n## ")[0] for section in sections]
        self.read = 0

    def step(self, page: Page, *, quoted: bool = True) -> None:
        """The page of the next section: its quoted words are there, its picture is of it."""
        section = self.sections[self.read]
        self.read += 1
        if quoted:
            for words in re.findall(r"« (.+?) »", re.sub(r"\s+", " ", section)):
                expect(page.get_by_text(words).first, f"manual, {section[:30]!r}").to_be_visible()
        [picture] = re.findall(r"!\[.+?\]\((images/mode-d-emploi/.+?\.png)\)", section)
        target = MANUAL.parent / picture
        if WRITE_DOCS:
            target.parent.mkdir(parents=True, exist_ok=True)
            size = page.viewport_size
            page.set_viewport_size({"width": 1000, "height": 700})
            page.screenshot(path=target, animations="disabled", full_page=True)
            assert size
            page.set_viewport_size(size)
        assert target.exists(), f"{target}: take it with WRITE_DOCS=1"


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    made.forget_failures()
    yield made
    made.remove()


@pytest.fixture
def annuaire(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}"


@pytest.mark.guide("G6a", "G6b", "G6c", "G6d", "G6e", "G6f", "G7b")
def test_the_guide_step_by_step(
    page: Page, lab: LabUnderTest, people: People, annuaire: str, sign_in: SignIn
) -> None:
    """Each step as the guide words it, and the manual's page of it."""
    who = people.make("inouvellevenue", "Inès", "Nouvelle-Venue")
    manual = Manual()
    # Rendez-vous sur annuaire.univ-provence.fr ; recherchez votre nom, en précisant Personnel
    find(page, annuaire, who)
    page.goto(annuaire)
    page.get_by_label("Nom", exact=True).fill("nouvelle venue")
    manual.step(page)
    page.get_by_role("button", name="Rechercher").click()
    # Cliquez sur le résultat de la recherche qui vous correspond
    manual.step(page, quoted=False)
    page.get_by_role("link", name=who.name, exact=True).click()
    # Cliquez sur « activer mon compte »
    manual.step(page)
    page.get_by_role("link", name=re.compile("^activer mon compte$", re.I)).click()
    # Acceptez la charte d’utilisation des ressources informatiques (pour en prendre connaissance)
    expect(heading(page)).to_have_text("Activer mon compte")
    expect(page.get_by_text("Article 2 – Compte et mot de passe")).to_be_attached()
    look(page, "charter")
    manual.step(page)
    accept_charter(page)
    # Renseignez les informations demandées ; au moins 6 caractères, des chiffres et des lettres
    expect(
        page.get_by_text("au moins 6 caractères, comprenant à la fois des chiffres")
    ).to_be_visible()
    fill_in(page, who)
    look(page, "details")
    manual.step(page)
    # Cliquez sur « Valider ». Votre compte est activé.
    validate(page)
    expect(heading(page)).to_have_text("Votre compte est activé.")
    address = f"ines.nouvelle-venue@{lab.domain}"
    expect(page.locator("#identifiant")).to_have_text(who.uid)
    expect(page.locator("#adresse")).to_have_text(address)
    look(page, "done")
    manual.step(page)
    # et vous connecter à l’ENT
    page.get_by_role("link", name="Aller à l’ENT").click()
    page.get_by_role("link", name="Se connecter").click()
    sign_in(page, who.uid, PASSWORD)
    expect(page.locator(".person-name")).to_have_text(who.name)
    manual.step(page, quoted=False)
    expect(page.get_by_role("heading", name="Mes services")).to_be_visible()
    assert manual.read == len(manual.sections)
    # the page of the person says so too
    find(page, annuaire, who)
    expect(page.locator("dl")).to_contain_text(address)
    expect(page.get_by_role("link", name="Activer mon compte")).to_have_count(0)


@pytest.mark.guide("G7a", "G7b", "G7c")
def test_somebody_with_an_address_of_the_old_server(
    page: Page, lab: LabUnderTest, people: People, annuaire: str, sign_in: SignIn
) -> None:
    old = ["loic.ancien@up.univ-mrs.fr"]
    who = people.make("t5.ancien", "Loïc", "L’Ancien", supannAutreMail=old)
    begin(page, annuaire, who)
    fill_in(page, who)
    validate(page)
    expect(page.locator("#adresse")).to_have_text(f"loic.lancien@{lab.domain}")
    expect(page.locator("#anciennes-adresses")).to_have_text(re.compile("loic.ancien@up.univ-mrs"))
    expect(page.locator("main")).to_contain_text(
        f"renvoyés automatiquement à loic.lancien@{lab.domain}"
    )
    expect(page.locator("main")).to_contain_text("Vos abonnements aux listes de diffusion")
    look(page, "done-legacy")
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, who.uid, PASSWORD)
    expect(page.locator(".person-name")).to_have_text(who.name)


@pytest.mark.guide("G6d")
def test_the_charter_is_read_and_not_accepted(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.charte", "Rémi", "Lecteur")
    find(page, annuaire, who)
    page.get_by_role("link", name="Activer mon compte").click()
    page.get_by_role("button", name="Continuer").click()
    expect(page.get_by_role("alert")).to_contain_text("acceptez la charte en cochant la case")
    expect(page.get_by_role("alert")).to_be_focused()
    box = page.get_by_role("checkbox")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_accessible_description(re.compile("acceptez la charte"))
    look(page, "charter-refused")
    page.get_by_role("link", name="Lire ou imprimer la charte").click()
    expect(heading(page)).to_have_text("Charte d’usage des ressources informatiques")
    look(page, "charter-alone")
    page.emulate_media(media="print")
    assert page.locator(".charter").evaluate("e => getComputedStyle(e).overflowY") == "visible"
    assert people.state(who.uid) == "I:SupannPrecree"


@pytest.mark.guide("G6e")
def test_mistakes_are_told_beside_their_field(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.faute", "Éva", "Distraite")
    begin(page, annuaire, who)
    validate(page)
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_text(
        [
            "Indiquez votre code Harpège.",
            "Indiquez votre date de naissance.",
            "Choisissez un mot de passe.",
            "Tapez le mot de passe une seconde fois.",
        ]
    )
    look(page, "details-empty")
    fill_in(page, who, "éàù12", again="éàù13", born="31/02/75")
    validate(page)
    for label, text in (
        ("Date de naissance", "quatre chiffres"),
        ("Mot de passe", "au moins 6 caractères"),
        ("Mot de passe", "au moins une lettre"),
    ):
        field = page.get_by_label(label, exact=True)
        expect(field).to_have_accessible_description(re.compile(text))
        expect(field).to_have_attribute("aria-invalid", "true")
    look(page, "details-wrong")
    # what was right stays, passwords are typed again
    expect(page.get_by_label("Code Harpège", exact=True)).to_have_value(who.code)
    expect(page.get_by_label("Mot de passe", exact=True)).to_have_value("")
    summary.get_by_role("link").first.click()
    expect(page.get_by_label("Date de naissance", exact=True)).to_be_focused()
    fill_in(page, who, born="02/03/1975")
    validate(page)
    expect(summary).to_contain_text("ne correspondent pas, ensemble, à cette personne")
    look(page, "details-wrong-proofs")
    fill_in(page, who, born="3-2-1975")
    validate(page)
    expect(heading(page)).to_have_text("Votre compte est activé.")


@pytest.mark.guide("G6e")
def test_the_rule_is_shown_kept_while_one_types(page: Page, people: People, annuaire: str) -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    who = people.make("t5.tape", "Guy", "Clavier")
    begin(page, annuaire, who)
    kept = page.locator("#regle li.kept")
    field = page.get_by_label("Mot de passe", exact=True)
    expect(page.locator("#regle")).to_be_visible()
    expect(kept).to_have_count(0)
    for typed, rules in (("éé", 0), ("éé1", 1), ("éé1a", 2), ("éé1a🙂", 2), ("éé1a🙂é", 3)):
        field.fill(typed)
        expect(kept).to_have_count(rules)
    expect(page.get_by_role("status")).to_have_text("Le mot de passe respecte la règle.")
    look(page, "details-typing")
    assert refused == []  # the policy lets the script run, and nothing else was tried


def test_without_scripts(
    browser: Browser, lab: LabUnderTest, people: People, annuaire: str, sign_in: SignIn
) -> None:
    who = people.make("t5.nojs", "Ugo", "Sansscript")
    context = browser.new_context(java_script_enabled=False, locale="fr-FR")
    try:
        page = context.new_page()
        begin(page, annuaire, who)
        expect(page.locator("#regle")).to_be_hidden()
        fill_in(page, who)
        validate(page)
        expect(heading(page)).to_have_text("Votre compte est activé.")
        page.get_by_role("link", name="Aller à l’ENT").click()
        page.get_by_role("link", name="Se connecter").click()
        sign_in(page, who.uid, PASSWORD)
        expect(page.locator(".person-name")).to_have_text(who.name)
    finally:
        context.close()


def test_with_the_keyboard_alone(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.touche", "Ada", "Touche")
    find(page, annuaire, who)

    def tab_to(target: Locator) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        expect(target).to_be_focused()

    tab_to(page.get_by_role("link", name="Activer mon compte"))
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    tab_to(page.locator(".charter"))  # can be scrolled
    tab_to(page.get_by_role("checkbox"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Renseignez les informations demandées")
    for label, text in (
        ("Code Harpège", who.code),
        ("Date de naissance", who.born),
        ("Mot de passe", PASSWORD),
        ("Mot de passe, une seconde fois", PASSWORD),
    ):
        tab_to(page.get_by_label(label, exact=True))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Votre compte est activé.")


@pytest.mark.guide("G6c")
def test_back_reload_and_a_second_tab(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.retour", "Noé", "Retour")
    begin(page, annuaire, who)
    tab = page.context.new_page()
    tab.goto(page.url)
    fill_in(page, who)
    validate(page)
    expect(heading(page)).to_have_text("Votre compte est activé.")
    page.reload()
    expect(heading(page)).to_have_text("Votre compte est activé.")
    # back leads to pages that are loaded anew, and say where things stand
    for _ in range(2):
        page.go_back()
        expect(heading(page)).to_have_text("Votre compte est activé.")
    fill_in(tab, who, "un-autre-1")
    validate(tab)
    expect(heading(tab)).to_have_text("Votre compte est activé.")
    # elsewhere, nobody learns more than that
    other = page.context.browser
    assert other
    context = other.new_context(locale="fr-FR")
    try:
        stranger = context.new_page()
        stranger.goto(page.url)
        expect(heading(stranger)).to_have_text("Ce compte est déjà activé")
        expect(stranger.locator("body")).not_to_contain_text(who.uid)
        look(stranger, "already")
    finally:
        context.close()


def test_too_many_attempts_then_a_lock(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.essais", "Tom", "Tenace")
    begin(page, annuaire, who)
    for _ in range(4):
        fill_in(page, who, code="123")
        validate(page)
    told = re.compile(r"Vous pourrez réessayer dans (2\d|30) secondes\.")
    expect(page.get_by_role("alert")).to_contain_text(told)
    fill_in(page, who)
    validate(page)
    expect(heading(page)).to_have_text("Patientez avant de réessayer")
    look(page, "wait")
    people.lock(who.uid)
    page.get_by_role("link", name="Réessayer").click()
    expect(heading(page)).to_have_text("Activation bloquée")
    expect(page.locator("main")).to_contain_text("Appelez l’assistance")
    look(page, "locked")


def test_cookies_are_refused(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.cookie", "Léa", "Régime")
    find(page, annuaire, who)
    page.get_by_role("link", name="Activer mon compte").click()
    page.context.clear_cookies()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Continuer").click()
    expect(page.locator("main")).to_contain_text("refuse les cookies")
    look(page, "cookies")


def test_in_english(page: Page, people: People, annuaire: str) -> None:
    who = people.make("t5.english", "Amy", "Anglaise")
    find(page, annuaire, who)
    page.get_by_role("link", name="Activer mon compte").click()
    page.get_by_role("button", name="English").click()
    expect(heading(page)).to_have_text("Activate my account")
    expect(page.locator("main")).to_contain_text("The French text of the charter is the one")
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_the_manual_has_no_other_pictures() -> None:
    """None is left behind by a step that was dropped."""
    pictures = {Path(one).name for one in re.findall(r"\((images/.+?\.png)\)", MANUAL.read_text())}
    assert pictures == {one.name for one in (MANUAL.parent / "images/mode-d-emploi").glob("*")}
