"""One password: changed on « Mon compte », it counts at once wherever it is asked."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable, Iterator

import ldap
import pytest

from account_people import NEW, PASSWORD, Member, cas_accepts, forget, make
from activation_people import People
from integration.test_imap_mailbox import ManageSieve
from lab import LabUnderTest
from mail import Mail
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("annuaire1", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire"),
    pytest.mark.service("mail1", "dovecot", "postfix"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
    pytest.mark.service("ldap1", "slapd"),
    pytest.mark.usefixtures("forgiven"),
]

UID = "mpmotdepasse"


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    yield made
    forget(made)
    made.remove()
    lab.run("mail1", "rm -rf /var/mail/ent/%s", UID)


def reads_mail(lab: LabUnderTest, password: str) -> bool:
    """IMAP."""
    try:
        with Mail(lab).imap(UID, password) as imap:
            return imap.select("INBOX")[0] == "OK"
    except imaplib.IMAP4.error as error:
        if "AUTHENTICATIONFAILED" not in str(error):
            raise
        return False


def sends_mail(lab: LabUnderTest, password: str) -> bool:
    """Submission."""
    try:
        with Mail(lab).submission(UID, password):
            return True
    except smtplib.SMTPAuthenticationError as error:
        # 454: this address guessed so often that Dovecot lets it wait longer than Postfix does
        if error.smtp_code not in (535, 454):
            raise
        return False


def filters_mail(lab: LabUnderTest, password: str) -> bool:
    """ManageSieve."""
    sieve = ManageSieve(Mail(lab))
    try:
        return sieve.sign_in(UID, password).startswith("OK")
    finally:
        sieve.close()


def signs_in(lab: LabUnderTest, password: str) -> bool:
    """CAS."""
    return cas_accepts(lab, UID, password)


def binds(lab: LabUnderTest, password: str) -> bool:
    """The directory itself."""
    directory = Directory(lab)
    try:
        directory.bind(directory.dn(UID), password)
    except ldap.INVALID_CREDENTIALS:
        return False
    return True


SERVICES: tuple[Callable[[LabUnderTest, str], bool], ...] = (
    signs_in,
    reads_mail,
    sends_mail,
    filters_mail,
    binds,
)


@pytest.mark.guide("G3")
def test_a_new_password_counts_everywhere_at_once(lab: LabUnderTest, people: People) -> None:
    make(people, UID)
    forget(people)
    # asked everywhere before: whoever kept an answer would give it again
    assert [service.__doc__ for service in SERVICES if not service(lab, PASSWORD)] == []
    member = Member(lab, UID)
    member.sign_in()
    assert member.change_password().status_code == 302
    assert [service.__doc__ for service in SERVICES if service(lab, PASSWORD)] == []
    assert [service.__doc__ for service in SERVICES if not service(lab, NEW)] == []
