"""The legacy server: mailboxes until people activate, forwarding from that moment on."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy

import ldap
import pytest

from activation_people import PASSWORD as PAGE_PASSWORD
from activation_people import People, Visitor, said
from integration.test_imap_mailbox import filters
from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose, holder, people
from mailmove import done, forget
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("mailup1", "annuaire1", "mailmove", "harpege"),
    pytest.mark.service("mailup1", "postfix", "rspamd", "dovecot"),
    pytest.mark.usefixtures("forgiven"),
]

AIX, MRS, NEW = "@up.univ-aix.fr", "@up.univ-mrs.fr", "@univ-provence.fr"
PENDING, ACTIVE = "{COMPTE}I:SupannPrecree", "{COMPTE}A:SupannActif"
PASSWORD = "suivi2026"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


def new_and(uid: str, *legacy: str, state: str = "A:SupannActif", **attributes: object) -> dict:
    """A person with prenom.nom at the new domain and these legacy domains."""
    name = uid.replace("-", ".")
    return holder(uid, f"{name}{NEW}", *(f"{name}{d}" for d in legacy), state=state, **attributes)


@pytest.fixture(scope="module", autouse=True)
def population(lab: LabUnderTest) -> Iterator[None]:
    with people(
        lab,
        # known in one domain each, as most people are
        new_and("mtfwd-aix", AIX, userPassword=PASSWORD),
        new_and("mtfwd-mrs", MRS, userPassword=PASSWORD),
        new_and("mtfwd-both", AIX, MRS, userPassword=PASSWORD),
        new_and("mtfwd-susp", AIX, state="S:SupannVerrouAdministratif"),
        new_and("mtfwd-parti", MRS, state="S:SupannVerrouTechnique"),
        new_and("mtfwd-clos", AIX, state="I:SupannExpire"),
        holder("mtfwd-pend", f"mtfwd.pend{AIX}", state="I:SupannPrecree"),
        # back after some years: the new address is theirs, the account is not active yet
        holder("mtfwd-retour", f"mtfwd.retour{MRS}", state="I:SupannPrecree",
               mail=f"mtfwd.retour{NEW}",
               supannAutreMail=[f"mtfwd.retour{NEW}", f"mtfwd.retour{MRS}"]),
        # the same local part, two people
        holder("mtfwd-un", f"mtfwd.un{NEW}", f"mtfwd.meme{AIX}", userPassword=PASSWORD),
        holder("mtfwd-deux", f"mtfwd.deux{NEW}", f"mtfwd.meme{MRS}", userPassword=PASSWORD),
        holder("mtfwd-trois", f"mtfwd.trois{NEW}", f"mtfwd.double{AIX}", userPassword=PASSWORD),
        holder("mtfwd-parti2", f"mtfwd.double{MRS}", state="I:SupannExpire"),
        holder("mtfwd-quatre", f"mtfwd.pris{AIX}", state="I:SupannPrecree"),
        holder("mtfwd-cinq", f"mtfwd.cinq{NEW}", f"mtfwd.pris{MRS}", userPassword=PASSWORD),
        # an entry that leads to itself: the address in force is a legacy one
        holder("mtfwd-rond", f"mtfwd.rond{AIX}", f"mtfwd.rond{MRS}", f"mtfwd.rond{NEW}"),
    ):  # fmt: skip
        yield


@pytest.mark.guide("G7c")
@pytest.mark.parametrize("domain", [AIX, MRS, "@UP.Univ-Aix.FR"])
@pytest.mark.parametrize("who", ["aix", "mrs", "both"])
def test_both_old_domains_lead_to_the_new_address(mail: Mail, who: str, domain: str) -> None:
    message = compose(OUTSIDE, f"MTfwd.{who}{domain}")
    mail.send(message, server=mail.legacy_server)
    mail.arrived(f"mtfwd-{who}", message, PASSWORD)
    assert mail.stored("mailup1", f"mtfwd-{who}") == []


def test_details_follow(mail: Mail) -> None:
    message = compose(OUTSIDE, f"mtfwd.aix+projet{MRS}")
    mail.send(message, server=mail.legacy_server)
    assert mail.arrived("mtfwd-aix", message, PASSWORD)["Delivered-To"].startswith("mtfwd.aix")


@pytest.mark.guide("G7a", "G7c")
@pytest.mark.parametrize("who", ["pend", "retour"])
@pytest.mark.parametrize("domain", [AIX, MRS])
def test_before_activation_mail_stays_in_the_old_mailbox(mail: Mail, who: str, domain: str) -> None:
    message = compose(OUTSIDE, f"mtfwd.{who}{domain}")
    mail.send(message, server=mail.legacy_server)
    mail.delivered("mailup1", f"mtfwd-{who}", message)
    assert mail.stored("mail1", f"mtfwd-{who}") == []


@pytest.mark.parametrize("who", ["susp", "parti"])
def test_suspended_people_keep_being_followed(mail: Mail, who: str) -> None:
    message = compose(OUTSIDE, f"mtfwd.{who}{AIX}")
    mail.send(message, server=mail.legacy_server)
    mail.delivered("mail1", f"mtfwd-{who}", message)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"mtfwd.clos{AIX}", b"5.2.1"),
        (f"mtfwd.clos{MRS}", b"5.1.1"),
        (f"mtfwd.nobody{AIX}", b"5.1.1"),
        ("mtfwd.nobody@mailup.univ-provence.fr", b"5.1.1"),
    ],
)
def test_others_are_refused_while_the_sender_listens(
    mail: Mail, address: str, reason: bytes
) -> None:
    with mail.smtp(mail.legacy_server) as smtp:
        smtp.mail(OUTSIDE)
        code, text = smtp.rcpt(address)
        assert code == 550
        assert text.startswith(reason), text


def test_an_address_of_somebody_else_stays_theirs(mail: Mail) -> None:
    for domain, who in ((AIX, "mtfwd-un"), (MRS, "mtfwd-deux")):
        message = compose(OUTSIDE, f"mtfwd.meme{domain}")
        mail.send(message, server=mail.legacy_server)
        mail.arrived(who, message, PASSWORD)
    assert len(mail.stored("mail1", "mtfwd-un")) == 1
    message = compose(OUTSIDE, f"mtfwd.pris{AIX}")  # somebody's who has not activated
    mail.send(message, server=mail.legacy_server)
    mail.delivered("mailup1", "mtfwd-quatre", message)
    with mail.smtp(mail.legacy_server) as smtp:  # somebody's who has left: nobody gets it
        smtp.mail(OUTSIDE)
        assert smtp.rcpt(f"mtfwd.double{MRS}")[0] == 550
        assert smtp.rcpt(f"mtfwd.double{AIX}")[0] == 250


def test_addressed_under_both_names_a_person_gets_one_copy(mail: Mail) -> None:
    message = compose(OUTSIDE, f"mtfwd.both{AIX}", f"mtfwd.both{MRS}")
    mail.send(message, server=mail.legacy_server)
    mail.arrived("mtfwd-both", message, PASSWORD)


def test_an_entry_that_leads_to_itself_is_a_mailbox(mail: Mail) -> None:
    """Not a circle between aliases, nor one between aliases and routes."""
    for domain in (AIX, MRS):
        message = compose(OUTSIDE, f"mtfwd.rond{domain}")
        mail.send(message, server=mail.legacy_server)
        mail.delivered("mailup1", "mtfwd-rond", message)
    wait_for(lambda: not mail.queue("mailup1", "mtfwd.rond"), what="an empty queue")


def test_filters_that_lead_to_each_other_end(mail: Mail) -> None:
    """Two people send their mail on to each other's old address: somebody gets it, once."""
    who = {"mtfwd-aix": f"mtfwd.mrs{AIX}", "mtfwd-mrs": f"mtfwd.aix{MRS}"}
    for uid, other in who.items():
        script = f'redirect "{other}";\r\n'
        with filters(mail, uid, PASSWORD) as sieve:
            kept = sieve.say(f'PUTSCRIPT "suivre" {{{len(script)}+}}\r\n{script}')
            assert kept.startswith("OK"), kept
            assert sieve.say('SETACTIVE "suivre"').startswith("OK")
    try:
        message = compose(OUTSIDE, f"mtfwd.aix{AIX}")
        mail.send(message, server=mail.legacy_server)
        wait_for(
            lambda: any(message["Message-ID"] in mail.stored("mail1", uid) for uid in who),
            what="the message in one of the two mailboxes",
        )
        for host in ("mailup1", "mail1"):
            wait_for(
                lambda host=host: not mail.queue(host, "mtfwd"), what=f"an empty queue on {host}"
            )
        copies = sum(mail.stored("mail1", uid).count(message["Message-ID"]) for uid in who)
        assert copies == 1
    finally:
        for uid in who:
            with filters(mail, uid, PASSWORD) as sieve:
                assert sieve.say('SETACTIVE ""').startswith("OK")


@pytest.mark.parametrize("recipient", ["postmaster", f"abuse{MRS}"])
def test_role_addresses(mail: Mail, recipient: str) -> None:
    message = compose(OUTSIDE, recipient)
    mail.send(message, recipient, server=mail.legacy_server)
    mail.arrived("jmartin", message)


def test_a_strict_sender_arrives_and_a_forged_one_does_not(mail: Mail, lab: LabUnderTest) -> None:
    """mail1 cannot ask whether mailup1 may send for strict.example (it may not): it trusts it."""
    message = compose(OUTSIDE, f"mtfwd.aix{AIX}")
    mail.send(message, server=mail.legacy_server)
    arrived = mail.arrived("mtfwd-aix", message, PASSWORD)
    assert arrived["Return-Path"].strip("<>") == OUTSIDE
    (results,) = arrived.get_all("Authentication-Results")
    assert results.startswith("mailup.univ-provence.fr;")
    assert "dmarc=pass" in results


def test_marks_of_the_legacy_server_are_kept(mail: Mail, lab: LabUnderTest) -> None:
    forged = compose(f"jeanne.martin{NEW}", f"mtfwd.aix{AIX}")
    mail.send(forged, sender=f"jeanne.martin{NEW}", server=mail.legacy_server)
    arrived = mail.arrived("mtfwd-aix", forged, PASSWORD, folder="Ind&AOk-sirables")
    assert arrived["X-Spam"] == "Yes"
    assert arrived["DKIM-Signature"] is None, "signed by mail1 for a forger"


def test_the_senders_signature_survives(mail: Mail, lab: LabUnderTest) -> None:
    """Signed by mail1, through mailup1 and back: long lines, letters, no header touched."""
    body = "Été.\n" + "x" * 3000 + "\n.\n" + "fin \t\n"
    message = compose(f"jeanne.martin{NEW}", f"mtfwd.mrs{AIX}", body=body)
    message.replace_header("Subject", "Réunion à l’étage")
    with mail.submission("jmartin") as smtp:
        smtp.sendmail(
            f"jeanne.martin{NEW}", [f"mtfwd.mrs{AIX}"], message.as_bytes(policy=policy.SMTP)
        )
    arrived = mail.arrived("mtfwd-mrs", message, PASSWORD)
    assert "x" * 3000 in arrived.get_content()
    assert len(arrived.get_all("DKIM-Signature")) == 1
    assert sum("mailup.univ" in hop for hop in arrived.get_all("Received")) >= 1
    symbols = mail.judged("mail1", "/var/mail/ent/mtfwd-mrs/mail", message["Message-ID"])
    assert "R_DKIM_ALLOW" in symbols, symbols


@dataclass
class Stream:
    """Messages sent one after the other until told to stop.

    Attributes:
        sent: identifier, and when its sending began (monotonic seconds).
    """

    mail: Mail
    addresses: tuple[str, ...]
    sent: list[tuple[str, float]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def more(self, count: int) -> None:
        """Wait until so many more were sent, or one could not be."""
        until = len(self.sent) + count
        wait_for(lambda: len(self.sent) >= until or self.failures, what=f"{count} more")

    def run(self) -> None:
        try:
            with self.mail.smtp(self.mail.legacy_server) as smtp:
                while not self.stop.is_set():
                    message = compose(OUTSIDE, self.addresses[len(self.sent) % len(self.addresses)])
                    began = time.monotonic()
                    smtp.send_message(message)
                    self.sent.append((message["Message-ID"], began))
        except Exception as error:
            self.failures.append(error)


@pytest.mark.guide("G7b", "G7c")
@pytest.mark.service("mail1", "postfix", "dovecot")
def test_nothing_is_lost_or_doubled_while_a_person_activates(mail: Mail, lab: LabUnderTest) -> None:
    """A stream of messages to both old addresses, and in its middle the one LDAP operation."""
    directory = Directory(lab)
    uid, new = "mtseam", f"mtseam{NEW}"
    with people(lab, holder(uid, f"mtseam{AIX}", state="I:SupannPrecree")):
        stream = Stream(mail, (f"mtseam{AIX}", f"mtseam{MRS}"))
        thread = threading.Thread(target=stream.run)
        thread.start()
        try:
            stream.more(60)
            # delivered, not only accepted
            before = set(mail.stored("mailup1", uid))
            directory.as_service("annuaire-activation").modify_s(
                directory.dn(uid),
                [
                    (ldap.MOD_REPLACE, "userPassword", [PASSWORD.encode()]),
                    (ldap.MOD_DELETE, "supannRessourceEtat", [PENDING.encode()]),
                    (ldap.MOD_ADD, "supannRessourceEtat", [ACTIVE.encode()]),
                    (ldap.MOD_ADD, "mail", [new.encode()]),
                    (ldap.MOD_ADD, "supannAutreMail", [new.encode()]),
                ],
            )
            ended = time.monotonic()
            stream.more(60)
        finally:
            stream.stop.set()
            thread.join()
        assert not stream.failures
        for host in ("mailup1", "mail1"):
            wait_for(lambda host=host: not mail.queue(host, uid), what=f"an empty queue on {host}")

        old, recent = mail.stored("mailup1", uid), mail.stored("mail1", uid)
        sent = [identifier for identifier, _ in stream.sent]
        after = {identifier for identifier, began in stream.sent if began > ended}
        assert before
        assert len(after) >= 60
        assert len(old) == len(set(old)), "doubled in the old mailbox"
        assert len(recent) == len(set(recent)), "doubled in the new mailbox"
        assert set(old) | set(recent) == set(sent), "lost, or come from nowhere"
        assert before <= set(old), "sent before, and not in the old mailbox"
        assert after <= set(recent), "sent after, and not in the new mailbox"
        assert not after & set(old), "sent after, and in the old mailbox"
        with mail.imap(uid, PASSWORD) as imap:
            _, (number,) = imap.select("INBOX", readonly=True)
            assert int(number) >= len(after)


@pytest.mark.guide("G6f", "G7b", "G7c")
@pytest.mark.service("mail1", "postfix", "dovecot")
@pytest.mark.service("mailup1", "ent-mailmove")
@pytest.mark.service("annuaire1", "ent-annuaire")
def test_nothing_is_lost_or_doubled_when_the_page_activates(mail: Mail, lab: LabUnderTest) -> None:
    """The same through the page that people fill in; what the old mailbox got then follows."""
    made = People(lab)
    uid, name = "mtpage", "zoe.couture-essai"
    made.forget_failures()
    try:
        who = made.make(uid, "Zoé", "Couture-Essai", supannAutreMail=f"{name}{AIX}")
        visitor = Visitor(lab)
        visitor.accept(who)
        stream = Stream(mail, (f"{name}{AIX}", f"{name}{MRS}"))
        thread = threading.Thread(target=stream.run)
        thread.start()
        try:
            stream.more(40)
            before = set(mail.stored("mailup1", uid))
            page = visitor.validate(who)
            ended = time.monotonic()
            stream.more(40)
        finally:
            stream.stop.set()
            thread.join()
        assert not stream.failures
        assert page.status_code == 302, said(page)
        assert made.entry(uid)["mail"] == [f"{name}{NEW}"]
        for host in ("mailup1", "mail1"):
            wait_for(lambda host=host: not mail.queue(host, name), what=f"an empty queue on {host}")

        sent = Counter(identifier for identifier, _ in stream.sent)
        old = Counter(mail.stored("mailup1", uid))
        after = {identifier for identifier, began in stream.sent if began > ended}
        assert before
        assert before <= set(old), "sent before, and not in the old mailbox"
        assert not after & set(old), "sent after, and in the old mailbox"
        wait_for(done(lab, uid, old.total()), what="the old messages have followed")
        assert Counter(mail.stored("mail1", uid)) == sent, "lost or doubled on the way"
        with mail.imap(uid, PAGE_PASSWORD) as imap:
            _, (number,) = imap.select("INBOX", readonly=True)
            assert int(number) == sent.total()
    finally:
        made.remove()
        forget(lab, uid)
        for host in ("mail1", "mailup1"):
            lab.run(host, "rm -rf /var/mail/ent/%s", uid)
