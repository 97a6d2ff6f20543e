"""Mail as its users see it: SMTP and IMAP dialogues from this machine, and what arrived where."""

from __future__ import annotations

import imaplib
import json
import smtplib
import ssl
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Any

from lab import LabUnderTest, wait_for
from openldap_client import Directory, ldif_add, person

HELO = "client.strict.example"
OUTSIDE = "expediteur@strict.example"
#: What every spam filter takes for spam.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def compose(
    sender: str, *recipients: str, subject: str = "Essai", body: str = "Bonjour.\n", **headers: str
) -> EmailMessage:
    """A message with an identifier of its own, by which tests find it again.

    The body goes as it is, in eight bits and however long its lines are.
    """
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Message-ID"] = f"<{uuid.uuid4().hex}@essai.example>"
    message["Date"] = format_datetime(localtime())
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body, cte="7bit" if body.isascii() else "8bit")
    return message


@dataclass(frozen=True)
class Mail:
    """The mail servers of the lab under test."""

    lab: LabUnderTest

    @property
    def domain(self) -> str:
        """The domain of the new addresses."""
        return self.lab.domain

    @property
    def server(self) -> str:
        """Name of the new server."""
        return f"mail.{self.lab.domain}"

    @property
    def legacy_server(self) -> str:
        """Name of the legacy server."""
        return f"mailup.{self.lab.domain}"

    def tls(self) -> ssl.SSLContext:
        """A context that trusts the lab's authority and nobody else."""
        return ssl.create_default_context(cafile=self.lab.ca_file)

    @contextmanager
    def smtp(
        self, server: str = "", port: int = 25, *, helo: str = HELO, tls: bool = True
    ) -> Iterator[smtplib.SMTP]:
        """A connection as from another mail server, after EHLO (and STARTTLS)."""
        with smtplib.SMTP(server or self.server, port, local_hostname=helo, timeout=60) as smtp:
            smtp.ehlo()
            if tls:
                smtp.starttls(context=self.tls())
                smtp.ehlo()
            yield smtp

    @contextmanager
    def submission(
        self, uid: str, password: str = "", *, port: int = 587
    ) -> Iterator[smtplib.SMTP]:
        """A connection as from a person's mail program, signed in."""
        secret = password or self.lab.secret(f"person-{uid}")
        name = "poste.strict.example"
        if port == 465:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                self.server, port, local_hostname=name, timeout=60, context=self.tls()
            )
        else:
            smtp = smtplib.SMTP(self.server, port, local_hostname=name, timeout=60)
        with smtp:
            if port != 465:
                smtp.starttls(context=self.tls())
            smtp.login(uid, secret)
            yield smtp

    def send(
        self,
        message: EmailMessage,
        *recipients: str,
        sender: str = OUTSIDE,
        server: str = "",
        options: Iterable[str] = (),
    ) -> None:
        """Hand over a message as another mail server does."""
        with self.smtp(server) as smtp:
            refused = smtp.sendmail(
                sender,
                list(recipients) or message["To"].split(", "),
                message.as_bytes(policy=policy.SMTP),
                mail_options=list(options),
            )
            assert not refused, refused

    def takes_mail(self) -> EmailMessage:
        """Wait until the new server takes mail, its filter with it; return what it took."""
        message = compose(OUTSIDE, f"jeanne.martin@{self.domain}")

        def sent() -> bool:
            self.send(message)
            return True

        wait_for(sent, what=f"{self.server} taking mail")
        return message

    @contextmanager
    def imap(
        self, uid: str, password: str = "", *, server: str = ""
    ) -> Iterator[imaplib.IMAP4_SSL]:
        """A signed-in IMAP connection over TLS."""
        secret = password or self.lab.secret(f"person-{uid}")
        connection = imaplib.IMAP4_SSL(server or self.server, ssl_context=self.tls(), timeout=60)
        try:
            connection.login(uid, secret)
            yield connection
        finally:
            connection.shutdown() if connection.state == "NONAUTH" else connection.logout()

    def read(
        self, uid: str, message_id: str, password: str = "", *, folder: str = "INBOX"
    ) -> list[EmailMessage]:
        """The messages of that identifier in a person's folder, read by IMAP."""
        found = []
        with self.imap(uid, password) as imap:
            status, _ = imap.select(f'"{folder}"', readonly=True)
            if status != "OK":
                return []
            _, (numbers,) = imap.search(None, "HEADER", "Message-ID", message_id)
            for number in numbers.split():
                _, parts = imap.fetch(number, "(BODY.PEEK[])")
                found.append(message_from_bytes(parts[0][1], policy=policy.default))
        return found

    def arrived(
        self, uid: str, message: EmailMessage, password: str = "", *, folder: str = "INBOX"
    ) -> EmailMessage:
        """Wait until a message can be read by IMAP, once, and return it as it arrived."""
        found = wait_for(
            lambda: self.read(uid, message["Message-ID"], password, folder=folder),
            what=f"{message['Subject']!r} in {folder} of {uid}",
        )
        assert len(found) == 1, f"{message['Subject']!r} arrived {len(found)} times"
        return found[0]

    def stored(self, host: str, uid: str, what: str = "all") -> list[str]:
        """Identifiers of the messages in all folders of a mailbox, as its server sees them."""
        result = self.lab.run(
            host, f"doveadm -f flow fetch -u %s hdr.message-id mailbox '*' {what}", uid
        )
        lines = str(result.stdout).splitlines()
        return [line.partition("=")[2].strip() for line in lines if "=" in line]

    def delivered(self, host: str, uid: str, message: EmailMessage) -> None:
        """Wait until a message is in a mailbox, once, as the server sees it."""
        wanted = message["Message-ID"]
        wait_for(
            lambda: wanted in self.stored(host, uid),
            what=f"{message['Subject']!r} in the mailbox of {uid} on {host}",
        )
        assert self.stored(host, uid).count(wanted) == 1

    def wait_stored(self, host: str, uid: str, message_id: str, *, count: int = 1) -> int:
        """Wait until a mailbox has so many messages of an identifier, or more; return how many."""
        wait_for(
            lambda: self.stored(host, uid).count(message_id) >= count,
            what=f"{count} × {message_id} in the mailbox of {uid} on {host}",
        )
        return self.stored(host, uid).count(message_id)

    def judged(self, host: str, folder: str, message_id: str) -> str:
        """What rspamd finds in a stored message as if it had just come from a stranger."""
        result = self.lab.run(
            host,
            'file=$(find %s -path "*/cur/*" -o -path "*/new/*" | xargs grep -lF -e %s | head -1);'
            ' test -n "$file" && '
            'rspamc --connect /run/rspamd/controller.sock --ip 192.0.2.1 symbols "$file"',
            folder,
            message_id,
        )
        assert result.rc == 0, result.stderr
        return str(result.stdout)

    def setting(self, host: str, name: str) -> int:
        """A number of Postfix's configuration, as it is in force."""
        return int(self.lab.run(host, "postconf -hx %s", name).stdout)

    def queue(self, host: str, recipient: str = "") -> list[dict[str, Any]]:
        """The messages that wait on a server (postqueue -j), for recipients that contain a text."""
        waiting = [
            json.loads(line) for line in self.lab.run(host, "postqueue -j").stdout.splitlines()
        ]
        return [
            message
            for message in waiting
            if any(recipient in one["address"] for one in message["recipients"])
        ]

    def flush(self, host: str) -> None:
        """Have a server try everything that waits, now."""
        assert self.lab.run(host, "postqueue -f").rc == 0

    def drained(self, host: str, recipient: str) -> None:
        """Try what waits for recipients that contain a text again, until it has left."""

        def empty() -> bool:
            self.flush(host)
            return not self.queue(host, recipient)

        wait_for(empty, what=f"mail for {recipient} leaving {host}")

    def sink(self) -> list[EmailMessage]:
        """What left for domains outside the lab, and ended in its sink instead."""
        result = self.lab.run(
            "mail1",
            "cd /var/lib/ent-sink/new 2>/dev/null && "
            "for file in *; do test -f $file && { cat $file; printf '\\0'; }; done",
        )
        return [
            message_from_bytes(text, policy=policy.default)
            for text in result.stdout_bytes.split(b"\0")
            if text.strip()
        ]

    def in_sink(self, recipient: str, containing: str) -> EmailMessage:
        """Wait for a message to an outside recipient whose text contains something."""

        def found() -> EmailMessage | None:
            for message in self.sink():
                if message["Delivered-To"] == recipient and containing in message.as_string():
                    return message
            return None

        return wait_for(found, what=f"a message to {recipient} in the sink with {containing!r}")


@contextmanager
def people(lab: LabUnderTest, *entries: dict[str, Any]) -> Iterator[None]:
    """Invented people in the directory (holder, below), gone afterwards, mailboxes included."""
    directory = Directory(lab)
    uids = [entry["uid"] for entry in entries]
    _remove(lab, uids)
    try:
        directory.as_root("".join(ldif_add(directory.dn(e["uid"]), e) for e in entries))
        yield
    finally:
        _remove(lab, uids)


def _remove(lab: LabUnderTest, uids: list[str]) -> None:
    dns = [Directory(lab).dn(uid) for uid in uids]
    some = " ".join(["%s"] * len(uids))
    lab.run("ldap1", f"ldapdelete -c -Q -Y EXTERNAL -H ldapi:/// {some}", *dns)
    for host in ("mail1", "mailup1"):
        lab.run(host, f"cd /var/mail/ent 2>/dev/null && rm -rf {some}", *uids)


def holder(uid: str, *addresses: str, state: str = "A:SupannActif", **attributes: Any) -> dict:
    """Attributes of an invented person; the first address is their mail, unless pre-created."""
    given = {"supannAutreMail": list(addresses)} if addresses else {}
    if addresses and state != "I:SupannPrecree":
        given["mail"] = addresses[0]
    return person(uid, state, **(given | attributes))
