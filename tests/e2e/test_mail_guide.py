"""From the paper to the new mailbox: somebody with an address of the old server activates."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from activation_browser import begin, fill_in, heading, validate
from activation_people import PASSWORD, People
from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose
from mailmove import done, forget

pytestmark = [
    pytest.mark.uses("annuaire1", "mailmove", "portal1", "client1", "harpege"),
    pytest.mark.service("mailup1", "postfix", "dovecot", "ent-mailmove"),
    pytest.mark.service("mail1", "postfix", "dovecot"),
    pytest.mark.service("annuaire1", "ent-annuaire", "nginx"),
    pytest.mark.service("ldap1", "slapd"),
]
SignIn = Callable[..., None]
UID = "mgancienne"
AIX, MRS = "helene.courrier-essai@up.univ-aix.fr", "helene.courrier-essai@up.univ-mrs.fr"


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    """Nobody has a mailbox before the test, and none stays after it."""
    made = People(lab)
    _remove_mailboxes(lab)
    yield made
    made.remove()
    forget(lab, UID)
    _remove_mailboxes(lab)


def _remove_mailboxes(lab: LabUnderTest) -> None:
    for host in ("mail1", "mailup1"):
        lab.run(host, "rm -rf /var/mail/ent/%s", UID)


@pytest.mark.guide("G3", "G6f", "G7a", "G7b", "G7c")
def test_from_the_paper_to_the_new_mailbox(
    page: Page, lab: LabUnderTest, people: People, sign_in: SignIn
) -> None:
    mail, annuaire = Mail(lab), f"https://annuaire.{lab.domain}"
    new = f"helene.courrier-essai@{lab.domain}"
    # Personnels ayant déjà un courriel de l’Université mais jamais activé: an address in one domain
    who = people.make(UID, "Hélène", "Courrier-Essai", supannAutreMail=AIX)

    old = compose(OUTSIDE, AIX, subject="Avant l’activation")
    mail.send(old, server=mail.legacy_server)
    mail.delivered("mailup1", who.uid, old)
    flagged = lab.run(
        "mailup1", "doveadm flags add -u %s '\\Seen \\Flagged' mailbox INBOX all", who.uid
    )
    assert flagged.rc == 0, flagged.stderr
    assert mail.stored("mail1", who.uid) == []
    with mail.smtp(mail.server) as smtp:
        smtp.mail(OUTSIDE)
        assert smtp.rcpt(new)[0] == 550, "nobody has the new address yet"

    # vous devez activer votre compte
    begin(page, annuaire, who)
    fill_in(page, who)
    validate(page)
    expect(heading(page)).to_have_text("Votre compte est activé.")
    # la création d’une adresse électronique du type prenom.nom@univ-provence.fr
    expect(page.locator("#adresse")).to_have_text(new)
    expect(page.locator("main")).to_contain_text(f"renvoyés automatiquement à {new}")

    # un renvoi automatique de votre ancienne adresse vers cette nouvelle adresse, at once
    sent = [old]
    for address in (AIX, MRS, new):
        message = compose(OUTSIDE, address, subject=f"Après l’activation, à {address}")
        mail.send(message, server=mail.server if address == new else mail.legacy_server)
        sent.append(message)
    for message in sent:
        # read by IMAP over TLS with the password of the page; the first one has followed
        assert mail.arrived(who.uid, message, PASSWORD)["Subject"] == message["Subject"]
    wait_for(done(lab, who.uid, 1), what="the old message counts as moved")
    assert _flags(mail, old["Message-ID"]) == {"\\Seen", "\\Flagged"}
    assert _flags(mail, sent[-1]["Message-ID"]) == set()

    # identifiants identiques à ceux de la messagerie électronique: sending, too
    answer = compose(new, MRS, subject="Écrit de la nouvelle adresse")
    with mail.submission(who.uid, PASSWORD) as smtp:
        smtp.send_message(answer)
        code, text = smtp.mail(f"jeanne.martin@{lab.domain}")
        assert code == 553, text
    assert mail.arrived(who.uid, answer, PASSWORD)["From"] == new
    with pytest.raises(smtplib.SMTPAuthenticationError), mail.submission(who.uid, "autre-2026"):
        pass

    # vous obtenez alors un compte sur l’ENT
    page.goto(f"https://ent.{lab.domain}/connexion")
    sign_in(page, who.uid, PASSWORD)
    expect(page.locator(".person-name")).to_have_text(who.name)
    page.goto(f"{annuaire}/compte/")
    expect(page.locator("#anciens-messages")).to_contain_text(
        "Vos anciens messages sont dans votre nouvelle boîte."
    )
    looked = Axe().run(page)
    assert looked.violations_count == 0, looked.generate_report()

    _nothing_else(mail, [*sent, answer], old=old["Message-ID"], new=new)


def _flags(mail: Mail, message_id: str) -> set[str]:
    """The flags of a message in the new mailbox, but the one that every session sees once."""
    with mail.imap(UID, PASSWORD) as imap:
        imap.select("INBOX", readonly=True)
        _, (number,) = imap.search(None, "HEADER", "Message-ID", message_id)
        _, (answer,) = imap.fetch(number, "(FLAGS)")
    names = answer.decode().partition("FLAGS (")[2].partition(")")[0].split()
    return set(names) - {"\\Recent"}


def _nothing_else(mail: Mail, messages: list[EmailMessage], *, old: str, new: str) -> None:
    """Each message once, the old one kept on the old server; nothing waits, nothing has left."""
    expected = Counter(message["Message-ID"] for message in messages)
    assert Counter(mail.stored("mail1", UID)) == expected
    assert mail.stored("mailup1", UID) == [old]
    for host in ("mail1", "mailup1"):
        assert mail.queue(host, "helene.courrier-essai@") == []
    for left in mail.sink():
        text = left.as_string()
        assert not any(address in text for address in (AIX, MRS, new)), text[:500]
        assert left["Message-ID"] not in expected
