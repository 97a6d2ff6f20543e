"""Subscriptions, ownerships and moderations follow their person, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from integration.test_mailmove import activate
from lab import LabUnderTest, wait_for
from listmove import Crowd, Lists
from mail import Mail, compose, holder, people
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("listmove"),
    pytest.mark.alone("listmove"),
    pytest.mark.service("lists1", "ent-listmove", "ent-listmove-sympa@*"),
    pytest.mark.service("ldap1", "slapd"),
]

UID, OTHER = "lmparty", "lmother"
AIX, MRS = f"{UID}@up.univ-aix.fr", f"{UID}@up.univ-mrs.fr"
OLD = "I:SupannPrecree"
LIST, SECOND = "lm-un", "lm-deux"
ATTRIBUTES = (
    '<?xml version="1.0" encoding="UTF-8" ?><custom_attributes>'
    '<custom_attribute id="{}"><value>{}</value></custom_attribute></custom_attributes>'
)


@pytest.fixture(scope="module")
def hosts(lab: LabUnderTest) -> Iterator[Lists]:
    """The lists host, with two lists."""
    found = Lists(lab)
    with found.lists(LIST, SECOND):
        yield found


@pytest.fixture
def lists(hosts: Lists) -> Iterator[Lists]:
    """The same, with nobody on the lists; at the end the worker runs."""
    _clear(hosts)
    yield hosts
    hosts.lab.run(
        "lists1",
        "systemctl reset-failed ent-listmove.service; systemctl start ent-listmove.service",
    )
    hosts.idle()  # it writes down what it did after it did it
    hosts.forget(UID, OTHER)
    _clear(hosts)


def _clear(lists: Lists) -> None:
    lists.sql(
        "DELETE FROM subscriber_table WHERE list_subscriber LIKE 'lm-%';"
        "DELETE FROM admin_table WHERE list_admin LIKE 'lm-%' AND user_admin NOT LIKE 'personne@%';"
        "DELETE FROM exclusion_table WHERE list_exclusion LIKE 'lm-%';"
        f"DELETE FROM user_table WHERE lower(email_user) LIKE '{UID}@%'"
    )


@pytest.fixture
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture
def person(lab: LabUnderTest) -> Iterator[str]:
    """A person with a legacy address in one domain, not activated."""
    with people(lab, holder(UID, AIX, state=OLD)):
        yield UID


@pytest.fixture
def new(lab: LabUnderTest) -> str:
    """The address that activation gives."""
    return f"{UID}@{lab.domain}"


def options(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


# What follows


@pytest.mark.guide("G7d")
def test_subscriptions_ownership_and_moderation_follow(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    lists.subscribe(
        LIST,
        AIX,
        reception="digest",
        visibility="conceal",
        comment="Une Personne",
        custom_attribute=ATTRIBUTES.format("bureau", "B 12 &amp; é"),
        number_messages=7,
        topics="annonces",
    )
    lists.subscribe(SECOND, MRS, reception="nomail")
    lists.appoint(LIST, MRS, "owner", profile="privileged", reception="nomail", info="fondatrice")
    lists.appoint(SECOND, AIX.upper(), "editor", visibility="conceal")
    before = lists.subscribers(LIST)[AIX]
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} alone on {LIST}")
    wait_for(lists.listed(SECOND, new), what=f"{new} alone on {SECOND}")
    lists.idle()
    after = lists.subscribers(LIST)[new]
    assert after | {"update_epoch": None} == before | {"update_epoch": None, "user": new}
    assert lists.subscribers(SECOND)[new]["reception"] == "nomail"
    owner = lists.admins(LIST)["owner", new]
    assert options(owner, "profile", "reception", "info") == {
        "profile": "privileged",
        "reception": "nomail",
        "info": "fondatrice",
    }
    assert lists.admins(SECOND)["editor", new]["visibility"] == "conceal"
    assert {address for _, address in lists.admins(LIST) | lists.admins(SECOND)} == {
        new,
        f"personne@{lists.robot}",
    }
    assert lists.outcomes(person) == sorted(
        [
            (AIX, LIST, "subscriber", "moved"),
            (MRS, SECOND, "subscriber", "moved"),
            (MRS, LIST, "owner", "moved"),
            (AIX.upper(), SECOND, "editor", "moved"),
        ]
    )


def test_nobody_moves_before_activation(lists: Lists, person: str) -> None:
    lists.subscribe(LIST, AIX)
    lists.worker("restart")
    lists.compared()
    assert list(lists.subscribers(LIST)) == [AIX]
    done = lists.lab.run(
        "lists1",
        "systemctl stop ent-listmove; runuser -u ent-listmove -- ent-listmove pass %s",
        person,
    )
    assert "nothing to move" in done.stderr
    assert list(lists.subscribers(LIST)) == [AIX]


@pytest.mark.parametrize("first", ["old", "new"])
def test_every_spelling_on_one_list_gives_one_subscription(
    lists: Lists, directory: Directory, person: str, new: str, first: str
) -> None:
    for address in (AIX, AIX.title(), MRS, MRS.upper()):
        lists.subscribe(LIST, address)
    if first == "new":
        lists.subscribe(LIST, new, reception="digest")
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} alone on {LIST}")
    lists.idle()
    found = [outcome for *_, outcome in lists.outcomes(person)]
    assert sorted(found) == ["merged"] * (4 if first == "new" else 3) + ["moved"] * (first == "old")
    assert lists.subscribers(LIST)[new]["reception"] == ("digest" if first == "new" else "mail")


def test_own_address_in_capitals_is_one_with_the_other(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    """Sympa does not find what is not in lower case."""
    lists.subscribe(LIST, new.upper(), reception="digest")
    lists.appoint(LIST, new.title(), "owner")
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} in lower case")
    wait_for(lambda: ("owner", new) in lists.admins(LIST), what="the owner in lower case")
    assert lists.subscribers(LIST)[new]["reception"] == "digest"


INCLUDED = {"subscribed": 0, "inclusion": 1_700_000_000, "inclusion_ext": 1_700_000_000}


@pytest.mark.parametrize(
    ("old", "own", "expected"),
    [
        # the person's own newer subscription counts …
        ({"reception": "digest"}, {"reception": "mail"}, {"reception": "mail"}),
        ({"reception": "mail"}, {"reception": "digest"}, {"reception": "digest"}),
        # … and what they received they go on receiving
        ({"reception": "digest"}, {"reception": "nomail"}, {"reception": "digest"}),
        ({"reception": "nomail"}, {"reception": "mail"}, {"reception": "mail"}),
        ({"reception": "nomail"}, {"reception": "nomail"}, {"reception": "nomail"}),
        ({"suspend": 1}, {"suspend": 0}, {"suspend": 0}),
        ({"suspend": 0}, {"suspend": 1}, {"suspend": 0}),
        # a choice counts more than what a data source brought
        ({"reception": "digest"}, INCLUDED, {"reception": "digest", **INCLUDED, "subscribed": 1}),
        ({"reception": "nomail"}, INCLUDED, {"reception": "nomail"}),
        ({"topics": "a,b"}, INCLUDED, {"topics": "a,b"}),
        ({"suspend": 1, "suspend_end_date": 2_000_000_000}, INCLUDED, {"suspend": 1}),
        ({"reception": "digest"}, INCLUDED | {"reception": "txt"}, {"reception": "txt"}),
        # hidden stays hidden, a name stays, the first day stays
        ({"visibility": "conceal"}, {}, {"visibility": "conceal"}),
        ({}, {"visibility": "conceal"}, {"visibility": "conceal"}),
        ({"comment": "Une Personne"}, {"comment": None}, {"comment": "Une Personne"}),
        ({"comment": "Avant"}, {"comment": "Après"}, {"comment": "Après"}),
        ({"date_epoch": 900_000_000}, {}, {"date_epoch": 900_000_000}),
        ({"number_messages": 7}, {"number_messages": 2}, {"number_messages": 7}),
    ],
)
def test_already_subscribed_with_the_new_address(
    lists: Lists,
    directory: Directory,
    person: str,
    new: str,
    old: dict[str, Any],
    own: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    lists.subscribe(LIST, AIX, **old)
    lists.subscribe(LIST, new, **own)
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} alone on {LIST}")
    assert options(lists.subscribers(LIST)[new], *expected) == expected
    wait_for(
        lambda: lists.outcomes(person) == [(AIX, LIST, "subscriber", "merged")],
        what="the merger to be noted",
    )


def test_custom_attributes_of_two_subscriptions_are_one_set(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    lists.subscribe(LIST, AIX, custom_attribute=ATTRIBUTES.format("bureau", "B 12 &amp; é"))
    lists.subscribe(LIST, new, custom_attribute=ATTRIBUTES.format("service", "DSI"))
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} alone on {LIST}")
    text = lists.subscribers(LIST)[new]["custom_attribute"]
    assert 'id="bureau"><value>B 12 &amp; é</value>' in text
    assert 'id="service"><value>DSI</value>' in text


@pytest.mark.parametrize("role", ["owner", "editor"])
def test_ownership_that_exists_twice_is_one(
    lists: Lists, directory: Directory, person: str, new: str, role: str
) -> None:
    lists.appoint(LIST, AIX, role, profile="privileged", info="fondatrice")
    lists.appoint(LIST, MRS, role)
    lists.appoint(LIST, new, role, reception="nomail")
    activate(directory, person)
    wait_for(
        lambda: [a for r, a in lists.admins(LIST) if a.startswith(UID)] == [new],
        what=f"one {role}",
    )
    row = lists.admins(LIST)[role, new]
    assert options(row, "profile", "reception", "info") == {
        "profile": "privileged",
        "reception": "mail",
        "info": "fondatrice",
    }


def test_owner_and_editor_of_the_same_list_are_two_things(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    lists.appoint(LIST, AIX, "owner")
    lists.appoint(LIST, AIX, "editor")
    activate(directory, person)
    wait_for(
        lambda: {("owner", new), ("editor", new)} <= set(lists.admins(LIST)), what="both roles"
    )


def test_exclusion_follows(lists: Lists, directory: Directory, person: str, new: str) -> None:
    """Whoever left a list that includes everybody is not on it again under the new address."""
    for name, address in ((LIST, AIX), (SECOND, MRS.upper()), (SECOND, new)):
        lists.sql(
            "INSERT INTO exclusion_table (list_exclusion, robot_exclusion, user_exclusion, "
            f"family_exclusion) VALUES ('{name}', '{lists.robot}', '{address}', '')"
        )
    activate(directory, person)
    wait_for(lambda: lists.excluded(LIST) == [new], what="the exclusion to follow")
    wait_for(lambda: lists.excluded(SECOND) == [new], what="two exclusions to be one")


def test_preferences_are_kept(lists: Lists, directory: Directory, person: str, new: str) -> None:
    """Sympa would drop those of the new address."""
    lists.subscribe(LIST, AIX)
    lists.sql(
        "INSERT INTO user_table (email_user, lang_user, gecos_user, data_user) VALUES "
        f"('{new}', 'fr', NULL, 'nouveau'), ('{AIX}', 'en', 'Une Personne', 'ancien')"
    )
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
    query = (
        "SELECT email_user, lang_user, gecos_user, data_user FROM user_table "
        f"WHERE email_user LIKE '{UID}@%'"
    )
    wait_for(
        lambda: lists.sql(query) == [[new, "fr", "Une Personne", "nouveau"]],
        what="one set of preferences",
    )
    lists.subscribe(LIST, MRS)
    lists.worker("restart")
    wait_for(lists.listed(LIST, new), what=f"{new} alone on {LIST}")
    lists.compared()
    assert lists.sql(query) == [[new, "fr", "Une Personne", "nouveau"]]


def test_preferences_follow_when_a_move_was_cut_off_after_its_lists(
    lab: LabUnderTest, lists: Lists, person: str, new: str
) -> None:
    """The lists were moved, the ledger does not know it yet, and nothing else is there to see."""
    lists.worker("stop")
    lists.subscribe(LIST, new)
    lists.sql(
        "INSERT INTO user_table (email_user, lang_user, gecos_user) VALUES "
        f"('{AIX}', 'en', 'Une Personne')"
    )
    lists.sql(
        "INSERT INTO intent (login, old_address, new_address, list, role, merged) VALUES "
        f"('{person}', '{AIX}', '{new}', '{LIST}@{lists.robot}', 'subscriber', false);"
        f"INSERT INTO wanted (uid, tries) VALUES ('{person}', 1)",
        "listmove",
    )
    activate(Directory(lab), person)
    lists.worker("start")
    query = f"SELECT email_user, lang_user FROM user_table WHERE email_user LIKE '{UID}@%'"
    wait_for(lambda: lists.sql(query) == [[new, "en"]], what="the preferences to follow")
    wait_for(
        lambda: lists.outcomes(person) == [(AIX, LIST, "subscriber", "moved")], what="its note"
    )


def test_bounces_of_the_old_mailbox_are_forgotten(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    """Or Sympa would soon take the new address off the list."""
    lists.subscribe(LIST, AIX, bounce="1790000000 1795000000 60 5.2.2", bounce_score=80)
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
    row = lists.subscribers(LIST)[new]
    assert (row["bounce"], row["bounce_score"]) == (None, None)


def test_what_a_data_source_gives_is_reported(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    lists.subscribe(LIST, AIX, **INCLUDED)
    lists.subscribe(SECOND, MRS)
    activate(directory, person)
    wait_for(lists.listed(SECOND, new), what=f"{new} on {SECOND}")
    lists.worker("restart")
    lists.compared()
    assert list(lists.subscribers(LIST)) == [AIX]
    wait_for(
        lambda: (
            lists.outcomes(person)
            == [(AIX, LIST, "subscriber", "included"), (MRS, SECOND, "subscriber", "moved")]
        ),
        what="the report, once",
    )


@pytest.mark.parametrize("twin", [False, True], ids=["alone", "already there"])
def test_what_the_directory_gives_follows_with_its_options(
    lab: LabUnderTest, lists: Lists, directory: Directory, new: str, twin: bool
) -> None:
    """A new address of somebody whom role sympa's sources have put on a list, and at its head."""
    given = INCLUDED | {"inclusion_label": "ent-affiliation"}
    head = INCLUDED | {"inclusion_label": "ent-logins", "subscribed": 0}
    married = f"{UID}.epouse@{lab.domain}"
    with people(lab, holder(UID, new, AIX)):
        lists.subscribe(LIST, new, **given, reception="digest", visibility="conceal")
        lists.appoint(LIST, new, "owner", **head, reception="nomail")
        if twin:  # Sympa was quicker
            lists.subscribe(LIST, married, **given)
            lists.appoint(LIST, married, "owner", **head)
        directory.as_root(
            f"dn: {directory.dn(UID)}\nchangetype: modify\nreplace: mail\nmail: {married}\n-\n"
            f"add: supannAutreMail\nsupannAutreMail: {married}\n"
        )
        wait_for(lists.listed(LIST, married), what=f"{married} alone on {LIST}")
        row = lists.subscribers(LIST)[married]
        assert options(row, "reception", "visibility", "subscribed") == {
            "reception": "digest",
            "visibility": "conceal",
            "subscribed": 0,
        }
        wait_for(lambda: ("owner", new) not in lists.admins(LIST), what="the ownership moved")
        assert lists.admins(LIST)["owner", married]["reception"] == "nomail"


def test_owners_are_not_written_to_about_what_stays(
    lab: LabUnderTest, lists: Lists, directory: Directory, person: str
) -> None:
    """Sympa would, each time that something else of the same address is moved."""
    mail, third = Mail(lab), f"lm-{uuid4().hex[:8]}"
    with lists.lists(third, owner=f"sophie.faure@{lab.domain}"):
        lists.subscribe(third, AIX, **INCLUDED)
        lists.subscribe(LIST, AIX)
        activate(directory, person)
        wait_for(
            lambda: len(lists.outcomes(person)) == 2, what="one moved and one left where it is"
        )
        # what Sympa sends to owners now comes after what it has sent before
        message = compose(f"jeanne.martin@{lab.domain}", f"dsi-request@{lists.robot}")
        with mail.submission("jmartin") as smtp:
            smtp.send_message(message)
        mail.arrived("sfaure", message)
        with mail.imap("sfaure") as imap:
            imap.select("INBOX", readonly=True)
            assert imap.search(None, "TEXT", AIX, "TEXT", third) == ("OK", [b""])


def test_closed_list_is_reported_and_moved_when_it_opens(
    lists: Lists, directory: Directory, person: str, new: str
) -> None:
    """Rows of a list that Sympa does not load: it would leave them as they are."""
    lists.subscribe("lm-disparue", AIX)
    lists.subscribe(LIST, AIX)
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
    wait_for(
        lambda: (AIX, "lm-disparue", "subscriber", "closed") in lists.outcomes(person),
        what="the report",
    )
    with lists.lists("lm-disparue"):
        lists.subscribe("lm-disparue", AIX)
        lists.worker("restart")
        wait_for(lists.listed("lm-disparue", new), what="moved after it was opened")


# Whose address it is


@pytest.mark.parametrize("state", ["A:SupannActif", "I:SupannExpire", OLD])
def test_somebody_elses_address_is_never_touched(
    lab: LabUnderTest, lists: Lists, directory: Directory, new: str, state: str
) -> None:
    """The same name in the other legacy domain, which the directory gives to somebody else."""
    other = holder(OTHER, f"{OTHER}@{lab.domain}", MRS, state=state)
    if state == OLD:
        other = holder(OTHER, MRS, state=OLD)
    with people(lab, holder(UID, AIX, state=OLD), other):
        for address in (AIX, MRS):
            lists.subscribe(LIST, address)
        lists.subscribe(SECOND, MRS)
        activate(directory, UID)
        lists.worker("restart")
        theirs = f"{OTHER}@{lab.domain}" if state == "A:SupannActif" else MRS
        wait_for(lists.listed(LIST, new, theirs), what="each under their own")
        lists.compared()
        assert sorted(lists.subscribers(LIST)) == sorted([new, theirs])
        assert list(lists.subscribers(SECOND)) == [theirs]


def test_ambiguous_address_is_planned_as_such(lab: LabUnderTest, lists: Lists, new: str) -> None:
    """Two people of the same name in two legacy domains; whose is the third's, nobody says."""
    third = f"{UID}@up3.univ.example"
    with people(
        lab,
        holder(UID, new, AIX),
        holder(OTHER, f"{OTHER}@{lab.domain}", MRS),
    ):
        lists.subscribe(LIST, third)
        done = lab.run(
            "lists1",
            'sed \'s/"up.univ-mrs.fr"/"up.univ-mrs.fr", "up3.univ.example"/\' '
            "/etc/ent/listmove/settings.json"
            " | install -o ent-listmove -m 600 /dev/stdin /tmp/lm.json"
            " && runuser -u ent-listmove -- ent-listmove --settings /tmp/lm.json plan;"
            " systemctl stop ent-listmove;"
            " runuser -u ent-listmove -- ent-listmove --settings /tmp/lm.json pass %s;"
            " rm /tmp/lm.json",
            UID,
        )
        assert f'{{"ambiguous": "{third}", "logins": ["{OTHER}", "{UID}"]}}' in done.stdout
        assert f"{third} could be {OTHER} or {UID}" in done.stdout
        assert list(lists.subscribers(LIST)) == [third]


def test_change_of_address_follows_too(
    lab: LabUnderTest, lists: Lists, directory: Directory, new: str
) -> None:
    with people(lab, holder(UID, new, AIX)):
        lists.subscribe(LIST, new, reception="digest")
        married = f"{UID}.epouse@{lab.domain}"
        directory.as_root(
            f"dn: {directory.dn(UID)}\nchangetype: modify\nreplace: mail\nmail: {married}\n-\n"
            f"add: supannAutreMail\nsupannAutreMail: {married}\n"
        )
        wait_for(lists.listed(LIST, married), what=f"{married} on {LIST}")
        assert lists.subscribers(LIST)[married]["reception"] == "digest"


# Faults: whatever is stopped, killed or cut off, and for how long


@pytest.fixture
def crowd(lab: LabUnderTest, lists: Lists) -> Iterator[Crowd]:
    """People who are on a list under their old address, not activated."""
    found = Crowd(lab, 120)
    with found.there():
        found.subscribe(LIST)
        yield found


def progress(crowd: Crowd, count: int) -> None:
    wait_for(lambda: crowd.moved(LIST) > count, what=f"more than {count} moved")
    assert crowd.moved(LIST) < crowd.size, "too fast to be interrupted"


def all_moved(crowd: Crowd, lists: Lists, timeout: float = 120) -> None:
    wait_for(lambda: crowd.moved(LIST) == crowd.size, what="everybody moved", timeout=timeout)
    lists.idle()
    crowd.followed(LIST)


def test_worker_killed_in_the_middle_and_started_again(crowd: Crowd, lists: Lists) -> None:
    crowd.activate()
    for count in (3, 20, 40):
        progress(crowd, count)
        lists.worker("kill --signal=SIGKILL --kill-whom=all")
        lists.worker("restart")
    all_moved(crowd, lists)


def test_helper_killed_in_the_middle(lab: LabUnderTest, crowd: Crowd, lists: Lists) -> None:
    crowd.activate()
    for count in (3, 20, 40):
        progress(crowd, count)
        lab.run("lists1", "systemctl kill --signal=SIGKILL 'ent-listmove-sympa@*'")
    all_moved(crowd, lists)


def test_connections_to_postgresql_cut_in_the_middle(crowd: Crowd, lists: Lists) -> None:
    crowd.activate()
    for count in (3, 20, 40):
        progress(crowd, count)
        lists.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename IN ('listmove', 'sympa')",
            "postgres",
        )
    all_moved(crowd, lists)


@pytest.mark.alone("db1")
def test_postgresql_stopped_in_the_middle(lab: LabUnderTest, crowd: Crowd, lists: Lists) -> None:
    crowd.activate(0, 30)
    progress(crowd, 3)
    complains = lists.says("database listmove on")
    with lab.stopped("db1", "postgresql@17-main"):
        crowd.activate(30)
        wait_for(complains, what="the worker to have seen that PostgreSQL is away")
    all_moved(crowd, lists)


@pytest.mark.alone("ldap1")
def test_directory_stopped_in_the_middle(lab: LabUnderTest, crowd: Crowd, lists: Lists) -> None:
    crowd.activate(0, 30)
    progress(crowd, 3)
    complains = lists.says("following the directory: ")
    with lab.stopped("ldap1", "slapd"):
        wait_for(complains, what="the worker to have seen that the directory is away")
    crowd.activate(30)
    all_moved(crowd, lists)


@pytest.mark.alone("lists1")
def test_sympa_stopped(lab: LabUnderTest, crowd: Crowd, lists: Lists) -> None:
    """Its services are not needed: what is moved are its tables, by its own modules."""
    with lab.stopped("lists1", "sympa.service"):
        crowd.activate()
        all_moved(crowd, lists)


def test_sympa_not_installed_for_a_while(lab: LabUnderTest, crowd: Crowd, lists: Lists) -> None:
    """As in the middle of an upgrade."""
    module = "/usr/share/sympa/lib/Sympa/List.pm"
    complains = lists.says("Sympa's helper at")
    lab.run("lists1", "systemctl stop 'ent-listmove-sympa@*'; mv %s %s", module, f"{module}.away")
    try:
        crowd.activate()
        wait_for(complains, what="the worker to complain")
        assert crowd.moved(LIST) == 0
    finally:
        lab.run("lists1", "mv %s %s", f"{module}.away", module)
    all_moved(crowd, lists)


def test_new_release_of_sympa_is_taken(
    lab: LabUnderTest, lists: Lists, directory: Directory, person: str, new: str
) -> None:
    def helper() -> str:
        return str(lab.run("lists1", "pgrep -f 'ent-listmove-sympa serve'").stdout).strip()

    before = wait_for(helper, what="a helper")
    lab.run("lists1", "touch /usr/share/sympa/lib/Sympa/Constants.pm")
    lists.subscribe(LIST, AIX)
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
    assert helper() != before


def test_a_thousand_activations_while_it_was_down(lab: LabUnderTest, lists: Lists) -> None:
    """More than are handed over at once. What two thousand moves take: bench/lists.py."""
    many, members = Crowd(lab, 1100, "lmmille"), Crowd(lab, 120, "lmmille")
    with many.there():
        members.subscribe(LIST)
        lists.worker("stop")
        many.activate()
        lists.worker("start")
        all_moved(members, lists, timeout=300)


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        # from a time that the directory does not know, and from one that has not come
        "rid=000,csn=20200101000000.000000Z#000000#000#000000",
        "rid=000,csn=20990101000000.000000Z#000000#000#000000",
        "nonsense",
    ],
)
def test_cookie_lost_or_refused(
    lists: Lists, directory: Directory, person: str, new: str, cookie: str | None
) -> None:
    lists.subscribe(LIST, AIX)
    lists.worker("stop")
    lists.sql("DELETE FROM cookie", "listmove")
    if cookie:
        lists.sql(f"INSERT INTO cookie VALUES (1, '{cookie}')", "listmove")
    lists.worker("start")
    lists.compared()
    # told by the directory, as the comparison at the start is over
    activate(directory, person)
    wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
    wait_for(
        lambda: lists.sql("SELECT value FROM cookie", "listmove") not in ([], [[str(cookie)]]),
        what="a new cookie",
    )


def test_entry_renamed(
    lab: LabUnderTest, lists: Lists, directory: Directory, person: str, new: str
) -> None:
    lists.subscribe(LIST, AIX)
    lists.worker("stop")
    activate(directory, person)
    directory.as_root(
        f"dn: {directory.dn(person)}\nchangetype: modrdn\nnewrdn: uid={OTHER}\ndeleteoldrdn: 1\n"
    )
    try:
        lists.worker("start")
        wait_for(lists.listed(LIST, new), what=f"{new} on {LIST}")
        lists.idle()
        assert lists.outcomes(OTHER) == [(AIX, LIST, "subscriber", "moved")]
    finally:
        directory.delete(directory.dn(OTHER))


def test_entry_gone(
    lists: Lists, directory: Directory, crowd: Crowd, person: str, new: str
) -> None:
    """Nobody's address any more: it stays as it is, and keeps nobody else waiting."""
    lists.subscribe(LIST, AIX)
    lists.worker("stop")
    activate(directory, person)
    lists.sql(f"INSERT INTO wanted (uid) VALUES ('{person}')", "listmove")
    directory.delete(directory.dn(person))
    crowd.activate()
    lists.worker("start")
    wait_for(lambda: crowd.moved(LIST) == crowd.size, what="everybody else moved")
    lists.idle()
    assert AIX in lists.subscribers(LIST)
    assert new not in lists.subscribers(LIST)
    assert lists.sql(f"SELECT * FROM wanted WHERE uid = '{person}'", "listmove") == []


def test_second_worker_says_who_works(lab: LabUnderTest, lists: Lists) -> None:
    process = lab.run("lists1", "systemctl show -P MainPID ent-listmove").stdout.strip()
    for command in ("run", f"pass {UID}"):
        done = lab.run("lists1", f"runuser -u ent-listmove -- ent-listmove {command}")
        assert done.rc == 1
        assert f"another worker has the ledger (ent-listmove lists1 process {process} at" in (
            done.stderr
        )
    assert lab.run("lists1", "systemctl is-active ent-listmove").stdout.strip() == "active"


# Rights


@pytest.mark.parametrize(
    ("role", "database", "statement", "allowed"),
    [
        ("listmove", "sympa", "SELECT user_subscriber FROM subscriber_table LIMIT 1", True),
        ("listmove", "sympa", "SELECT role_admin FROM admin_table LIMIT 1", True),
        ("listmove", "sympa", "SELECT user_exclusion FROM exclusion_table LIMIT 1", True),
        ("listmove", "sympa", "SELECT comment_subscriber FROM subscriber_table LIMIT 1", False),
        ("listmove", "sympa", "SELECT * FROM user_table LIMIT 1", False),
        ("listmove", "sympa", "UPDATE subscriber_table SET user_subscriber = ''", False),
        ("helpdesk", "listmove", "SELECT login, reason FROM move LIMIT 1", True),
        ("helpdesk", "listmove", "SELECT * FROM wanted LIMIT 1", False),
        ("helpdesk", "listmove", "SELECT * FROM cookie", False),
        ("helpdesk", "listmove", "DELETE FROM move", False),
    ],
)
def test_who_may_what_in_the_database(
    lab: LabUnderTest, role: str, database: str, statement: str, allowed: bool
) -> None:
    done = lab.run(
        "db1",
        "cd / && runuser -u postgres -- psql -X -v ON_ERROR_STOP=1 -q -c %s -c %s %s",
        f"SET ROLE {role}",
        statement,
        database,
    )
    assert (done.rc == 0) is allowed, done.stderr
    if not allowed:
        assert "permission denied" in done.stderr


def test_only_the_worker_reaches_the_helper(lab: LabUnderTest) -> None:
    connect = (
        "import socket; socket.socket(socket.AF_UNIX).connect('/run/ent-listmove/sympa.socket')"
    )
    for user, code in (("ent-listmove", 0), ("www-data", 1), ("sympa", 1)):
        done = lab.run("lists1", "runuser -u %s -- python3 -c %s", user, connect)
        assert done.rc == code, done.stderr


def test_secrets_are_the_workers(lab: LabUnderTest) -> None:
    settings = lab.host("lists1").file("/etc/ent/listmove/settings.json")
    assert (settings.user, settings.group, settings.mode) == ("root", "ent-listmove", 0o640)


def test_old_rows_are_removed(lists: Lists, person: str) -> None:
    lists.sql(
        "INSERT INTO move (at, login, old_address, new_address, list, role, outcome) "
        "SELECT now() - make_interval(days => d), "
        f"'{person}', 'a', 'b', 'c', 'owner', 'moved' FROM unnest(ARRAY[729, 731]) d",
        "listmove",
    )
    lists.worker("restart")
    wait_for(lambda: len(lists.known(person)) == 1, what="the older row gone")
