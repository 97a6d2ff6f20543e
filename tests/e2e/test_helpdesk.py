"""A forgotten password over the telephone: the agent in one browser, the caller in another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import looks
from helpdesk_people import NEW, Someone, lines_about, someone
from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("helpdesk", "client1", "harpege"),
    pytest.mark.service("annuaire1", "ent-helpdesk", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]
SignIn = Callable[..., None]
#: Those that docs/helpdesk.md shows.
PICTURES = {
    "helpdesk-person",
    "helpdesk-verified",
    "helpdesk-code",
    "helpdesk-redeem",
    "helpdesk-redeemed",
    "helpdesk-trail",
}


def look(page: Page, name: str) -> None:
    """What must hold on every page; these are French."""
    looks.look(page, name, picture=name in PICTURES)
    expect(page.locator("html")).to_have_attribute("lang", "fr")


@pytest.fixture
def desk(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}/assistance"


@pytest.fixture
def caller(browser: Browser) -> Iterator[Page]:
    """The caller's own browser, elsewhere."""
    context: BrowserContext = browser.new_context(
        locale="fr-FR", viewport={"width": 1280, "height": 800}
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def other(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab, "Ophélie", "Oubli", plain=True) as who:
        yield who


def enter(page: Page, desk: str, sign_in: SignIn, uid: str) -> None:
    page.goto(f"{desk}/")
    page.get_by_role("link", name="Personnel de l’assistance\u00a0: se connecter").click()
    sign_in(page, uid)


def find(page: Page, typed: str, name: str) -> None:
    page.get_by_label("Nom, identifiant ou adresse").fill(typed)
    page.get_by_role("button", name="Chercher").click()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def verify(page: Page, number: str, born: str) -> None:
    page.get_by_label("Code Harpège").fill(number)
    page.get_by_label("Date de naissance").fill(born)
    page.get_by_role("button", name="Vérifier").click()


def choose(page: Page, uid: str, code: str, password: str) -> None:
    page.get_by_label("Identifiant").fill(uid)
    page.get_by_label("Code donné par l’assistance").fill(code)
    page.get_by_label("Nouveau mot de passe", exact=True).fill(password)
    page.get_by_label("Nouveau mot de passe, une seconde fois").fill(password)
    page.get_by_role("button", name="Valider").click()


@pytest.mark.guide("G8")
def test_the_way_to_a_forgotten_password(page: Page, lab: LabUnderTest) -> None:
    """From the first page of annuaire to the telephone, and to the form for the code."""
    page.goto(f"https://annuaire.{lab.domain}")
    page.get_by_role("link", name="Mot de passe oublié ?").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mot de passe oublié ?")
    expect(page.locator("main")).to_contain_text("Appelez l’assistance au 04 65 71 00")
    page.get_by_role("link", name="J’ai reçu un code").click()
    page.get_by_label("Identifiant").fill("prenom.nom@univ-provence.fr")
    page.get_by_role("button", name="Valider").click()
    expect(page.get_by_label("Identifiant")).to_have_accessible_description(
        re.compile("et non votre adresse électronique")
    )
    look(page, "helpdesk-address")


@pytest.mark.guide("G8")
def test_a_forgotten_password(
    page: Page,
    caller: Page,
    browser: Browser,
    lab: LabUnderTest,
    desk: str,
    sign_in: SignIn,
    other: Someone,
) -> None:
    # the agent signs in
    page.goto(f"{desk}/")
    look(page, "helpdesk-welcome")
    enter(page, desk, sign_in, "sfaure")
    look(page, "helpdesk-search")

    # the caller has tried what came to mind
    caller.goto(f"https://ent.{lab.domain}/connexion")
    for guess in range(5):
        sign_in(caller, other.uid, f"essai-{guess}")
    sign_in(caller, other.uid, "encore-1")
    expect(caller.locator("body")).to_contain_text("Connexion suspendue quelques minutes")

    # found by a name without accents
    find(page, "oubli ophelie", other.name)
    expect(page.get_by_role("heading", name="Page de connexion ralentie")).to_be_visible()
    look(page, "helpdesk-person")

    # the caller says who they are; nothing of it is on the page
    content = page.content()
    assert other.number not in content
    assert "1979" not in content
    verify(page, other.number, other.born)
    expect(page.get_by_role("status")).to_contain_text("identité vérifiée")
    look(page, "helpdesk-verified")
    page.get_by_role("button", name="Donner un code").click()
    code = page.locator(".code").inner_text()
    assert re.fullmatch(r"\d{3} \d{3} \d{3}", code)
    expect(page.locator("main")).to_contain_text(f"{desk}/code")
    look(page, "helpdesk-code")

    # the caller chooses a password
    caller.goto(f"{desk}/code")
    look(caller, "helpdesk-redeem")
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    choose(caller, other.uid, wrong, NEW)
    expect(caller.get_by_role("alert")).to_contain_text("Cet essai n’est pas compté")
    look(caller, "helpdesk-redeem-error")
    choose(caller, other.uid, code, NEW)
    expect(caller.get_by_role("heading", level=1)).to_have_text("Mot de passe enregistré")
    expect(caller.locator("main")).to_contain_text(other.uid)
    look(caller, "helpdesk-redeemed")

    # and signs in at the ENT at once, though the sign-on had had enough
    caller.get_by_role("link", name="Aller à l’ENT").click()
    caller.get_by_role("link", name="Se connecter").click()
    sign_in(caller, other.uid, NEW)
    expect(caller.get_by_role("heading", level=1)).to_have_text("Bonjour Ophélie")

    # the old password is refused
    context = browser.new_context(locale="fr-FR")
    stranger = context.new_page()
    stranger.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(stranger, other.uid, other.password)
    expect(stranger.locator("body")).to_contain_text("Identifiant ou mot de passe incorrect")
    context.close()

    # the code has had its use
    caller.goto(f"{desk}/code")
    choose(caller, other.uid, code, "encore-2026")
    expect(caller.get_by_role("alert")).to_contain_text("n’est plus valable")
    look(caller, "helpdesk-spent")


@pytest.mark.guide("G8")
def test_the_auditor_reads_what_was_done(
    page: Page, lab: LabUnderTest, browser: Browser, desk: str, sign_in: SignIn, other: Someone
) -> None:
    enter(page, desk, sign_in, "sfaure")
    find(page, other.uid, other.name)
    verify(page, other.number, other.born)
    page.get_by_role("button", name="Donner un code").click()
    code = page.locator(".code").inner_text()

    context = browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    auditor = context.new_page()
    enter(auditor, desk, sign_in, "ldumas")
    expect(auditor.get_by_role("heading", level=1)).to_have_text("Journal de l’assistance")
    auditor.get_by_label("Personne (identifiant)").fill(other.uid)
    auditor.get_by_role("button", name="Filtrer").click()
    table = auditor.get_by_role("table")
    for text in ("Consultation d’un compte", "Vérification d’identité", "Remise d’un code"):
        expect(table.get_by_role("row").filter(has_text=text).first).to_contain_text("sfaure")
    expect(table).to_contain_text("code Harpège et date de naissance exacts")
    assert code not in auditor.content()
    assert other.number not in auditor.content()
    look(auditor, "helpdesk-trail")

    with auditor.expect_download() as download:
        auditor.get_by_role("link", name="Exporter (CSV)").click()
    # the browser is in the lab, and so is what it saved
    saved = lab.run("client1", "cat %s", str(download.value.path()))
    assert saved.rc == 0, saved.stderr
    rows = saved.stdout.removeprefix("\ufeff").splitlines()
    assert rows[0].startswith("Ligne;Date et heure;Agent;")
    assert any(f";{other.uid};Fait;" in row and "Remise d’un code" in row for row in rows)
    assert len(rows) > 4
    assert all(other.uid in row for row in rows[1:])

    auditor.get_by_role("button", name="Contrôler l’intégrité").click()
    expect(auditor.locator("main")).to_contain_text("Le journal est intact")
    look(auditor, "helpdesk-check")

    # who audits does not act, who acts does not audit
    assert auditor.goto(f"{desk}/personne/{other.uid}").status == 403  # type: ignore[union-attr]
    look(auditor, "helpdesk-refused")
    assert page.goto(f"{desk}/journal").status == 403  # type: ignore[union-attr]
    context.close()
    assert "export done ldumas" in lines_about(lab, other.uid)


def test_the_errors_of_the_form(page: Page, desk: str, sign_in: SignIn, other: Someone) -> None:
    enter(page, desk, sign_in, "sfaure")
    find(page, other.uid, other.name)
    verify(page, other.number, "9/8/79")
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Écrivez l’année avec quatre chiffres.")
    look(page, "helpdesk-error")
    summary.get_by_role("link").click()
    expect(page.get_by_label("Date de naissance")).to_be_focused()
    expect(page.get_by_label("Date de naissance")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(
    ("uid", "said"),
    [
        ("ygarnier", "Compte pas encore activé"),
        ("mroux", "Compte suspendu par l’administration"),
        ("pdurand", "Compte expiré"),
    ],
)
def test_why(page: Page, desk: str, sign_in: SignIn, uid: str, said: str) -> None:
    enter(page, desk, sign_in, "sfaure")
    page.goto(f"{desk}/personne/{uid}")
    expect(page.get_by_role("heading", name=said)).to_be_visible()
    expect(page.get_by_role("button", name="Donner un code")).to_have_count(0)
    look(page, f"helpdesk-{uid}")


def test_never_entered_in_harpege(page: Page, desk: str, sign_in: SignIn) -> None:
    enter(page, desk, sign_in, "sfaure")
    page.get_by_label("Nom, identifiant ou adresse").fill("Zzyzx Wxyz")
    page.get_by_role("button", name="Chercher").click()
    expect(page.locator("main")).to_contain_text("n’a jamais été saisie dans Harpège")
    look(page, "helpdesk-not-found")


def test_in_english(page: Page, desk: str) -> None:
    page.goto(f"{desk}/code")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("Type your login.")
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")


def test_with_the_keyboard_alone(page: Page, desk: str) -> None:
    page.goto(f"{desk}/code")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    for label in (
        "Identifiant",
        "Code donné par l’assistance",
        "Nouveau mot de passe",
        "Nouveau mot de passe, une seconde fois",
    ):
        page.keyboard.press("Tab")
        expect(page.get_by_label(label, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()


def test_without_scripts(browser: Browser, desk: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{desk}/code")
        choose(page, "nobody", "123 456 782", "nouveau-2026")
        expect(page.get_by_role("alert")).to_be_visible()
    finally:
        context.close()
