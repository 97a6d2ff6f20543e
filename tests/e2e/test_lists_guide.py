"""From the paper to the lists: somebody who is on them under their old addresses activates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from playwright.sync_api import Page, expect

from activation_browser import begin, fill_in, heading, validate
from activation_people import PASSWORD, People
from lab import LabUnderTest, wait_for
from listmove import Lists
from mail import OUTSIDE, Mail, compose
from mailmove import forget

pytestmark = [
    pytest.mark.uses("listmove", "annuaire1", "mailmove", "portal1", "client1", "harpege"),
    pytest.mark.service("lists1", "ent-listmove", "ent-listmove-sympa@*", "sympa", "postfix"),
    pytest.mark.service("annuaire1", "ent-annuaire"),
    pytest.mark.service("mail1", "postfix", "dovecot"),
]
UID = "lmguide"
AIX, MRS = "odile.listes-essai@up.univ-aix.fr", "odile.listes-essai@up.univ-mrs.fr"
OPEN, MODERATED = "lm-guide", "lm-guide-moderee"


@pytest.fixture
def lists(lab: LabUnderTest) -> Iterator[Lists]:
    """Two lists on which an outsider may write; on the second one, through its moderators."""
    found = Lists(lab)
    with found.lists(OPEN, MODERATED):
        moderated = lab.run(
            "lists1",
            "runuser -u sympa -- sh -c %s",
            f"cd /var/lib/sympa/list_data/{found.robot}/{MODERATED} && "
            "sed -i '/^send /d' config && printf '\\nsend editorkey\\n\\n' >> config",
        )
        assert moderated.rc == 0, moderated.stderr
        for name in (OPEN, MODERATED):
            found.subscribe(name, OUTSIDE)
        yield found
    found.forget(UID)


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    """Nobody has a mailbox before the test, and none stays after it."""
    made = People(lab)
    yield made
    made.remove()
    forget(lab, UID)
    for host in ("mail1", "mailup1"):
        lab.run(host, "rm -rf /var/mail/ent/%s", UID)


@pytest.mark.guide("G7d")
def test_lists_follow_from_the_paper_to_the_new_address(
    page: Page, lab: LabUnderTest, lists: Lists, people: People
) -> None:
    mail, new = Mail(lab), f"odile.listes-essai@{lab.domain}"
    # Personnels ayant déjà un courriel de l’Université mais jamais activé
    who = people.make(UID, "Odile", "Listes-Essai", supannAutreMail=[AIX, MRS])
    for address in (AIX, MRS):
        lists.subscribe(OPEN, address)
    lists.subscribe(MODERATED, MRS)
    lists.appoint(OPEN, AIX, "owner", profile="privileged")
    lists.appoint(MODERATED, MRS.title(), "editor")

    begin(page, f"https://annuaire.{lab.domain}", who)
    fill_in(page, who)
    validate(page)
    expect(heading(page)).to_have_text("Votre compte est activé.")
    expect(page.locator("#adresse")).to_have_text(new)

    # le changement de courriel pour vos abonnements aux listes de diffusion Sympa
    wait_for(lists.listed(OPEN, OUTSIDE, new), what=f"{new} once on {OPEN}")
    wait_for(lists.listed(MODERATED, OUTSIDE, new), what=f"{new} on {MODERATED}")
    wait_for(lambda: ("owner", new) in lists.admins(OPEN), what="the ownership")
    wait_for(lambda: ("editor", new) in lists.admins(MODERATED), what="the moderation")

    # a post reaches the new mailbox, once
    post = compose(OUTSIDE, f"{OPEN}@{lists.robot}", subject="Après l’activation")
    mail.send(post)
    assert mail.arrived(UID, post, PASSWORD)["List-Id"]

    # the moderator is asked at the new address, and may say yes from there
    held = compose(OUTSIDE, f"{MODERATED}@{lists.robot}", subject="À modérer")
    mail.send(held)
    question = asked(mail, held)
    text = next(part for part in question.walk() if part.get_content_type() == "text/plain")
    key = re.search(rf"/distribute/{MODERATED}/(\w+)", text.get_content())
    assert key, text.get_content()
    answer = compose(new, f"sympa@{lists.robot}", subject=f"DISTRIBUTE {MODERATED} {key[1]}")
    with mail.submission(UID, PASSWORD) as smtp:
        smtp.send_message(answer)
    assert mail.arrived(UID, held, PASSWORD)["List-Id"]

    # what came later did; so nothing of the first is still on its way
    assert mail.stored("mail1", UID).count(post["Message-ID"]) == 1
    assert mail.stored("mail1", UID).count(held["Message-ID"]) == 1
    assert mail.queue("mailup1", "odile.listes-essai@") == []


def asked(mail: Mail, held: EmailMessage) -> EmailMessage:
    """Wait for the message that asks the moderator about a post."""

    def found() -> EmailMessage | None:
        with mail.imap(UID, PASSWORD) as imap:
            imap.select("INBOX", readonly=True)
            _, (numbers,) = imap.search(None, "TO", f'"{MODERATED}-editor@"')
            for number in numbers.split():
                _, parts = imap.fetch(number, "(BODY.PEEK[])")
                return message_from_bytes(parts[0][1], policy=policy.default)
        return None

    return wait_for(found, what=f"a question about {held['Subject']!r} in the new mailbox")
