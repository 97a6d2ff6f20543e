"""The report of a run, by mail, as the people who get it read it."""

from __future__ import annotations

import uuid
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from harpege_source import Feed
from lab import LabUnderTest, wait_for
from mail import Mail
from openldap_client import HOST

pytestmark = [
    pytest.mark.uses("ldap1", "db1", "mail1"),
    pytest.mark.alone("harpege"),
    pytest.mark.service("mail1", "postfix", "dovecot"),
]

OTHER = "/var/lib/ent-harpege-essai"


def _from(mail: Mail, sender: str) -> list[EmailMessage]:
    """What Sophie Faure has of a sender."""
    with mail.imap("sfaure") as imap:
        imap.select("INBOX")
        _, (numbers,) = imap.search(None, "FROM", f'"{sender}"')
        found = []
        for number in numbers.split():
            _, parts = imap.fetch(number, "(BODY.PEEK[])")
            found.append(message_from_bytes(parts[0][1], policy=policy.default))
            imap.store(number, "+FLAGS", "\\Deleted")
        imap.expunge()
    return found


def test_a_run_with_something_to_say_is_reported(lab: LabUnderTest) -> None:
    """Harpège cannot be read: the run fails, and somebody is told why, in French."""
    feed, sender = Feed(lab), f"essai-{uuid.uuid4().hex}@{lab.domain}"
    report = {"to": [f"sophie.faure@{lab.domain}"], "sender": sender, "language": "fr"}
    settings = feed.settings(OTHER, report, password="Faux-2026")
    try:
        assert feed("apply", settings=settings).rc == 4
    finally:
        lab.run(HOST, "rm -rf %s %s.state", OTHER, OTHER)
    (message,) = wait_for(lambda: _from(Mail(lab), sender), what="the report")
    assert "Harpège → annuaire" in message["Subject"]
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_content()
    assert "rien n’a été écrit" in body
    assert "postgresql+psycopg://harpege_feed@" in body
    assert "Faux-2026" not in message.as_string()
