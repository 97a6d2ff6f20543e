"""The messages of the legacy server follow their person, and nothing is lost or doubled."""

from __future__ import annotations

import imaplib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from lab import LabUnderTest, wait_for
from mail import Mail, holder, people
from mailmove import LEDGER, ask_status, done, forget, known, told_state
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("mailmove"),
    pytest.mark.service("mailup1", "ent-mailmove", "dovecot"),
    pytest.mark.service("mail1", "dovecot"),
]

PASSWORD = "essai2026"
OLD, NEW = "I:SupannPrecree", "A:SupannActif"
MANY = """
import sys
folder, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print(f"a CREATE {folder}\\r")
for number in range(count):
    text = f"Subject: s{number:05}\\r\\nMessage-ID: <s{number:05}@essai.example>\\r\\n\\r\\n"
    text += ("x" * 70 + "\\r\\n") * (size // 72 + 1)
    print(f"b APPEND {folder} {{{len(text)}+}}\\r\\n{text}\\r")
print("c LOGOUT\\r")
"""
IMAP = "runuser -u ent-mail -- /usr/lib/dovecot/imap -u %s"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


@pytest.fixture
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture
def person(lab: LabUnderTest) -> Iterator[str]:
    """A person with a legacy address, not activated."""
    with people(lab, holder("mmparty", "mmparty@up.univ-aix.fr", state=OLD)):
        forget(lab, "mmparty")  # what the worker wrote after the last one was forgotten
        yield "mmparty"
        forget(lab, "mmparty")


@pytest.fixture
def worker(lab: LabUnderTest) -> Iterator[Callable[[str], None]]:
    """systemctl, on the worker; at the end it runs."""

    def control(verb: str) -> None:
        result = lab.run("mailup1", f"systemctl {verb} ent-mailmove.service")
        assert result.rc == 0, result.stderr

    yield control
    lab.run(
        "mailup1",
        "systemctl reset-failed ent-mailmove.service; systemctl start ent-mailmove.service",
    )


def activate(directory: Directory, uid: str) -> None:
    """What activation does, in one operation (tests of the annuaire prove that it does)."""
    address = f"{uid}@{directory.lab.domain}"
    directory.as_root(
        f"dn: {directory.dn(uid)}\nchangetype: modify\n"
        f"replace: userPassword\nuserPassword: {PASSWORD}\n-\n"
        f"delete: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{OLD}\n-\n"
        f"add: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{NEW}\n-\n"
        f"add: mail\nmail: {address}\n-\nadd: supannAutreMail\nsupannAutreMail: {address}\n"
    )


def keep(
    lab: LabUnderTest,
    host: str,
    uid: str,
    folder: str,
    subject: str,
    *,
    flags: str = "",
    date: str = "02-Mar-2019 10:20:30 +0100",
    body: str = "Bonjour.",
) -> None:
    """Put a message into a mailbox, by IMAP on the server itself."""
    text = (
        f"From: essai@strict.example\r\nSubject: {subject}\r\n"
        f"Message-ID: <{uid}.{subject}@essai.example>\r\n\r\n{body}\r\n"
    )
    name = '"' + imap_name(folder) + '"'
    dialogue = (
        f"a CREATE {name}\r\nb SUBSCRIBE {name}\r\n"
        f'c APPEND {name} ({flags}) "{date}" {{{len(text.encode())}+}}\r\n{text}\r\nd LOGOUT\r\n'
    )
    result = lab.run(host, f"printf '%%s' %s | {IMAP}", dialogue, uid)
    assert "c OK" in result.stdout, result.stdout


def many(lab: LabUnderTest, uid: str, folder: str, count: int, size: int = 500) -> None:
    """Put many messages into a legacy mailbox at once."""
    result = lab.run(
        "mailup1", f"python3 -c %s %s %s %s | {IMAP}", MANY, folder, str(count), str(size), uid
    )
    assert result.stdout.count("b OK") == count, result.stdout[-500:]


def imap_name(folder: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501, 5.1.3)."""
    out = ""
    for part in folder:
        out += (
            part
            if part.isascii()
            else "&" + part.encode("utf-7").decode()[1:-1].replace("/", ",") + "-"
        )
    return out


def contents(mail: Mail, uid: str) -> dict[str, list[tuple[str, str, str]]]:
    """Folder → (subject, flags, date) of each message, read by IMAP with the person's password."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    with mail.imap(uid, PASSWORD) as imap:
        _, lines = imap.list()
        for line in lines:
            name = line.decode().rpartition('"/" ')[2].strip('"')
            status, (count,) = imap.select(f'"{name}"', readonly=True)
            if status != "OK" or count == b"0":
                continue
            _, parts = imap.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            for part in parts:
                if isinstance(part, tuple):
                    flags = imaplib.ParseFlags(part[0])
                    date = part[0].decode().partition('INTERNALDATE "')[2].partition('"')[0]
                    text = " ".join(sorted(f.decode() for f in flags if f != b"\\Recent"))
                    found.setdefault(name, []).append((part[1].decode().strip()[9:], text, date))
    return found


def subjects(mail: Mail, uid: str) -> Counter[str]:
    """How often each subject is in a mailbox, whatever the folder."""
    return Counter(s for messages in contents(mail, uid).values() for s, *_ in messages)


def further(lab: LabUnderTest, uid: str, copied: int) -> None:
    """Wait until more than so many messages have been copied."""
    wait_for(lambda: known(lab, uid).get("copied", 0) > copied, what=f"more than {copied} copied")


def test_folders_flags_and_dates_follow(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str
) -> None:
    keep(lab, "mailup1", person, "INBOX", "ancien", flags="\\Seen \\Flagged projet")
    keep(lab, "mailup1", person, "INBOX", "non-lu", date="31-Dec-2021 23:59:59 +0000")
    keep(lab, "mailup1", person, "Recherche/Projet v2.0", "dossier", flags="\\Answered")
    keep(lab, "mailup1", person, "Envoyés", "envoye", flags="\\Seen")
    keep(lab, "mailup1", person, "Été à “Aix”", "accents")
    activate(directory, person)
    wait_for(done(lab, person, 5), what="the messages have been moved")
    found = contents(mail, person)
    assert sorted(found.pop("INBOX")) == [
        ("ancien", "\\Flagged \\Seen projet", "02-Mar-2019 10:20:30 +0100"),
        ("non-lu", "", "01-Jan-2022 00:59:59 +0100"),
    ]
    date = "02-Mar-2019 10:20:30 +0100"
    assert found == {
        "Recherche/Projet v2.0": [("dossier", "\\Answered", date)],
        "Envoy&AOk-s": [("envoye", "\\Seen", date)],
        imap_name("Été à “Aix”"): [("accents", "", date)],
    }


@pytest.mark.alone("mailmove")
def test_nobody_moves_before_activation(lab: LabUnderTest, person: str) -> None:
    keep(lab, "mailup1", person, "INBOX", "ancien")
    result = lab.run(
        "mailup1",
        "systemctl stop ent-mailmove; runuser -u ent-mail -- ent-mailmove pass %s; "
        "systemctl start ent-mailmove",
        person,
    )
    assert "not activated" in result.stdout
    assert not known(lab, person)
    assert lab.run("mail1", "test -e /var/mail/ent/%s", person).rc == 1


def test_what_the_person_did_is_left_alone_and_latecomers_follow(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str
) -> None:
    for number in range(4):
        keep(lab, "mailup1", person, "INBOX", f"ancien{number}")
    activate(directory, person)
    wait_for(done(lab, person, 4), what="the messages have been moved")
    with mail.imap(person, PASSWORD) as imap:
        imap.append("INBOX", "", None, b"Subject: nouveau\r\n\r\nx\r\n")
        imap.select("INBOX")
        imap.create("Rangement")
        by_subject = {
            s: imap.search(None, "SUBJECT", s)[1][0].decode()
            for s in ("ancien0", "ancien1", "ancien2")
        }
        imap.store(by_subject["ancien0"], "+FLAGS", "\\Deleted")
        imap.store(by_subject["ancien1"], "+FLAGS", "\\Seen")
        imap._simple_command("MOVE", by_subject["ancien2"], "Rangement")  # type: ignore[attr-defined]
        imap.expunge()
    before = contents(mail, person)
    # one that was on its way when the account was activated
    keep(lab, "mailup1", person, "INBOX", "en-retard")
    wait_for(done(lab, person, 5), what="the late message has been moved")
    after = contents(mail, person)
    late = [one for one in after["INBOX"] if one[0] == "en-retard"]
    assert len(late) == 1
    after["INBOX"].remove(late[0])
    assert after == before
    assert set(subjects(mail, person)) == {"nouveau", "ancien1", "ancien2", "ancien3", "en-retard"}


@pytest.mark.alone("mailmove")
def test_killed_in_the_middle_and_started_again(
    lab: LabUnderTest,
    mail: Mail,
    directory: Directory,
    person: str,
    worker: Callable[[str], None],
) -> None:
    count = 1500
    many(lab, person, "INBOX", count)
    activate(directory, person)
    for copied in (100, 400, 800):
        further(lab, person, copied)
        worker("kill --signal=SIGKILL --kill-whom=all")
        assert known(lab, person)["copied"] < count, "too fast to be interrupted"
        worker("restart")
    wait_for(done(lab, person, count), what="everything has been moved")
    found = subjects(mail, person)
    assert len(found) == count
    assert set(found.values()) == {1}


@pytest.mark.alone("mailmove", "mail1")
def test_target_killed_in_the_middle(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str
) -> None:
    count = 800
    many(lab, person, "INBOX", count)
    activate(directory, person)
    further(lab, person, 100)
    lab.run("mail1", "pkill -KILL -x -u ent-mail imap")
    assert known(lab, person)["copied"] < count
    wait_for(done(lab, person, count), what="everything has been moved")
    found = subjects(mail, person)
    assert len(found) == count
    assert set(found.values()) == {1}


@pytest.mark.alone("mailmove")
def test_activated_while_the_worker_was_down(
    lab: LabUnderTest, mail: Mail, worker: Callable[[str], None]
) -> None:
    uids = [f"mmdown{number}" for number in range(12)]
    directory = Directory(lab)
    with people(lab, *(holder(uid, f"{uid}@up.univ-mrs.fr", state=OLD) for uid in uids)):
        for uid in uids:
            keep(lab, "mailup1", uid, "INBOX", "ancien")
        worker("stop")
        for uid in uids:
            activate(directory, uid)
        assert not any(known(lab, uid) for uid in uids)
        worker("start")
        for uid in uids:
            wait_for(done(lab, uid, 1), what=f"{uid} has been moved")
            assert subjects(mail, uid) == {"ancien": 1}
        for uid in uids:
            forget(lab, uid)


def test_what_does_not_fit_stays_and_follows_when_there_is_room(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str, worker: Callable[[str], None]
) -> None:
    directory.as_root(
        f"dn: {directory.dn(person)}\nchangetype: modify\nadd: entMailQuota\nentMailQuota: 1\n"
    )
    many(lab, person, "INBOX", 1, size=1_200_000)
    keep(lab, "mailup1", person, "INBOX", "petit")
    activate(directory, person)
    wait_for(lambda: known(lab, person).get("state") == "full", what="told that it does not fit")
    assert subjects(mail, person) == {}
    directory.as_root(
        f"dn: {directory.dn(person)}\nchangetype: modify\nreplace: entMailQuota\nentMailQuota: 10\n"
    )
    wait_for(done(lab, person, 2), what="moved when there is room")
    assert subjects(mail, person) == {"s00000": 1, "petit": 1}


@pytest.mark.alone("mailmove")
def test_originals_are_kept_and_then_removed(
    lab: LabUnderTest, mail: Mail, directory: Directory, person: str, worker: Callable[[str], None]
) -> None:
    keep(lab, "mailup1", person, "INBOX", "ancien")
    activate(directory, person)
    wait_for(done(lab, person, 1), what="the message has been moved")
    age(lab, person, worker, late="en-retard")
    wait_for(done(lab, person, 2), what="the late message has been moved")
    assert len(mail.stored("mailup1", person)) == 2, "the time begins anew with a new message"
    age(lab, person, worker)
    wait_for(lambda: not mail.stored("mailup1", person), what="the originals are removed")
    assert subjects(mail, person) == {"ancien": 1, "en-retard": 1}
    keep(lab, "mailup1", person, "INBOX", "encore")
    wait_for(lambda: len(subjects(mail, person)) == 3, what="one more is moved")


def age(lab: LabUnderTest, uid: str, worker: Callable[[str], None], late: str = "") -> None:
    """Let the days pass that originals are kept; a message arrives before the worker goes on."""
    worker("stop")
    settings = lab.run("mailup1", "cat /etc/ent/mailmove/settings.json").stdout
    days = json.loads(settings)["keep_days"]
    program = (
        f"import sqlite3, sys; d = sqlite3.connect('{LEDGER}'); "
        "d.execute('UPDATE person SET moved_at = moved_at - ? WHERE uid = ?', "
        "(float(sys.argv[2]) * 86400, sys.argv[1])); d.commit()"
    )
    result = lab.run(
        "mailup1", f'runuser -u ent-mail -- python3 -c "{program}" %s %s', uid, str(days)
    )
    assert result.rc == 0, result.stderr
    if late:
        keep(lab, "mailup1", uid, "INBOX", late)
    worker("start")


def test_the_state_is_told_to_those_who_may_ask(
    lab: LabUnderTest, directory: Directory, person: str
) -> None:
    keep(lab, "mailup1", person, "INBOX", "ancien")
    activate(directory, person)
    wait_for(done(lab, person, 1), what="the message has been moved")
    token = lab.secret("mailmove-status")
    ask = partial(ask_status, lab)
    wait_for(lambda: told_state(lab, person) == "done", what="others may know it, too")
    said = json.loads(ask(f"/etat/{person}")[1])
    assert (said["state"], said["total"], said["copied"]) == ("done", 1, 1)
    assert said["kept_until"] > said["updated"]
    assert ask(f"/etat/{person}", secret="")[0] == "401"
    assert ask(f"/etat/{person}", secret=token[:-1])[0] == "401"
    assert ask("/etat/personne")[0] == "404"
    for path in ("/etat/", "/etat/..%2Fledger.sqlite", "/etat/.mmparty.json.1", "/"):
        assert ask(path)[0] == "404", path
    # not one of the hosts that may ask: by nginx, and before it by the firewall
    assert ask(f"/etat/{person}", address=lab.ip("mailup1"))[0] == "403"
    assert ask(f"/etat/{person}", host="client1", address=lab.ip("mailup1"))[0] == ""
