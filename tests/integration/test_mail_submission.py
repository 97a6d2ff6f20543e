"""Submission: people send with the password of the directory, under their own addresses only."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator

import pytest

from lab import LabUnderTest
from mail import OUTSIDE, Mail, compose, holder, people

pytestmark = [
    pytest.mark.uses("mailup1"),
    pytest.mark.service("mail1", "postfix", "rspamd", "dovecot"),
    pytest.mark.usefixtures("forgiven"),
]

PASSWORD = "essai1envoi"
LOCAL = "mtsend.une@univ-provence.fr"
LEGACY = "mtsend.une@up.univ-aix.fr"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture(scope="module", autouse=True)
def senders(lab: LabUnderTest) -> Iterator[None]:
    with people(
        lab,
        holder("mtsend-une", LOCAL, "mtsend.alias@univ-provence.fr", LEGACY, userPassword=PASSWORD),
        holder("mtsend-grace", "mtsend.grace@univ-provence.fr", state="A:SupannSursis",
               userPassword=PASSWORD),
        holder("mtsend-susp", "mtsend.susp@univ-provence.fr", state="S:SupannVerrouAdministratif",
               userPassword=PASSWORD),
        holder("mtsend-pend", "mtsend.pend@univ-provence.fr", state="I:SupannPrecree"),
    ):  # fmt: skip
        yield


@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.guide("G3")
def test_a_person_sends_with_the_directory_password(
    mail: Mail, lab: LabUnderTest, port: int
) -> None:
    message = compose(f"jeanne.martin@{lab.domain}", f"amelie.lefevre@{lab.domain}")
    with mail.submission("jmartin", port=port) as smtp:
        smtp.send_message(message)
    arrived = mail.arrived("alefevre", message)
    assert lab.ip("dns1").rpartition(".")[0] not in "".join(arrived.get_all("Received")), (
        "where the person sat is nobody's business"
    )


def test_what_leaves_is_signed_and_the_signature_holds(mail: Mail, lab: LabUnderTest) -> None:
    body = "Été comme hiver.\n" + "x" * 3000 + "\n"
    message = compose(f"jeanne.martin@{lab.domain}", "ailleurs@ouvert.example", body=body)
    with mail.submission("jmartin") as smtp:
        smtp.send_message(message)
    mail.in_sink("ailleurs@ouvert.example", message["Message-ID"])
    symbols = mail.judged("mail1", "/var/lib/ent-sink/new", message["Message-ID"])
    assert "R_DKIM_ALLOW" in symbols, symbols


@pytest.mark.parametrize(
    "sender", [LOCAL, "MTsend.Une@univ-provence.fr", "mtsend.alias@univ-provence.fr",
               "mtsend.une+liste@univ-provence.fr"]
)  # fmt: skip
def test_own_addresses(mail: Mail, sender: str) -> None:
    message = compose(sender, LOCAL)
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        smtp.send_message(message, from_addr=sender)
    mail.delivered("mail1", "mtsend-une", message)


@pytest.mark.parametrize(
    "sender",
    [
        "jeanne.martin@univ-provence.fr",
        "JEANNE.martin+x@univ-provence.fr",
        "personne-de-ce-nom@univ-provence.fr",
        "postmaster@univ-provence.fr",
        LEGACY,
        OUTSIDE,
    ],
)
def test_addresses_of_others(mail: Mail, sender: str) -> None:
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        code, text = smtp.mail(sender)
        assert code == 553, text
        assert b"not owned by user" in text
        assert smtp.rcpt(LOCAL)[0] == 503, "without a sender"


@pytest.mark.parametrize(
    "written",
    [
        "From: Jeanne Martin <jeanne.martin@univ-provence.fr>",
        f"From: {LOCAL}\r\nFrom: jeanne.martin@univ-provence.fr",
        f"From: {LOCAL}, jeanne.martin@univ-provence.fr",
        f'From: "{LOCAL}" <directeur@banque.example>',
        # which of two addresses is meant, programs disagree about
        f"From: jeanne.martin@univ-provence.fr <{LOCAL}>",
        f'From: "jeanne.martin@univ-provence.fr" <{LOCAL}>',
        f"From: =?utf-8?q?jeanne.martin=40univ-provence.fr?= <{LOCAL}>",
        f"From: {LOCAL} jeanne.martin@univ-provence.fr",
        f"From: {LOCAL} (jeanne.martin@univ-provence.fr)",
        f'From: "jeanne.martin@univ-provence.fr"@ x <{LOCAL}>',
        f"From: {LOCAL}\r\nSender: jeanne.martin@univ-provence.fr",
        "From: ",
        "From: undisclosed",
        "From: Direction: jeanne.martin@univ-provence.fr;",
    ],
)
def test_readers_see_the_real_sender(mail: Mail, written: str) -> None:
    text = f"{written}\r\nTo: {LOCAL}\r\nSubject: Essai\r\n\r\nBonjour.\r\n"
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail(LOCAL, [LOCAL], text.encode())
        assert refused.value.smtp_code == 554
        assert b"From header" in refused.value.smtp_error


@pytest.mark.parametrize(
    "written",
    [
        f"From: =?utf-8?q?L=C3=A9a_d=E2=80=99Arc?= <{LOCAL}>",
        f'From: "Service @ DRH, bureau 3" <{LOCAL.upper()}>',
        f"From: \"'{LOCAL}'\" <{LOCAL}>",
        f"From: mtsend.une+liste@univ-provence.fr\r\nSender: {LOCAL}",
        f"From: {LOCAL}\r\nReply-To: equipe@banque.example",
        "X-None: Postfix writes it",
    ],
)
def test_senders_are_free_in_what_they_call_themselves(mail: Mail, written: str) -> None:
    message = compose(LOCAL, LOCAL)
    text = f"{written}\r\nTo: {LOCAL}\r\nMessage-ID: {message['Message-ID']}\r\n\r\nBonjour.\r\n"
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        smtp.sendmail(LOCAL, [LOCAL], text.encode())
    arrived = mail.arrived("mtsend-une", message, PASSWORD)
    assert "mtsend.une" in arrived["From"].lower()


def test_only_receipts_go_without_a_sender(mail: Mail) -> None:
    text = f"From: jeanne.martin@univ-provence.fr\r\nTo: {LOCAL}\r\nSubject: x\r\n\r\nx\r\n"
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        with pytest.raises(smtplib.SMTPDataError, match="Only receipts"):
            smtp.sendmail("", [LOCAL], text)
        receipt = text.replace(
            "\r\n\r\n", "\r\nContent-Type: multipart/report; report-type=disposition-notification;"
            ' boundary="b"\r\n\r\n--b\r\n\r\n', 1,
        )  # fmt: skip
        smtp.sendmail("", [LOCAL], receipt.replace("jeanne.martin@univ-provence.fr", LOCAL))


def test_the_grace_period_takes_nothing_away(mail: Mail) -> None:
    """Whoever has left sends, receives and reads until it ends."""
    address = "mtsend.grace@univ-provence.fr"
    message = compose(address, "ailleurs@ouvert.example")
    with mail.submission("mtsend-grace", PASSWORD) as smtp:
        smtp.send_message(message)
    assert mail.in_sink("ailleurs@ouvert.example", message["Message-ID"])["From"] == address
    answer = compose(OUTSIDE, address)
    mail.send(answer)
    mail.arrived("mtsend-grace", answer, PASSWORD)


@pytest.mark.parametrize("uid", ["mtsend-susp", "mtsend-pend", "mtsend-inconnu"])
def test_who_may_not_sign_in_does_not_send(mail: Mail, uid: str) -> None:
    with (
        pytest.raises(smtplib.SMTPAuthenticationError) as refused,
        mail.submission(uid, PASSWORD),
    ):
        pass
    assert refused.value.smtp_code == 535


def test_no_password_without_encryption(mail: Mail) -> None:
    with mail.smtp(port=587, tls=False) as smtp:
        assert "auth" not in smtp.esmtp_features
        assert smtp.docmd("AUTH PLAIN AG10c2VuZC11bmUAZXNzYWkxZW52b2k=")[0] in (503, 530, 538)
        assert smtp.mail(LOCAL)[0] == 530
    for server in (mail.server, mail.legacy_server):
        with mail.smtp(server) as smtp:  # mail servers do not sign in, encrypted or not
            assert "auth" not in smtp.esmtp_features


def test_the_legacy_server_offers_no_submission(mail: Mail) -> None:
    for port in (465, 587):
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection((mail.legacy_server, port), timeout=5)


def test_nothing_said_before_encryption_counts(mail: Mail) -> None:
    """Commands that somebody puts behind STARTTLS in clear are thrown away (CVE-2011-0411)."""
    with socket.create_connection((mail.server, 587), timeout=20) as plain:
        stream = plain.makefile("rb")
        assert stream.readline().startswith(b"220 ")
        plain.sendall(b"EHLO client.strict.example\r\n")
        while not stream.readline().startswith(b"250 "):
            pass
        plain.sendall(b"STARTTLS\r\nRSET\r\nNOOP inject\xc3\xa9\r\n")
        answer = stream.readline()
        if answer.startswith(b"220"):
            with mail.tls().wrap_socket(plain, server_hostname=mail.server) as encrypted:
                encrypted.sendall(b"EHLO client.strict.example\r\n")
                assert encrypted.recv(200).startswith(b"250-mail.univ-provence.fr")
        else:
            assert answer.startswith(b"554 ")  # "improper command pipelining"


def test_a_pre_created_recipient_is_refused_to_our_own_too(mail: Mail) -> None:
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        smtp.mail(LOCAL)
        code, text = smtp.rcpt("mtsend.pend@univ-provence.fr")
        assert code == 550
        assert b"attend son activation" in text


def test_a_stolen_password_does_not_reach_thousands(mail: Mail, lab: LabUnderTest) -> None:
    limit = int(
        lab.run("mail1", "sed -n 's/.*burst = //p' /etc/rspamd/local.d/ratelimit.conf")
        .stdout.strip()
        .rstrip(";")
    )
    recipients = [f"victime{number}@ouvert.example" for number in range(100)]
    codes = []
    with mail.submission("mtsend-une", PASSWORD) as smtp:
        for _ in range(limit // 100 + 2):
            smtp.mail(LOCAL)
            for recipient in recipients:
                smtp.rcpt(recipient)
            code, text = smtp.data(compose(LOCAL, OUTSIDE).as_bytes())
            codes.append(code)
    assert codes[0] == 250
    assert codes[-1] // 100 == 4
    assert b"Too many recipients" in text
    lab.run(
        "mail1",
        "grep -lrE '^Delivered-To: victime[0-9]+@' /var/lib/ent-sink/new | xargs -r rm",
    )


def test_own_servers_send_reports(mail: Mail, lab: LabUnderTest) -> None:
    """A host of the stack relays through mail1 without a password; a stranger does not."""
    program = (
        "import smtplib, ssl, sys; from email.message import EmailMessage; m = EmailMessage();"
        "m['From'] = sys.argv[2]; m['To'] = 'rapport@ouvert.example';"
        "m['Subject'] = 'Rapport'; m['Message-ID'] = sys.argv[1]; m.set_content('Rien.');"
        "s = smtplib.SMTP('mail.univ-provence.fr', 25, local_hostname='ldap1.univ-provence.fr');"
        "s.starttls(context=ssl.create_default_context()); s.send_message(m)"
    )
    identifier = compose(OUTSIDE)["Message-ID"]
    sent = lab.run("ldap1", "python3 -c %s %s %s", program, identifier, f"ent-essai@{lab.domain}")
    assert sent.rc == 0, sent.stderr
    report = mail.in_sink("rapport@ouvert.example", identifier)
    assert "d=univ-provence.fr" in report["DKIM-Signature"]
    stranger = lab.run("client1", "python3 -c %s %s %s", program, identifier, LOCAL)
    assert "Relay access denied" in stranger.stderr
