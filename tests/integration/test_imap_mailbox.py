"""What a mailbox is: folders, filters, quota, delivery; and the metrics and limits around it."""

from __future__ import annotations

import base64
import imaplib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import LabUnderTest, wait_for
from mail import Mail, compose, holder, people

pytestmark = [
    pytest.mark.uses("mail1", "mailup1"),
    pytest.mark.service("mail1", "dovecot", "postfix"),
]

PASSWORD = "essai2026"
DELIVER = """
import smtplib, sys
size, *recipients = sys.argv[1:]
lmtp = smtplib.LMTP("/run/dovecot/lmtp")
lmtp.ehlo()
lmtp.mail("essai@strict.example")
codes = [lmtp.rcpt(one)[0] for one in recipients]
if 250 in codes:
    lmtp.docmd("DATA")
    lmtp.send(b"Subject: volume\\r\\n\\r\\n")
    lmtp.send((b"x" * 78 + b"\\r\\n") * (int(size) // 80) + b".\\r\\n")
    codes = [lmtp.getreply()[0] if code == 250 else code for code in codes]
print(*codes)
lmtp.close()
"""


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture
def person(lab: LabUnderTest) -> Iterator[str]:
    """An active person with a mailbox of 1 MiB."""
    entry = holder(
        "imbox",
        f"im.box@{lab.domain}",
        "imbox@up.univ-aix.fr",
        userPassword=PASSWORD,
        entMailQuota="1",
    )
    with people(lab, entry):
        yield "imbox"


class ManageSieve:
    """A dialogue with the filter server (RFC 5804), after STARTTLS."""

    def __init__(self, mail: Mail) -> None:
        self._socket = socket.create_connection((mail.server, 4190), timeout=30)
        self._lines = self._socket.makefile("rwb", buffering=0)
        self.until_answer()
        assert self.say("STARTTLS").startswith("OK")
        self._socket = mail.tls().wrap_socket(self._socket, server_hostname=mail.server)
        self._lines = self._socket.makefile("rwb", buffering=0)
        self.capabilities = self.until_answer()

    def until_answer(self) -> str:
        text = ""
        while not re.search(r"^(OK|NO|BYE)\b", text.splitlines()[-1] if text else ""):
            line = self._lines.readline()
            assert line, text
            text += line.decode()
        return text

    def say(self, command: str) -> str:
        self._lines.write(command.encode() + b"\r\n")
        return self.until_answer()

    def sign_in(self, uid: str, password: str) -> str:
        words = base64.b64encode(f"\0{uid}\0{password}".encode()).decode()
        return self.say(f'AUTHENTICATE "PLAIN" "{words}"')

    def close(self) -> None:
        self._socket.close()


@contextmanager
def filters(mail: Mail, uid: str, password: str = PASSWORD) -> Iterator[ManageSieve]:
    """A signed-in dialogue about somebody's filters."""
    connection = ManageSieve(mail)
    try:
        assert connection.sign_in(uid, password).startswith("OK")
        yield connection
    finally:
        connection.close()


def deliver(lab: LabUnderTest, *recipients: str, size: int = 100) -> list[str]:
    """Codes with which the LMTP socket answers to a message of some size."""
    command = "python3 -c %s %s " + " ".join(["%s"] * len(recipients))
    result = lab.run("mail1", command, DELIVER, str(size), *recipients)
    assert result.rc == 0, result.stderr
    return str(result.stdout).split()


def subjects(imap: imaplib.IMAP4) -> list[str]:
    imap.noop()
    _, parts = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [part[1].decode().strip() for part in parts if isinstance(part, tuple)]


def test_folders_in_french_with_their_use(mail: Mail, person: str) -> None:
    with mail.imap(person, PASSWORD) as imap:
        _, lines = imap.lsub()
        subscribed = {line.decode().rpartition(" ")[2] for line in lines}
        _, lines = imap.list()
    found = dict(
        re.findall(
            r"\((?:[^)]*)(\\(?:Drafts|Sent|Junk|Trash))\) \"/\" (\S+)", b"\n".join(lines).decode()
        )
    )
    assert found == {
        "\\Drafts": "Brouillons",
        "\\Sent": "Envoy&AOk-s",
        "\\Junk": "Ind&AOk-sirables",
        "\\Trash": "Corbeille",
    }
    assert set(found.values()) <= subscribed, "mail programs show them unasked"


def test_names_of_folders_are_free(mail: Mail, person: str) -> None:
    theirs = "find /var/mail/ent/jmartin -maxdepth 2 -type d | sort"
    before = mail.lab.run("mail1", theirs).stdout
    with mail.imap(person, PASSWORD) as imap:
        for name in ("Projet v2.0/Budget 2026", "a.b.c", "new folder"):
            assert imap.create(f'"{name}"')[0] == "OK"
            assert imap.append(f'"{name}"', "", None, b"Subject: x\r\n\r\n")[0] == "OK"
        for name in ("../../jmartin", "/etc", "~jmartin"):
            imap.create(f'"{name}"')
    assert mail.lab.run("mail1", theirs).stdout == before


def test_mailboxes_are_apart(lab: LabUnderTest, mail: Mail, person: str) -> None:
    with mail.imap(person, PASSWORD) as imap:
        assert imap.select("INBOX")[0] == "OK"
        assert imap.select('"../jmartin/mail"')[0] == "NO"
        assert imap.select('"user/jmartin"')[0] == "NO"
    modes = lab.run("mail1", "stat -c '%%U %%a' /var/mail/ent /var/mail/ent/%s", person).stdout
    assert modes.split() == ["ent-mail", "700", "ent-mail", "700"]


def test_delivery_by_any_address(lab: LabUnderTest, mail: Mail, person: str) -> None:
    answers = deliver(
        lab,
        f"im.box@{lab.domain}",
        f"IM.Box@{lab.domain.upper()}",
        f"im.box+liste@{lab.domain}",
        "imbox@up.univ-aix.fr",
        f"personne@{lab.domain}",
        f"yves.garnier@{lab.domain}",
    )
    assert answers == ["250", "250", "250", "250", "550", "550"]
    with mail.imap(person, PASSWORD) as imap:
        assert imap.select("INBOX")[1] == [b"4"]


def test_spam_is_filed_and_not_lost(lab: LabUnderTest, mail: Mail, person: str) -> None:
    program = DELIVER.replace("Subject: volume", "X-Spam: Yes\\r\\nSubject: volume")
    result = lab.run("mail1", "python3 -c %s 80 %s", program, f"im.box@{lab.domain}")
    assert result.stdout.strip() == "250"
    with mail.imap(person, PASSWORD) as imap:
        assert imap.select('"Ind&AOk-sirables"')[1] == [b"1"]
        assert imap.select("INBOX")[1] == [b"0"]


def test_own_filters(lab: LabUnderTest, mail: Mail, person: str) -> None:
    script = (
        'require ["fileinto", "mailbox", "subaddress", "envelope"];\r\n'
        'if envelope :detail "to" "liste" { fileinto :create "Listes"; }\r\n'
    )
    with filters(mail, person) as sieve:
        assert '"fileinto' in sieve.capabilities
        size = len(script.encode())
        assert sieve.say(f'PUTSCRIPT "tri" {{{size}+}}\r\n{script}').startswith("OK")
        assert sieve.say('SETACTIVE "tri"').startswith("OK")
        wrong = "keeep;\r\n"
        answer = sieve.say(f'PUTSCRIPT "faux" {{{len(wrong)}+}}\r\n{wrong}')
        assert answer.startswith("NO"), "a script that does not compile is not kept"
    assert deliver(lab, f"im.box+liste@{lab.domain}", f"im.box@{lab.domain}") == ["250", "250"]
    with mail.imap(person, PASSWORD) as imap:
        assert imap.select("Listes")[1] == [b"1"]
        assert imap.select("INBOX")[1] == [b"1"]


def test_filters_ask_the_directory(lab: LabUnderTest, mail: Mail, person: str) -> None:
    sieve = ManageSieve(mail)
    assert sieve.sign_in(person, "faux").startswith("NO")
    sieve.close()


def test_a_full_mailbox_makes_senders_wait(lab: LabUnderTest, mail: Mail, person: str) -> None:
    address = f"im.box@{lab.domain}"
    with mail.imap(person, PASSWORD) as imap:
        imap.select("INBOX")
        assert deliver(lab, address, size=900_000) == ["250"]
        # at 80 %: told in the mailbox itself, whatever its quota
        wait_for(
            lambda: any("Votre_bo=C3=AEte" in one for one in subjects(imap)), what="the warning"
        )
        # the last one may be larger than what is left; then nothing more comes in
        assert deliver(lab, address, size=300_000) == ["250"]
        assert deliver(lab, address) == ["452"]
        status, (text,) = imap.append("INBOX", "", None, b"Subject: x\r\n\r\n" + b"x" * 300_000)
        assert status == "NO"
        assert b"OVERQUOTA" in text
        _, (_, quota) = imap.getquotaroot("INBOX")
        used, limit = re.findall(rb"STORAGE (\d+) (\d+)", quota[0])[0]
        assert int(limit) == 1024
        assert 1024 < int(used) < 1400
        # room again, and mail arrives
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        assert deliver(lab, address, size=300_000) == ["250"]


def test_postfix_keeps_what_does_not_fit(lab: LabUnderTest, mail: Mail, person: str) -> None:
    address = f"im.box@{lab.domain}"
    assert deliver(lab, address, size=1_100_000) == ["250"]
    message = compose("essai@strict.example", address)
    mail.send(message, address)
    wait_for(
        lambda: any(
            one["address"] == address and "452" in one.get("delay_reason", "")
            for entry in mail.queue("mail1")
            for one in entry["recipients"]
        ),
        what="the message waits in the queue",
    )
    with mail.imap(person, PASSWORD) as imap:
        imap.select("INBOX")
        imap.store("1:*", "+FLAGS", "\\Deleted")
        imap.expunge()
    mail.drained("mail1", address)
    mail.arrived(person, message, PASSWORD)


def test_suspended_people_still_receive(lab: LabUnderTest, mail: Mail) -> None:
    for state in ("S:SupannVerrouAdministratif", "S:SupannVerrouTechnique"):
        with people(lab, holder("imsus", f"im.sus@{lab.domain}", state=state)):
            assert deliver(lab, f"im.sus@{lab.domain}") == ["250"]
    with people(lab, holder("imsus", f"im.sus@{lab.domain}", state="I:SupannExpire")):
        assert deliver(lab, f"im.sus@{lab.domain}") == ["550"]


def test_lmtp_is_for_postfix_alone(lab: LabUnderTest, mail: Mail) -> None:
    for path in ("/run/dovecot/lmtp", "/var/spool/postfix/private/dovecot-lmtp"):
        result = lab.run(
            "mail1",
            "runuser -u nobody -- python3 -c %s %s",
            "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
            path,
        )
        assert "PermissionError" in result.stderr, path
    for port in (24, 110, 143, 995, 2000, 9900):
        with socket.socket() as connection:
            connection.settimeout(5)
            assert connection.connect_ex((mail.server, port)) != 0, port


def test_secrets_are_roots(lab: LabUnderTest) -> None:
    for host, path in (
        ("mail1", "/etc/dovecot/secrets.conf"),
        ("mail1", "/etc/dovecot/migration.passwd"),
        ("mailup1", "/etc/dovecot/secrets.conf"),
        ("mailup1", "/etc/ent/mailmove/settings.json"),
    ):
        assert lab.run(host, "runuser -u nobody -- cat %s", path).rc != 0, path
    text = lab.run("mail1", "cat /etc/dovecot/migration.passwd /etc/dovecot/dovecot.conf").stdout
    assert lab.secret("mailmove") not in text, "the new server keeps a digest only"
    assert lab.secret("ldap-dovecot") not in text


def test_a_faulty_setting_is_not_installed(lab: LabUnderTest) -> None:
    before = lab.run("mail1", "sha256sum /etc/dovecot/dovecot.conf").stdout
    lab.refused(
        "playbooks/mail.yml",
        "--limit",
        "mail1",
        "--extra-vars",
        '{"dovecot_ldap_timeout": "beaucoup"}',
    )
    assert lab.run("mail1", "sha256sum /etc/dovecot/dovecot.conf").stdout == before
    faulty: Any = lab.run(
        "mail1",
        "sed 's/^auth_failure_delay.*/auth_failure_delay = bientôt/' /etc/dovecot/dovecot.conf "
        "> /run/faulty.conf; doveconf -n -c /run/faulty.conf; echo $?; rm /run/faulty.conf",
    )
    assert faulty.stdout.strip().splitlines()[-1] != "0", "what the role validates with finds it"


def test_the_legacy_server_offers_delivery_only(lab: LabUnderTest, mail: Mail) -> None:
    for port in (143, 993, 4190):
        with socket.socket() as connection:
            connection.settimeout(5)
            assert connection.connect_ex((mail.legacy_server, port)) != 0, port
    entry = holder("imold", "imold@up.univ-mrs.fr", state="I:SupannPrecree", entMailQuota="1")
    with people(lab, entry):
        result = lab.run("mailup1", "python3 -c %s 2000000 %s", DELIVER, "IMOLD@up.univ-mrs.fr")
        assert result.stdout.strip() == "250", "no quota before the move"
        assert lab.run("mailup1", "ls /var/mail/ent/imold").rc == 0
