"""What is between the lines of SMTP: sizes, letters, ends of lines, broken messages, limits."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest

from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose, holder, people

pytestmark = [
    pytest.mark.uses("mailup1"),
    pytest.mark.service("mail1", "postfix", "rspamd", "dovecot"),
]

UID, ADDRESS = "mtproto", "mtproto@univ-provence.fr"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture(scope="module", autouse=True)
def reader(lab: LabUnderTest) -> Iterator[None]:
    with people(lab, holder(UID, ADDRESS)):
        yield


def hand_over(mail: Mail, text: bytes, *, body: str = "BODY=8BITMIME") -> tuple[int, bytes]:
    """Send exactly these bytes (lines ended, dots doubled by the caller); the answer."""
    with mail.smtp() as smtp:
        assert smtp.mail(OUTSIDE, [body])[0] == 250
        assert smtp.rcpt(ADDRESS)[0] == 250
        assert smtp.docmd("DATA")[0] == 354
        smtp.send(text + b"\r\n.\r\n")
        return smtp.getreply()


def headers(subject: str = "Essai") -> tuple[str, bytes]:
    """An identifier, and the head of a message that carries it."""
    identifier = f"<{uuid.uuid4().hex}@essai.example>"
    head = f"From: {OUTSIDE}\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\nMessage-ID: {identifier}\r\n"
    return identifier, head.encode()


def stored_text(mail: Mail, lab: LabUnderTest, identifier: str) -> bytes:
    """The one message of that identifier, as it lies in the mailbox."""
    found = mail.wait_stored("mail1", UID, identifier)
    assert found == 1
    return bytes(
        lab.run(
            "mail1",
            # not in Dovecot's indexes, which know the identifier too
            'find /var/mail/ent/%s/mail -path "*/cur/*" -o -path "*/new/*"'
            " | xargs grep -lF -e %s | xargs cat",
            UID,
            identifier,
        ).stdout_bytes
    )


def test_a_hundred_recipients(mail: Mail, lab: LabUnderTest) -> None:
    addresses = [f"mthun{number}@{lab.domain}" for number in range(100)]
    crowd = [holder(address.partition("@")[0], address) for address in addresses]
    with people(lab, *crowd):
        message = compose(OUTSIDE, addresses[0])
        mail.send(message, *addresses)
        wait_for(
            lambda: (
                lab.run(
                    "mail1",
                    "grep -rlF -e %s /var/mail/ent/mthun*/mail | cut -d/ -f5 | sort -u | wc -l",
                    message["Message-ID"],
                ).stdout.strip()
                == "100"
            ),
            what="the message in a hundred mailboxes",
        )


def test_size_is_said_and_kept(mail: Mail, lab: LabUnderTest) -> None:
    limit = mail.setting("mail1", "message_size_limit")
    assert mail.setting("mailup1", "message_size_limit") < limit, (
        "what the legacy server takes has to fit when it is forwarded"
    )
    with mail.smtp() as smtp:
        assert int(smtp.esmtp_features["size"]) == limit
        assert smtp.mail(OUTSIDE, [f"SIZE={limit + 1}"])[0] == 552
    _, head = headers()
    line = b"x" * 998 + b"\r\n"
    code, text = hand_over(mail, head + b"\r\n" + line * (limit // len(line) + 1))
    assert code == 552, text


def test_eight_bits_arrive_as_they_were(mail: Mail, lab: LabUnderTest) -> None:
    identifier, head = headers("Élève à l’œuvre")
    body = "Où ? Là-bas, près de l’étang.\r\n\xa0\xff".encode() + b"\x80\xfe"
    assert hand_over(mail, head + b"\r\n" + body)[0] == 250
    text = stored_text(mail, lab, identifier)
    assert "Élève à l’œuvre".encode() in text
    assert body.replace(b"\r\n", b"\n") in text


def test_internationalised_addresses_are_refused_at_once(mail: Mail) -> None:
    """Dovecot takes none: better a refusal than a bounce (RFC 6531, 3.1)."""
    with mail.smtp() as smtp:
        assert "smtputf8" not in smtp.esmtp_features
        assert smtp.docmd("MAIL FROM:<expediteur@strict.example> SMTPUTF8")[0] == 555


def test_long_lines_stay_whole(mail: Mail, lab: LabUnderTest) -> None:
    identifier, head = headers()
    line = b"a" * 20000
    assert hand_over(mail, head + b"\r\n" + line)[0] == 250
    assert line in stored_text(mail, lab, identifier)


@pytest.mark.parametrize(
    "text",
    [
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nno end of anything",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n",
        b'Content-Type: text/plain; charset="x\r\nContent-Transfer-Encoding: base64\r\n\r\n=%=%',
        b"Content-Type: message/rfc822\r\n\r\n" * 40,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 3000,
    ],
)
def test_broken_messages_arrive(mail: Mail, text: bytes) -> None:
    identifier, head = headers()
    assert hand_over(mail, head + text)[0] == 250
    assert mail.wait_stored("mail1", UID, identifier) == 1


def test_no_zero_bytes(mail: Mail) -> None:
    _, head = headers()
    assert hand_over(mail, head + b"\r\na\0b")[0] == 550


def test_no_header_comes_out_of_a_line(mail: Mail, lab: LabUnderTest) -> None:
    """A lone CR or LF within a header ends no line for the next program either."""
    identifier, head = headers("un\rX-Spam: Yes\nBcc: victime@ouvert.example")
    hand_over(mail, head + b"\r\nBonjour.")
    text = stored_text(mail, lab, identifier)
    assert b"\r" not in text.partition(b"\n\n")[0].replace(b"\r\n", b"\n")
    assert mail.queue("mail1", "victime@ouvert.example") == []


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n"]
)
def test_no_message_hides_in_another(mail: Mail, ending: bytes) -> None:
    """SMTP smuggling (CVE-2023-51764): only CR LF . CR LF ends a message."""
    hidden, head = headers()
    inner = (
        b"MAIL FROM:<president@univ-provence.fr>\r\nRCPT TO:<mtproto@univ-provence.fr>\r\nDATA\r\n"
        + head + b"\r\nCache."
    )  # fmt: skip
    outer_id, outer = headers()
    hand_over(mail, outer + b"\r\nBonjour." + ending + inner)
    # Whatever came of it, the next message shows that what was before it has been dealt with.
    after, head = headers()
    assert hand_over(mail, head + b"\r\nApres.")[0] == 250
    assert mail.wait_stored("mail1", UID, after) == 1
    found = mail.stored("mail1", UID)
    assert hidden not in found
    assert found.count(outer_id) <= 1


def test_addresses_are_not_told(mail: Mail) -> None:
    with mail.smtp() as smtp:
        assert smtp.verify("jeanne.martin")[0] == 502
        assert smtp.docmd("EXPN", "postmaster")[0] in (500, 502)


def test_a_robot_that_speaks_first_is_refused(mail: Mail, lab: LabUnderTest) -> None:
    """postscreen, for a stranger that has never behaved (dns1)."""
    program = (
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], 25), 30)\n"
        "s.sendall(b'EHLO robot.example\\r\\n')\n"
        "said = s.makefile('rb')\n"
        "def answer():\n"
        "    while (line := said.readline())[3:4] == b'-':\n"
        "        pass\n"
        "    print(line.decode().strip())\n"
        "answer()\n"
        "for line in ('MAIL FROM:<a@ouvert.example>', 'RCPT TO:<postmaster@univ-provence.fr>'):\n"
        "    s.sendall(line.encode() + b'\\r\\n')\n"
        "    answer()\n"
    )
    ran = lab.run("dns1", "timeout 60 python3 -c %s %s", program, lab.ip("mail1"))
    said = ran.stdout.splitlines()
    assert said[-1].startswith("550 5.5.1 Protocol error"), (said, ran.stderr)


def test_strangers_have_limits(mail: Mail, lab: LabUnderTest) -> None:
    """anvil: more connections in a minute than a person makes (client1, submission)."""
    limit = mail.setting("mail1", "smtpd_client_connection_rate_limit")
    program = (
        "import socket, sys\n"
        "for _ in range(int(sys.argv[1])):\n"
        "    with socket.create_connection(('mail.univ-provence.fr', 587), 30) as s:\n"
        "        print(s.recv(3).decode())"
    )
    said = lab.run("client1", "python3 -c %s %s", program, str(limit + 10)).stdout.split()
    assert said[0] == "220"
    assert said[-1] == "421"
    with socket.create_connection((mail.server, 587), timeout=10) as other:
        assert other.recv(3) == b"220", "somebody else's limit"
