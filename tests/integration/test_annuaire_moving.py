"""« Mon compte » tells how far the move of the old messages is, from the real legacy server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from html import unescape

import pytest

from account_people import Member, make
from activation_people import PRE_CREATED, People, said, stopped
from integration.test_mailmove import many
from lab import LabUnderTest, wait_for
from mailmove import ask_status, done, forget, known, told_state

pytestmark = [
    pytest.mark.uses("annuaire1", "mailmove", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire"),
    pytest.mark.service("mailup1", "nginx", "ent-mailmove"),
]

UID = "mmcompte"
DONE = "Vos anciens messages sont dans votre nouvelle boîte."
FULL = "Vos anciens messages ne tiennent pas dans votre nouvelle boîte"
UNKNOWN = "L’état de l’arrivée de vos anciens messages est momentanément inconnu."


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    yield made
    made.remove()
    forget(lab, UID)
    for host in ("mail1", "mailup1"):
        lab.run(host, "rm -rf /var/mail/ent/%s", UID)


def change(people: People, *lines: str) -> None:
    dn = people.directory.dn(UID)
    people.directory.as_root("\n".join([f"dn: {dn}", "changetype: modify", *lines, ""]))


def activated(people: People, *, size: int = 10, **more: str) -> Member:
    """Somebody with one message in the legacy mailbox, who has activated, at their own page."""
    make(people, UID, state=PRE_CREATED, **more)
    saved = people.lab.run(
        "mailup1",
        "{ printf 'Subject: ancien\\r\\n\\r\\n'; head -c %s /dev/zero | tr '\\0' x | fold -w 70; }"
        " | doveadm save -u %s",
        str(size),
        UID,
    )
    assert saved.rc == 0, saved.stderr
    return activate(people)


def activate(people: People) -> Member:
    """What activation does to the state; and a first sign-in."""
    change(
        people,
        f"delete: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{PRE_CREATED}\n-",
        "add: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}A:SupannActif",
    )
    member = Member(people.lab, UID)
    member.sign_in()
    return member


def section(member: Member) -> str:
    """What the page says of the old messages; the rest of it is there, whatever that is."""
    page = member.get("/compte/", timeout=15)
    assert page.status_code == 200, said(page)
    assert 'id="corriger"' in page.text
    found = re.search(r'<section id="anciens-messages".*?<p>(.*?)</p>', page.text, re.S)
    return unescape(found[1]) if found else ""


def test_the_person_sees_that_the_messages_have_arrived(lab: LabUnderTest, people: People) -> None:
    member = activated(people)
    wait_for(done(lab, UID, 1), what="the message has been moved")
    wait_for(lambda: section(member) == DONE, what="the page says so")


def test_the_person_sees_how_many_have_arrived(lab: LabUnderTest, people: People) -> None:
    make(people, UID, state=PRE_CREATED)
    many(lab, UID, "INBOX", 1500)
    member = activate(people)

    def some() -> bool:
        said = re.search(r"arrivent .* \((\d+|1\s\d{3}) sur 1\s500\)", section(member))
        return bool(said) and int(re.sub(r"\s", "", said[1])) < 1500

    wait_for(some, what="the page counts what has arrived")
    wait_for(lambda: section(member) == DONE, what="the page says that it is done")


def test_the_person_sees_what_does_not_fit(lab: LabUnderTest, people: People) -> None:
    member = activated(people, size=1_200_000, entMailQuota="1")
    wait_for(lambda: known(lab, UID).get("state") == "full", what="told that it does not fit")
    wait_for(lambda: section(member).startswith(FULL), what="the page says so")
    change(people, "replace: entMailQuota\nentMailQuota: 10")
    wait_for(lambda: section(member) == DONE, what="the page says that there was room")


@pytest.mark.alone("mailup1")
@pytest.mark.parametrize("fault", ["stopped", "hanging"])
def test_the_page_is_whole_without_the_legacy_server(
    lab: LabUnderTest, people: People, fault: str
) -> None:
    member = activated(people)
    wait_for(lambda: section(member) == DONE, what="the page says that it is done")
    faults: dict[str, AbstractContextManager[None]] = {
        "stopped": stopped(lab, "mailup1", "nginx"),
        # accepts connections and says nothing
        "hanging": lab.frozen("mailup1", "nginx"),
    }
    with faults[fault]:
        # what was heard a moment ago is still told
        wait_for(lambda: section(member) == UNKNOWN, what="the page says that it is not known")
    wait_for(lambda: section(member) == DONE, what="the page says it again")


def test_people_without_an_old_mailbox_read_nothing_of_it(
    lab: LabUnderTest, people: People
) -> None:
    make(people, "mmsans")  # a login about which nothing was heard a moment ago
    member = Member(lab, "mmsans")
    member.sign_in()
    # after a slow answer the server is not asked for some seconds
    wait_for(lambda: section(member) == "", what="a page without a word of it")


@pytest.mark.parametrize("host", ["portal1", "annuaire1"])
def test_who_may_ask(lab: LabUnderTest, people: People, host: str) -> None:
    activated(people)
    wait_for(done(lab, UID, 1), what="the message has been moved")
    told = partial(told_state, lab, UID, host=host, address=lab.ip("mailup1"))
    wait_for(lambda: told() == "done", what="this host may know it, too")
    refused, _ = ask_status(lab, f"/etat/{UID}", host=host, address=lab.ip("mailup1"), secret="x")
    assert refused == "401"


@pytest.mark.parametrize("host", ["client1", "mail1", "sso1"])
def test_who_may_not(lab: LabUnderTest, host: str) -> None:
    path, address = "/etat/personne", lab.ip("mailup1")
    assert ask_status(lab, path, host=host, address=address) == ("", "")
    # with the same program and the same token, so it is the host that is refused
    assert ask_status(lab, path, host="annuaire1", address=address)[0] == "404"


def test_the_token_is_the_public_process_s_alone(lab: LabUnderTest) -> None:
    token = lab.secret("mailmove-status")
    holders = lab.run("annuaire1", "grep -rlsF -e %s /etc /opt/ent /run", token).stdout.split()
    assert holders == ["/etc/ent/annuaire/settings.json"]
    file = lab.host("annuaire1").file(holders[0])
    assert (file.user, file.group, file.mode) == ("root", "ent-annuaire", 0o640)
