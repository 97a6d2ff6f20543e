"""What happens to mail while something is down, full or wrong: it waits, and nothing is lost."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose, holder, people
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("mailup1"),
    pytest.mark.service("mail1", "postfix", "dovecot"),
    pytest.mark.usefixtures("forgiven"),
]

UID = "mtfail"
NEW, LEGACY = "mtfail@univ-provence.fr", "mtfail@up.univ-aix.fr"
PASSWORD = "panne2026"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture
def receiver(lab: LabUnderTest) -> Iterator[None]:
    with people(lab, holder(UID, NEW, LEGACY, entMailQuota="1", userPassword=PASSWORD)):
        yield


@contextmanager
def silent(lab: LabUnderTest, host: str, towards: str) -> Iterator[None]:
    """A host that gets nothing of what another one sends, and tells nobody so."""
    rule = f"ip saddr {lab.ip(towards)} drop"
    made = lab.run(
        host,
        "nft add table inet mtsilent && "
        "nft 'add chain inet mtsilent in { type filter hook input priority -300; }' && "
        f"nft add rule inet mtsilent in {rule}",
    )
    try:
        assert made.rc == 0, made.stderr
        yield
    finally:
        lab.run(host, "nft delete table inet mtsilent")


def waits(mail: Mail, host: str, text: str) -> None:
    """Wait until a server keeps mail for the person, and says why."""
    wait_for(
        lambda: any(
            text in recipient.get("delay_reason", "")
            for message in mail.queue(host, UID)
            for recipient in message["recipients"]
        ),
        what=f"mail for {UID} kept on {host} because of {text!r}",
    )


@pytest.mark.alone("ldap1")
@pytest.mark.usefixtures("receiver")
def test_directory_down_senders_are_told_to_come_back(mail: Mail, lab: LabUnderTest) -> None:
    cases = [
        (mail.server, NEW),
        (mail.server, "personne@univ-provence.fr"),
        (mail.legacy_server, LEGACY),
        (mail.legacy_server, "personne@up.univ-mrs.fr"),
    ]
    with lab.stopped("ldap1", "slapd"):
        for server, address in cases:
            with mail.smtp(server) as smtp:
                smtp.mail(OUTSIDE)
                code, text = smtp.rcpt(address)
                assert code == 451, (server, address, text)
    for server, address in ((mail.server, NEW), (mail.legacy_server, LEGACY)):
        message = compose(OUTSIDE, address)

        def sent(message=message, server=server) -> bool:
            try:
                mail.send(message, server=server)
            except smtplib.SMTPException:
                return False
            return True

        wait_for(sent, what="mail after the directory is back")
        mail.delivered("mail1", UID, message)


@pytest.mark.alone("ldap1")
@pytest.mark.usefixtures("receiver")
@pytest.mark.guide("G3")
def test_directory_down_nobody_is_asked_for_a_password(mail: Mail, lab: LabUnderTest) -> None:
    """Refused for now before signing in: programs try again, and do not doubt the password."""
    for port in (587, 465):  # processes with connections that are about to die
        with mail.submission(UID, PASSWORD, port=port):
            pass
    with lab.stopped("ldap1", "slapd"):
        for port in (587, 465, 587, 465):
            with (
                pytest.raises(smtplib.SMTPConnectError) as refused,
                mail.submission(UID, PASSWORD, port=port),
            ):
                pass
            assert refused.value.smtp_code == 451, refused.value
    directory = Directory(lab)
    wait_for(lambda: directory.as_service("postfix"), what="the directory")
    for port in (587, 465, 587, 465):
        with mail.submission(UID, PASSWORD, port=port) as smtp:
            assert smtp.noop()[0] == 250


@pytest.mark.alone("ldap1", "mail1")
@pytest.mark.usefixtures("receiver")
def test_new_server_down_and_then_the_directory_forwards_wait(
    mail: Mail, lab: LabUnderTest
) -> None:
    messages = [compose(OUTSIDE, LEGACY) for _ in range(5)]
    with lab.stopped("mail1", "postfix"):
        for message in messages:
            mail.send(message, server=mail.legacy_server)
        waits(mail, "mailup1", "Connection refused")
        assert mail.stored("mailup1", UID) == []
    with lab.stopped("ldap1", "slapd"):
        mail.flush("mailup1")
        waits(mail, "mailup1", "451")
    mail.drained("mailup1", UID)
    for message in messages:
        mail.delivered("mail1", UID, message)


@pytest.mark.alone("mail1")
@pytest.mark.usefixtures("receiver")
def test_new_server_silent_forwards_wait(mail: Mail, lab: LabUnderTest) -> None:
    """Not closed: nothing comes back at all, as from a host that lost its network."""
    messages = [compose(OUTSIDE, LEGACY) for _ in range(5)]
    mail.send(messages[0], server=mail.legacy_server)
    mail.delivered("mail1", UID, messages[0])  # over a connection like those that are to be
    with silent(lab, "mail1", towards="mailup1"):
        for message in messages[1:]:
            mail.send(message, server=mail.legacy_server)
        waits(mail, "mailup1", "timed out")
        assert len(mail.queue("mailup1", UID)) == 4
    mail.drained("mailup1", UID)
    for message in messages:
        mail.delivered("mail1", UID, message)
    assert mail.stored("mailup1", UID) == []


@pytest.mark.alone("mail1")
@pytest.mark.usefixtures("receiver")
def test_mailbox_server_down_mail_waits(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(OUTSIDE, NEW)
    with lab.stopped("mail1", "dovecot"):
        mail.send(message)
        waits(mail, "mail1", "private/dovecot-lmtp")
    mail.drained("mail1", UID)
    mail.delivered("mail1", UID, message)


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("address", [NEW, LEGACY])
def test_a_full_mailbox_makes_mail_wait(mail: Mail, lab: LabUnderTest, address: str) -> None:
    """The quota of one MiB comes from the directory, and so does its end; forwards fill it, too."""
    server, other = mail.server, f"jeanne.martin@{lab.domain}"
    if address == LEGACY:
        server, other = mail.legacy_server, "jeanne.martin@up.univ-aix.fr"
    filling = [compose(OUTSIDE, address, body="y" * 700_000 + "\n") for _ in range(3)]
    for message in filling[:2]:  # the one that crosses the limit is still taken
        mail.send(message, server=server)
        mail.delivered("mail1", UID, message)
    mail.send(filling[2], server=server)
    waits(mail, "mail1", "452 4.2.2")
    wait_for(lambda: not mail.queue("mailup1", UID), what="nothing kept on the legacy server")
    unhindered = compose(OUTSIDE, other)
    mail.send(unhindered, server=server)
    mail.arrived("jmartin", unhindered)  # nobody else waits
    directory = Directory(lab)
    directory.as_root(
        f"dn: {directory.dn(UID)}\nchangetype: modify\nreplace: entMailQuota\nentMailQuota: 20\n"
    )
    mail.drained("mail1", UID)
    mail.delivered("mail1", UID, filling[2])


@pytest.mark.alone("mail1")
@pytest.mark.usefixtures("receiver")
def test_a_forward_that_cannot_arrive_goes_back_to_the_sender(
    mail: Mail, lab: LabUnderTest
) -> None:
    """The person's account ends while the message is between the two servers."""
    message = compose(OUTSIDE, LEGACY)
    directory = Directory(lab)
    with lab.stopped("mail1", "postfix"):
        mail.send(message, server=mail.legacy_server)
        waits(mail, "mailup1", "Connection refused")
        directory.as_root(
            f"dn: {directory.dn(UID)}\nchangetype: modify\nreplace: supannRessourceEtat\n"
            "supannRessourceEtat: {COMPTE}I:SupannExpire\n"
        )
    mail.drained("mailup1", UID)
    bounce = mail.in_sink(OUTSIDE, message["Message-ID"])
    assert bounce["Return-Path"] == "<>"
    text = bounce.as_string()
    assert "Message non remis" in bounce["Subject"]
    assert "n’a pas pu remettre" in bounce.get_body().get_content() if bounce.get_body() else text
    assert "5.2.1" in text
    assert "adresse est close" in text


@pytest.mark.alone("mailup1")
def test_mail_that_waited_for_an_old_mailbox_follows_its_owner(
    mail: Mail, lab: LabUnderTest
) -> None:
    """Accepted before the activation, tried again after it: it goes to the new mailbox."""
    directory = Directory(lab)
    with people(lab, holder(UID, LEGACY, state="I:SupannPrecree")):
        message = compose(OUTSIDE, LEGACY)
        with lab.stopped("mailup1", "dovecot"):
            mail.send(message, server=mail.legacy_server)
            waits(mail, "mailup1", "private/dovecot-lmtp")
            directory.as_root(
                f"dn: {directory.dn(UID)}\nchangetype: modify\nreplace: supannRessourceEtat\n"
                "supannRessourceEtat: {COMPTE}A:SupannActif\n-\n"
                f"add: supannAutreMail\nsupannAutreMail: {NEW}\n-\nadd: mail\nmail: {NEW}\n"
            )
            mail.drained("mailup1", UID)
        mail.delivered("mail1", UID, message)
        assert mail.stored("mailup1", UID) == []


def hops(message: EmailMessage, count: int) -> EmailMessage:
    """A message that so many servers have passed on."""
    for number in range(count):
        message["Received"] = (
            f"from h{number}.ouvert.example (h{number}.ouvert.example [192.0.2.{number}]) "
            f"by h{number + 1}.ouvert.example with ESMTP; Thu, 1 Jan 2026 00:00:00 +0000"
        )
    return message


@pytest.mark.usefixtures("receiver")
def test_what_circled_elsewhere_ends_here(mail: Mail) -> None:
    """A message that too many servers have passed on is refused while its sender listens."""
    limit = mail.setting("mail1", "hopcount_limit")
    for server, address in ((mail.server, NEW), (mail.legacy_server, LEGACY)):
        message = hops(compose(OUTSIDE, address), limit - 1)  # this server is the last
        with pytest.raises(smtplib.SMTPDataError) as refused:
            mail.send(message, server=server)
        assert refused.value.smtp_code == 554, refused.value
        assert b"too many hops" in refused.value.smtp_error
    for host in ("mail1", "mailup1"):
        assert mail.queue(host, UID) == []


@pytest.mark.usefixtures("receiver")
def test_what_circles_between_our_servers_goes_back(mail: Mail) -> None:
    """The last hop that is allowed is the legacy server's: the new one ends it, with a notice."""
    message = hops(compose(OUTSIDE, LEGACY), mail.setting("mail1", "hopcount_limit") - 2)
    mail.send(message, server=mail.legacy_server)
    bounce = mail.in_sink(OUTSIDE, message["Message-ID"])
    assert "too many hops" in bounce.as_string()
    assert mail.stored("mail1", UID) == []
    for host in ("mail1", "mailup1"):
        assert mail.queue(host, UID) == []
