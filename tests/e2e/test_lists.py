"""The lists as people see them: in from the ENT, the archive, moderation, and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from lab import LabUnderTest, wait_for
from mail import Mail, compose
from sympa import Sympa

pytestmark = [
    pytest.mark.uses("lists1", "client1"),
    pytest.mark.service("lists1", "sympa", "wwsympa", "sympa-archived", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]
SignIn = Callable[..., None]
OPEN, MODERATED = "et-discussion", "et-moderee"


@pytest.fixture(scope="module")
def sympa(lab: LabUnderTest) -> Iterator[Sympa]:
    sympa = Sympa(lab)
    members = {"structures": ["DSI"]}
    with sympa.lists(
        {"name": OPEN, "subject": "Discussion d’essai", "members": members},
        {
            "name": MODERATED,
            "subject": "Liste modérée d’essai",
            "members": members,
            "post": "moderated",
            "moderators": ["kbenali"],
        },
    ):
        yield sympa


@pytest.mark.guide("G1", "G1b")
def test_from_the_ent_to_the_archive_without_a_second_password(
    page: Page, lab: LabUnderTest, sympa: Sympa, sign_in: SignIn
) -> None:
    mail = Mail(lab)
    message = compose(
        f"sophie.faure@{lab.domain}",
        sympa.address(OPEN),
        subject="Compte rendu de la réunion",
        body="Voici le compte rendu.\n",
    )
    with mail.submission("sfaure") as smtp:
        smtp.send_message(message)
    arrived = mail.arrived("jmartin", message)

    # the ENT asks for the password, once
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, "jmartin")
    expect(page).to_have_url(f"https://ent.{lab.domain}/")

    # « Archives » is the link of the message itself
    archive = str(arrived["List-Archive"]).strip("<>")
    assert archive == f"{sympa.url}/arc/{OPEN}"
    wait_for(
        lambda: _sees(page, archive, "Compte rendu de la réunion"), what="the post in the archive"
    )
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("link", name="Compte rendu de la réunion").first.click()
    expect(page.locator("body")).to_contain_text("Voici le compte rendu.")


def _sees(page: Page, url: str, text: str) -> bool:
    page.goto(url)
    return text in page.locator("body").inner_text()


@pytest.mark.guide("G1b")
def test_a_stranger_to_a_list_reads_no_archive(
    page: Page, lab: LabUnderTest, sympa: Sympa, sign_in: SignIn
) -> None:
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, "tnguyen")
    page.goto(f"{sympa.url}/arc/{OPEN}")
    expect(page.locator("body")).to_contain_text("thu.nguyen")
    expect(page.locator("body")).to_contain_text("Si vous êtes abonné à cette liste avec une autre")
    expect(page.get_by_role("link", name="Compte rendu")).to_have_count(0)


@pytest.mark.guide("G1b")
def test_a_moderator_approves_in_the_pages(
    page: Page, lab: LabUnderTest, sympa: Sympa, sign_in: SignIn
) -> None:
    mail = Mail(lab)
    before = {one["Message-ID"] for one in _inbox(mail, "kbenali")}
    message = compose(
        f"jeanne.martin@{lab.domain}", sympa.address(MODERATED), subject="À approuver"
    )
    with mail.submission("jmartin") as smtp:
        smtp.send_message(message)
    wait_for(lambda: sympa.waiting(MODERATED), what="the message in moderation")
    # the moderator is told
    wait_for(
        lambda: any(
            MODERATED in str(one["Subject"]) or MODERATED in str(one["To"])
            for one in _inbox(mail, "kbenali")
            if one["Message-ID"] not in before
        ),
        what="the request to the moderator",
    )
    assert mail.read("sfaure", message["Message-ID"]) == []

    page.goto(f"{sympa.url}/login")
    sign_in(page, "kbenali")
    page.goto(f"{sympa.url}/modindex/{MODERATED}")
    page.locator("input[type=checkbox][name=id]").first.check()
    page.locator("[name=action_distribute]").first.click()
    _confirm(page)
    mail.arrived("sfaure", message)


def _confirm(page: Page) -> None:
    """Sympa asks whether this is meant."""
    page.locator("[name=response_action_confirm]").first.click()


def _inbox(mail: Mail, uid: str) -> list[EmailMessage]:
    """Headers of the newest messages of a person."""
    with mail.imap(uid) as imap:
        imap.select("INBOX", readonly=True)
        _, (numbers,) = imap.search(None, "ALL")
        found = []
        for number in numbers.split()[-20:]:
            _, parts = imap.fetch(number, "(BODY.PEEK[HEADER])")
            found.append(message_from_bytes(parts[0][1], policy=policy.default))
    return found


@pytest.mark.guide("G1b")
def test_writing_in_the_pages(page: Page, lab: LabUnderTest, sympa: Sympa, sign_in: SignIn) -> None:
    mail = Mail(lab)
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, "jmartin")
    page.goto(f"{sympa.url}/compose_mail/{OPEN}")
    subject = f"Écrit dans la page {uuid4()}"
    page.locator("input[name=subject]").fill(subject)
    page.locator("textarea[name=body]").fill("Bonjour à tous.")
    page.locator("[name=sub_action_sendmailtolist]").first.click()
    wait_for(
        lambda: any(subject in str(one["Subject"]) for one in _inbox(mail, "sfaure")),
        what="what was written in the page",
    )


@pytest.mark.guide("G1", "G1b")
def test_signing_out_of_the_ent_ends_the_lists_too(
    browser: Browser, page: Page, lab: LabUnderTest, sympa: Sympa, sign_in: SignIn
) -> None:
    other = browser.new_context(locale="fr-FR").new_page()
    for one, uid in ((page, "jmartin"), (other, "sfaure")):
        one.goto(f"https://ent.{lab.domain}/connexion")
        sign_in(one, uid)
        one.goto(f"{sympa.url}/my")
        expect(one.locator("body")).to_contain_text(OPEN)
    page.goto(f"https://cas.{lab.domain}/cas/logout")
    page.goto(f"{sympa.url}/review/{OPEN}")
    assert sympa.sessions(f"jeanne.martin@{lab.domain}") == 0
    other.goto(f"{sympa.url}/my")
    expect(other.locator("body")).to_contain_text(OPEN)
    assert sympa.sessions(f"sophie.faure@{lab.domain}") > 0
    other.context.close()
