"""Mail for and from the lists: who may write, what is signed, what waits, what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from uuid import uuid4

import pytest

from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose
from sympa import Sympa

pytestmark = [
    pytest.mark.uses("lists1"),
    pytest.mark.service("lists1", "sympa", "sympa-bulk", "sympa-bounced", "postfix"),
    pytest.mark.service("mail1", "postfix", "rspamd"),
]
OPEN, MODERATED, ANNOUNCED = "st-ouverte", "st-moderee", "st-annonce"


@pytest.fixture(scope="module")
def sympa(lab: LabUnderTest) -> Iterator[Sympa]:
    sympa = Sympa(lab)
    members = {"structures": ["DSI"]}
    with sympa.lists(
        {"name": OPEN, "subject": "Essai ouverte", "members": members},
        {"name": MODERATED, "subject": "Essai modérée", "members": members, "post": "moderated"},
        {"name": ANNOUNCED, "subject": "Essai annonce", "members": members, "post": "moderators"},
    ):
        assert sympa.members(OPEN) == sorted(
            [f"jeanne.martin@{lab.domain}", f"sophie.faure@{lab.domain}"]
        )
        yield sympa


@pytest.fixture(scope="module")
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


def _from_jeanne(mail: Mail, sympa: Sympa, name: str, subject: str) -> EmailMessage:
    message = compose(f"jeanne.martin@{mail.domain}", sympa.address(name), subject=subject)
    with mail.submission("jmartin") as smtp:
        smtp.send_message(message)
    return message


def test_a_members_post_arrives_signed_and_aligned(lab: LabUnderTest, mail: Mail, sympa: Sympa):
    message = _from_jeanne(mail, sympa, OPEN, "Réunion de jeudi")
    arrived = mail.arrived("sfaure", message)
    # The author's domain says quarantine: the list sends in its own name, the answer goes to her.
    assert arrived["From"].addresses[0].addr_spec == sympa.address(OPEN)
    assert "Jeanne" in arrived["From"] or "jeanne.martin" in arrived["From"]
    assert f"jeanne.martin@{mail.domain}" in arrived["Reply-To"]
    assert sympa.address(OPEN) in arrived["List-Post"]
    assert f"d={sympa.domain}" in arrived["DKIM-Signature"].replace(" ", "")
    judged = mail.judged("mail1", "/var/mail/ent/sfaure", message["Message-ID"])
    assert "R_DKIM_ALLOW" in judged, judged
    assert "DMARC_POLICY_ALLOW" in judged, judged


def test_a_new_list_takes_mail_at_once(mail: Mail, sympa: Sympa):
    """Also while Postfix still has the table of before, as it had to look into it just now."""
    mail.arrived("sfaure", _from_jeanne(mail, sympa, OPEN, "Avant la nouvelle liste"))
    with sympa.lists({"name": "st-neuve", "subject": "Neuve", "members": {"structures": ["DSI"]}}):
        mail.arrived("sfaure", _from_jeanne(mail, sympa, "st-neuve", "Dans la nouvelle liste"))


def test_a_strict_senders_post_arrives(mail: Mail, sympa: Sympa):
    sympa.add(OPEN, OUTSIDE)
    message = compose(OUTSIDE, sympa.address(OPEN), subject="D’un domaine strict")
    mail.send(message)
    arrived = mail.arrived("jmartin", message)
    assert arrived["From"].addresses[0].addr_spec == sympa.address(OPEN)
    # and the member outside gets it too, through mail1
    assert mail.in_sink(OUTSIDE, message["Message-ID"])["List-Id"]
    assert "DMARC_POLICY_ALLOW" in mail.judged("mail1", "/var/lib/ent-sink", message["Message-ID"])


def test_who_is_no_member_is_told(mail: Mail, sympa: Sympa):
    stranger = f"quelqu.un.{uuid4()}@ouvert.example"
    message = compose(stranger, sympa.address(OPEN), subject="De l’extérieur")
    mail.send(message, sender=stranger)
    told = mail.in_sink(stranger, sympa.address(OPEN))
    assert told["Message-ID"] != message["Message-ID"]
    assert sympa.waiting(OPEN) == []
    assert mail.read("jmartin", message["Message-ID"]) == []


def test_a_forged_member_waits_for_a_moderator(lab: LabUnderTest, mail: Mail, sympa: Sympa):
    forged = f"sophie.faure@{mail.domain}"
    message = compose(forged, sympa.address(OPEN), subject="Faux message")
    mail.send(message, sender=OUTSIDE)
    wait_for(lambda: sympa.waiting(OPEN), what="the forged message in moderation")
    assert mail.read("jmartin", message["Message-ID"]) == []


def test_a_forged_colleague_writes_to_the_owners_in_the_lists_name(
    lab: LabUnderTest, mail: Mail, sympa: Sympa
):
    """What is sent on to the owners says so, and is nowhere signed as the colleague's."""
    forged = compose(
        f"luc.dumas@{mail.domain}", sympa.address(f"{OPEN}-request"), subject="Faux courriel"
    )
    mail.send(forged, sender=OUTSIDE)
    mail.delivered("mail1", "sfaure", forged)
    found = mail.read("sfaure", forged["Message-ID"], folder="INBOX") or mail.read(
        "sfaure", forged["Message-ID"], folder="Ind&AOk-sirables"
    )
    assert found, "neither in the inbox nor among the unwanted"
    assert found[0]["From"].addresses[0].addr_spec == sympa.address(f"{OPEN}-request")
    signatures = found[0].get_all("DKIM-Signature") or []
    assert not [one for one in signatures if f"d={mail.domain};" in one.replace(" ", "")]


def test_an_announcement_is_confirmed(mail: Mail, sympa: Sympa):
    """Even the moderators' own names are not enough to reach everybody."""
    message = compose(
        f"sophie.faure@{mail.domain}", sympa.address(ANNOUNCED), subject="À tous les personnels"
    )
    with mail.submission("sfaure") as smtp:
        smtp.send_message(message)
    wait_for(lambda: sympa.waiting(ANNOUNCED), what="the announcement in moderation")
    assert mail.read("jmartin", message["Message-ID"]) == []


@pytest.mark.parametrize(
    "local", ["inconnue", f"{OPEN}-inconnue", "sympa-inconnue", "jeanne.martin"]
)
def test_unknown_addresses_are_refused_at_rcpt(mail: Mail, sympa: Sympa, local: str):
    with mail.smtp() as smtp:
        smtp.mail(OUTSIDE)
        code, text = smtp.rcpt(sympa.address(local))
        assert code == 550, text


@pytest.mark.parametrize(
    "local",
    [
        OPEN,
        OPEN.upper(),
        f"{OPEN}-request",
        f"{OPEN}-editor",
        f"{OPEN}-unsubscribe",
        f"{OPEN}-owner",
        "sympa",
        "listmaster",
        "sympa-request",
        "postmaster",
        "bounce+jeanne.martin==a==univ-provence.fr==st-ouverte",
    ],
)
def test_addresses_of_the_lists_are_taken(mail: Mail, sympa: Sympa, local: str):
    with mail.smtp() as smtp:
        smtp.mail(OUTSIDE)
        code, text = smtp.rcpt(sympa.address(local))
        assert code == 250, text


@pytest.mark.alone("lists1")
def test_known_addresses_are_taken_while_the_lists_are_away(
    lab: LabUnderTest, mail: Mail, sympa: Sympa
):
    with mail.smtp() as smtp:
        smtp.mail(OUTSIDE)
        assert smtp.rcpt(sympa.address(OPEN))[0] == 250
    with lab.stopped("lists1", "postfix"):
        message = _from_jeanne(mail, sympa, OPEN, "Pendant la panne")
        with mail.smtp() as smtp:
            smtp.mail(OUTSIDE)
            assert smtp.rcpt(sympa.address("jamais-vue"))[0] // 100 == 4
        assert mail.queue("mail1", sympa.address(OPEN))
    mail.drained("mail1", sympa.address(OPEN))
    mail.arrived("sfaure", message)


def test_the_lists_take_mail_from_the_mail_server_only(lab: LabUnderTest):
    reached = lab.run("client1", "timeout 3 bash -c 'exec 3<>/dev/tcp/%s/25'", lab.ip("lists1"))
    assert reached.rc != 0


def test_a_bounce_is_counted(lab: LabUnderTest, mail: Mail, sympa: Sympa):
    gone = f"partie.depuis@{mail.domain}"
    sympa.add(OPEN, gone)
    _from_jeanne(mail, sympa, OPEN, "À qui n’est plus là")

    def score() -> str:
        rows = sympa.sql(
            "SELECT bounce_subscriber FROM subscriber_table "
            f"WHERE user_subscriber = '{gone}' AND list_subscriber = '{OPEN}'"
        )
        return rows[0][0]

    # first last count type: one bounce, for good (5.x)
    text = wait_for(score, what=f"a bounce of {gone}")
    assert text.split()[2] == "1", text
    assert text.split()[3].startswith("5"), text
