"""Who signs in to their mailbox, with what, from where; and with the directory away."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Iterator

import ldap
import pytest

from lab import LabUnderTest, wait_for
from mail import Mail, compose, holder, people
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("mail1", "mailup1"),
    pytest.mark.service("mail1", "dovecot"),
    pytest.mark.service("ldap1", "slapd"),
]

PASSWORD = "essai2026"
REFUSED = r"\[AUTHENTICATIONFAILED\]"
# Tries of wrong passwords are made from another host, whose penalty slows down no other test.
LOGIN = """
import imaplib, ssl, sys
server, *tries = sys.argv[1:]
for one in tries:
    uid, _, password = one.partition(":")
    imap = imaplib.IMAP4_SSL(server, ssl_context=ssl.create_default_context(), timeout=60)
    try:
        print(imap.authenticate("PLAIN", lambda _: f"\\0{uid}\\0{password}".encode())[0])
    except imaplib.IMAP4.error as error:
        print(error)
    imap.shutdown()
"""
MASTER = """
import imaplib, ssl, sys
server, uid, user = sys.argv[1:]
secret = sys.stdin.readline().strip()
imap = imaplib.IMAP4_SSL(server, ssl_context=ssl.create_default_context(), timeout=60)
try:
    print(imap.authenticate("PLAIN", lambda _: f"{uid}\\0{user}\\0{secret}".encode())[0])
    print(imap.select("INBOX")[0])
except imaplib.IMAP4.error as error:
    print(error)
"""


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture
def person(lab: LabUnderTest) -> Iterator[str]:
    """An active person."""
    with people(lab, holder("imparty", f"im.party@{lab.domain}", userPassword=PASSWORD)):
        yield "imparty"


def sign_in(mail: Mail, uid: str, password: str = PASSWORD) -> None:
    with mail.imap(uid, password) as imap:
        assert imap.select("INBOX")[0] == "OK"


def refused(mail: Mail, uid: str, password: str = PASSWORD) -> None:
    with pytest.raises(imaplib.IMAP4.error, match=REFUSED), mail.imap(uid, password):
        pass


def from_client(lab: LabUnderTest, mail: Mail, *tries: str) -> list[str]:
    """What the server answers to sign-ins from the client host, one after the other."""
    result = lab.run(
        "client1", "python3 -c %s %s " + " ".join(["%s"] * len(tries)), LOGIN, mail.server, *tries
    )
    assert result.rc == 0, result.stderr
    return str(result.stdout).splitlines()


@pytest.mark.guide("G3")
def test_a_changed_password_counts_at_once(mail: Mail, directory: Directory, person: str) -> None:
    sign_in(mail, person)
    connection = directory.bind(directory.dn(person), PASSWORD)

    def change(password: str) -> None:
        connection.modify_s(
            directory.dn(person), [(ldap.MOD_REPLACE, "userPassword", [password.encode()])]
        )

    change("nouveau2026")
    sign_in(mail, person, "nouveau2026")
    refused(mail, person)
    # submission asks the same way
    with mail.submission(person, "nouveau2026"):
        pass
    change("encore2026")
    sign_in(mail, person, "encore2026")


@pytest.mark.guide("G6f")
def test_activation_opens_the_mailbox_at_once(
    lab: LabUnderTest, mail: Mail, directory: Directory
) -> None:
    with people(lab, holder("imnew", state="I:SupannPrecree", userPassword=PASSWORD)):
        refused(mail, "imnew")
        address = f"im.new@{lab.domain}"
        directory.as_root(
            f"dn: {directory.dn('imnew')}\nchangetype: modify\n"
            "delete: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}I:SupannPrecree\n-\n"
            "add: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}A:SupannActif\n-\n"
            f"add: mail\nmail: {address}\n-\nadd: supannAutreMail\nsupannAutreMail: {address}\n"
        )
        sign_in(mail, "imnew")
        message = compose("essai@strict.example", address)
        mail.send(message, address)
        mail.arrived("imnew", message, PASSWORD)


@pytest.mark.parametrize(
    ("state", "may"),
    [
        ("A:SupannActif", True),
        ("A:SupannSursis", True),
        ("I:SupannPrecree", False),
        ("S:SupannVerrouAdministratif", False),
        ("S:SupannVerrouTechnique", False),
        ("I:SupannExpire", False),
    ],
)
def test_states(lab: LabUnderTest, mail: Mail, state: str, may: bool) -> None:
    entry = holder("imstate", f"im.state@{lab.domain}", state=state, userPassword=PASSWORD)
    with people(lab, entry):
        if may:
            sign_in(mail, "imstate")
        else:
            refused(mail, "imstate")


def test_login_or_address_in_any_case(lab: LabUnderTest, mail: Mail, person: str) -> None:
    for name in (
        person,
        person.upper(),
        f"im.party@{lab.domain}",
        f"Im.Party@{lab.domain.upper()}",
    ):
        with mail.imap(name, PASSWORD) as imap:
            imap.select("INBOX")
    owner = mail.lab.run("mail1", "ls /var/mail/ent | grep -i im.*party").stdout.split()
    assert owner == [person], "one mailbox, whatever name they sign in by"


def test_names_that_are_none(lab: LabUnderTest, mail: Mail, person: str) -> None:
    tries = [f"{name}:{PASSWORD}" for name in ("*", "imparty)(uid=*", "imparty\2a")]
    for answer in from_client(lab, mail, *tries, f"{person}:"):
        assert "AUTHENTICATIONFAILED" in answer


def test_guessing_slows_down_and_locks(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str
) -> None:
    answers = from_client(lab, mail, *[f"{person}:faux{n}" for n in range(3)])
    assert all("AUTHENTICATIONFAILED" in answer for answer in answers)
    penalties = lab.run("mail1", "doveadm penalty %s", lab.ip("client1")).stdout.split()
    assert int(penalties[penalties.index(lab.ip("client1")) + 1]) > 0
    # the directory counts for all services together
    for number in range(7):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(directory.dn(person), f"encore{number}")
    refused(mail, person)


def test_only_the_legacy_server_may_bring_messages(
    lab: LabUnderTest, mail: Mail, person: str
) -> None:
    def ask(host: str, secret: str, uid: str = person, user: str = "mailmove") -> list[str]:
        result = lab.run(
            host,
            "printf '%%s\\n' %s | python3 -c %s %s %s %s",
            secret,
            MASTER,
            mail.server,
            uid,
            user,
        )
        return str(result.stdout).splitlines()

    secret = lab.secret("mailmove")
    assert ask("mailup1", secret) == ["OK", "OK"]
    for answer in (
        ask("client1", secret),
        ask("mail1", secret),
        ask("mailup1", secret[:-1]),
        ask("mailup1", secret, uid="mailmove"),
        ask("mailup1", secret, uid="personne-du-tout"),
        ask("mailup1", PASSWORD, uid="jmartin", user=person),
        ask("mailup1", secret, uid=f"{person}*mailmove"),
    ):
        assert answer, "the server said something, or ended the connection"
        assert "OK" not in answer, answer


def test_the_mover_cannot_send(lab: LabUnderTest, mail: Mail, person: str) -> None:
    program = (
        "import base64, smtplib, ssl, sys\n"
        "s = smtplib.SMTP_SSL(sys.argv[1], 465, context=ssl.create_default_context(), timeout=60)\n"
        "secret = sys.stdin.readline().strip(); s.ehlo('mailup1.strict.example')\n"
        "words = base64.b64encode(f'{sys.argv[2]}\\0mailmove\\0{secret}'.encode()).decode()\n"
        "print(s.docmd('AUTH', 'PLAIN ' + words)[0])\n"
    )
    result = lab.run(
        "mailup1",
        "printf '%%s\\n' %s | python3 -c %s %s %s",
        lab.secret("mailmove"),
        program,
        mail.server,
        person,
    )
    # 454: Dovecot makes an address wait that guessed before, longer than Postfix waits
    assert result.stdout.strip() in ("535", "454"), result.stdout + result.stderr


def closed(server: str, port: int) -> bool:
    try:
        with socket.create_connection((server, port), timeout=10):
            return False
    except OSError:
        return True


def test_nothing_in_clear(lab: LabUnderTest, mail: Mail) -> None:
    assert closed(mail.server, 143)
    with socket.create_connection((mail.server, 4190), timeout=10) as sieve:
        lines = sieve.makefile("rwb", buffering=0)
        greeting = b""
        while not greeting.endswith((b'OK "Dovecot ready."\r\n',)):
            line = lines.readline()
            assert line, greeting
            greeting += line
        assert b'"STARTTLS"' in greeting
        assert b'"SASL" ""' in greeting, "no mechanism before TLS"
        lines.write(b'AUTHENTICATE "PLAIN" "AGEAYg=="\r\n')
        assert lines.readline().startswith(b"NO")


def test_the_journal_tells_no_secret(lab: LabUnderTest, mail: Mail, person: str) -> None:
    from_client(lab, mail, f"{person}:faux-secret-8842")
    sign_in(mail, person)
    journal = lab.run(
        "mail1", "journalctl --sync; journalctl -u dovecot -n 300 --no-pager -o cat"
    ).stdout
    assert person in journal
    for secret in (
        "faux-secret-8842",
        PASSWORD,
        lab.secret("ldap-dovecot"),
        lab.secret("mailmove"),
    ):
        assert secret not in journal


def test_sign_ins_are_counted(lab: LabUnderTest, mail: Mail, person: str) -> None:
    def count(outcome: str) -> int:
        program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9900/metrics').read().decode())"
        text = lab.run("mail1", "python3 -c %s", program).stdout
        lines = [
            line
            for line in text.splitlines()
            if line.startswith("dovecot_auth_total") and f'success="{outcome}"' in line
        ]
        return sum(int(line.rpartition(" ")[2]) for line in lines)

    before = count("yes")
    sign_in(mail, person)
    wait_for(lambda: count("yes") > before, what="the sign-in is counted")
    assert closed(mail.server, 9900)


@pytest.mark.alone("ldap1")
def test_without_the_directory_nobody_is_told_that_they_do_not_exist(
    lab: LabUnderTest, mail: Mail, person: str
) -> None:
    sign_in(mail, person)
    with mail.imap(person, PASSWORD) as open_session:
        with lab.stopped("ldap1", "slapd"):
            with (
                pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"),
                mail.imap(person, PASSWORD),
            ):
                pass
            answers = deliver(lab, f"im.party@{lab.domain}")
            assert answers == ["451"], "a temporary failure: Postfix keeps the message"
            assert open_session.select("INBOX")[0] == "OK", "who is in, stays in"
        # at once, over connections that had died
        sign_in(mail, person)
        assert deliver(lab, f"im.party@{lab.domain}") == ["250"]


def deliver(lab: LabUnderTest, *recipients: str) -> list[str]:
    """Codes that the LMTP socket answers to recipients."""
    program = (
        "import smtplib, sys\n"
        "l = smtplib.LMTP('/run/dovecot/lmtp'); l.ehlo(); l.mail('')\n"
        "print(*(l.rcpt(r)[0] for r in sys.argv[1:])); l.close()\n"
    )
    result = lab.run(
        "mail1", "python3 -c %s " + " ".join(["%s"] * len(recipients)), program, *recipients
    )
    assert result.rc == 0, result.stderr
    return str(result.stdout).split()
