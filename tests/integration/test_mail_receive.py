"""The new server as other mail servers meet it: who gets mail, what is refused, what is judged."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator

import pytest

from lab import LabUnderTest, wait_for
from mail import GTUBE, OUTSIDE, Mail, compose, holder, people

pytestmark = [
    pytest.mark.uses("mailup1"),
    pytest.mark.service("mail1", "postfix", "rspamd", "dovecot"),
]

JUNK = "Ind&AOk-sirables"
STATES = {
    "active": "A:SupannActif",
    "grace": "A:SupannSursis",
    "locked": "S:SupannVerrouAdministratif",
    "departed": "S:SupannVerrouTechnique",
    "pending": "I:SupannPrecree",
    "expired": "I:SupannExpire",
}
# A person who comes back is pre-created, with the address of old.
FORGED = "president@usurpe.example"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture(scope="module", autouse=True)
def somebody_in_each_state(lab: LabUnderTest) -> Iterator[None]:
    with people(
        lab,
        *(
            holder(
                f"mtrecv-{name}",
                f"mtrecv.{name}@{lab.domain}",
                *([f"mtrecv.avant@{lab.domain}"] if name == "active" else []),
                state=state,
            )
            for name, state in STATES.items()
        ),
    ):
        yield


def answer(mail: Mail, recipient: str, *, helo: str = "client.strict.example") -> tuple[int, str]:
    """What RCPT is answered."""
    with mail.smtp(helo=helo) as smtp:
        smtp.mail(OUTSIDE)
        code, text = smtp.rcpt(recipient)
        return code, text.decode()


@pytest.mark.parametrize("name", ["active", "grace", "locked", "departed"])
@pytest.mark.guide("G7b")
def test_these_accounts_receive(mail: Mail, lab: LabUnderTest, name: str) -> None:
    message = compose(OUTSIDE, f"mtrecv.{name}@{lab.domain}")
    mail.send(message)
    mail.delivered("mail1", f"mtrecv-{name}", message)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pending", "5.2.1 .*attend son activation .*https://annuaire"),
        ("expired", "5.2.1 .*adresse est close"),
        ("nobody", "5.1.1 .*User unknown"),
    ],
)
def test_others_are_refused_while_the_sender_listens(
    mail: Mail, lab: LabUnderTest, name: str, reason: str
) -> None:
    code, text = answer(mail, f"mtrecv.{name}@{lab.domain}")
    assert code == 550
    assert re.search(reason, text), text


def test_letters_and_details_do_not_matter(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(OUTSIDE, f"MTrecv.Active+Liste-7@{lab.domain.upper()}")
    mail.send(message)
    mail.delivered("mail1", "mtrecv-active", message)


def test_addressed_under_two_names_a_person_gets_one_copy(mail: Mail, lab: LabUnderTest) -> None:
    """The address of now and one of before."""
    message = compose(
        OUTSIDE,
        f"mtrecv.active@{lab.domain}",
        f"mtrecv.avant@{lab.domain}",
        f"MTRECV.Avant@{lab.domain}",
    )
    mail.send(message)
    mail.delivered("mail1", "mtrecv-active", message)
    wait_for(lambda: not mail.queue("mail1", "mtrecv"), what="an empty queue")
    assert mail.stored("mail1", "mtrecv-active").count(message["Message-ID"]) == 1
    before = compose(OUTSIDE, f"mtrecv.avant+liste@{lab.domain}")
    mail.send(before)
    mail.delivered("mail1", "mtrecv-active", before)


@pytest.mark.parametrize(
    "recipient", ["postmaster", "Postmaster@univ-provence.fr", "abuse@mail.univ-provence.fr"]
)
def test_role_addresses_reach_who_reads_them(mail: Mail, recipient: str) -> None:
    message = compose(OUTSIDE, recipient)
    mail.send(message, recipient)
    mail.arrived("jmartin", message)


def test_help_desk_address(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(OUTSIDE, f"assistance@{lab.domain}")
    mail.send(message)
    mail.arrived("sfaure", message)


@pytest.mark.parametrize(
    "recipient",
    [
        "victime@ouvert.example",
        "victime%ouvert.example@univ-provence.fr",
        "@univ-provence.fr:victime@ouvert.example",
        '"victime@ouvert.example"@univ-provence.fr',
        "ouvert.example!victime@univ-provence.fr",
        "victime@ouvert.example@univ-provence.fr",
        "victime@[192.0.2.1]",
    ],
)
def test_no_open_relay(mail: Mail, recipient: str) -> None:
    for server in (mail.server, mail.legacy_server):
        with mail.smtp(server) as smtp:
            smtp.mail(OUTSIDE)
            code, text = smtp.docmd(f"RCPT TO:<{recipient}>")
            assert code >= 500, (server, text)


def test_a_forged_sender_of_our_own_opens_no_relay(mail: Mail, lab: LabUnderTest) -> None:
    with mail.smtp() as smtp:
        smtp.mail(f"jeanne.martin@{lab.domain}")
        assert smtp.rcpt("victime@ouvert.example")[0] == 554


@pytest.mark.parametrize(
    ("helo", "sender", "code"),
    [
        ("poste", OUTSIDE, 504),
        ("client.strict.example", "expediteur@inexistant.strict.example", 450),
        ("client.strict.example", "expediteur", 504),
        ("client.strict.example", "personne-de-ce-nom@univ-provence.fr", 550),
    ],
)
def test_senders_that_cannot_be_answered(mail: Mail, helo: str, sender: str, code: int) -> None:
    with mail.smtp(helo=helo) as smtp:
        smtp.mail(sender)
        assert smtp.rcpt("jeanne.martin@univ-provence.fr")[0] == code


def test_a_sender_with_strict_rules_is_recognised(mail: Mail) -> None:
    message = compose(OUTSIDE, "jeanne.martin@univ-provence.fr")
    mail.send(message)
    (results,) = mail.arrived("jmartin", message).get_all("Authentication-Results")
    assert results.startswith("mail.univ-provence.fr;")
    assert "spf=pass" in results
    assert "dmarc=pass" in results


@pytest.mark.parametrize(
    ("server", "recipient"),
    [
        ("mail.univ-provence.fr", "jeanne.martin@univ-provence.fr"),
        ("mailup.univ-provence.fr", "jeanne.martin@up.univ-aix.fr"),
    ],
)
def test_a_forged_sender_with_strict_rules_is_refused(
    mail: Mail, server: str, recipient: str
) -> None:
    message = compose(FORGED, recipient)
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
        mail.send(message, sender=FORGED, server=server)


def test_a_forged_colleague_ends_in_junk(mail: Mail, lab: LabUnderTest) -> None:
    """The university's own policy is quarantine: a person's name used from outside is marked."""
    message = compose(f"amelie.lefevre@{lab.domain}", f"jeanne.martin@{lab.domain}")
    mail.send(message, sender=f"amelie.lefevre@{lab.domain}")
    arrived = mail.arrived("jmartin", message, folder=JUNK)
    assert arrived["X-Spam"] == "Yes"
    assert mail.read("jmartin", message["Message-ID"]) == []


def test_nobody_else_marks_mail(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(
        OUTSIDE,
        f"jeanne.martin@{lab.domain}",
        X_Spam="Yes",
        Authentication_Results="mail.univ-provence.fr; dkim=pass header.d=forge.example",
    )
    mail.send(message)
    arrived = mail.arrived("jmartin", message)
    assert arrived["X-Spam"] is None
    assert "forge.example" not in arrived.as_string()


def test_known_spam_is_refused(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(OUTSIDE, f"jeanne.martin@{lab.domain}", body=f"{GTUBE}\n")
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
        mail.send(message)


@pytest.mark.alone("mail1")
def test_filter_down_asks_senders_to_come_back(mail: Mail, lab: LabUnderTest) -> None:
    message = compose(OUTSIDE, f"jeanne.martin@{lab.domain}")
    with lab.stopped("mail1", "rspamd"):
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            mail.send(message)
        assert refused.value.smtp_code // 100 == 4
    mail.arrived("jmartin", mail.takes_mail())  # it takes some seconds to start
