"""Harpège → feed → directory, with the real database, the real slapd and the real timer.

One story: people are entered, the night comes, some activate, some change or leave, some come
back. Each rule of the feed is one person of it; every test looks at what became of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ldap
import pytest

from harpege_source import FIRST, Feed, Harpege, career, contract, person
from lab import LabUnderTest, wait_for
from openldap_client import HOST, Directory

pytestmark = [
    pytest.mark.uses("ldap1", "db1", "mail1"),
    pytest.mark.alone("harpege"),
    pytest.mark.service("ldap1", "ent-harpege", "slapd"),
]

PRE_CREATED = "{COMPTE}I:SupannPrecree"
ACTIVE = "{COMPTE}A:SupannActif"
GRACE = "{COMPTE}A:SupannSursis"
DEPARTED = "{COMPTE}S:SupannVerrouTechnique"
LOCKED = "{COMPTE}S:SupannVerrouAdministratif"
EXPIRED = "{COMPTE}I:SupannExpire"
PASSWORD = "feed-Essai-2026"
STAFF = ["employee", "member", "staff"]
LONG = "Longuenom" * 34
N = FIRST

#: Who is entered: number → SQL.
ENTERED = {
    # the guide's new colleague
    N + 1: person(N + 1, "Feedpremier", "Zoé") + career(N + 1, 0),
    # kinds of staff
    N + 2: person(N + 2, "Feeddeux", "Anaïs", birth_name="Feedjeune")
    + career(N + 2, population="SA", corps="301", structure="UFR-LETTRES"),
    N + 3: person(N + 3, "Feedtrois", "Karl", civility="M.")
    + career(N + 3, population="CH", corps="440", structure="LAB-MMSH"),
    N + 4: person(N + 4, "Feedquatre", "Léo", civility="M.") + contract(N + 4, -9, 300, kind="AT"),
    N + 5: person(N + 5, "Feedcinq", "Mia", civility="MLLE") + contract(N + 5, -9, 300, kind="DC"),
    # two posts at once
    N + 6: person(N + 6, "Feedsix", "Noé", civility="M.")
    + career(N + 6, "2010-01-01", structure="DRH", quota=40)
    + contract(N + 6, "2020-01-01", structure="SCD", quota=60),
    # ahead of time
    N + 7: person(N + 7, "Feedsept", "Ève") + career(N + 7, 7),
    N + 8: person(N + 8, "Feedhuit", "Ève") + career(N + 8, 365),
    # rows that make nobody staff
    N + 9: person(N + 9, "Feedneuf") + career(N + 9, "2010-01-01", -7),
    N + 10: person(N + 10, "Feeddix")
    + career(N + 10)
    + f"UPDATE element_carriere SET d_annulation = CURRENT_DATE WHERE no_dossier_pers = {N + 10};",
    N + 11: person(N + 11, "Feedonze")
    + career(N + 11)
    + f"UPDATE element_carriere SET tem_provisoire = 'O' WHERE no_dossier_pers = {N + 11};",
    N + 12: person(N + 12, "Feeddouze") + contract(N + 12, kind="VN"),
    N + 13: person(N + 13, "Feedtreize")
    + career(N + 13)
    + f"DELETE FROM personnel WHERE no_dossier_pers = {N + 13};",
    # names
    N + 14: person(N + 14, "d’Œuvrieux-Feed", "Jean-Noël", civility="M.") + career(N + 14),
    N + 15: person(N + 15, "Feedhomonyme", "Rose") + career(N + 15),
    N + 16: person(N + 16, "Feedhomonyme", "Rose") + career(N + 16),
    N + 17: person(N + 17, "Ô", "Y", civility="M.") + career(N + 17),
    # a fault in each: rejected alone
    N + 20: person(N + 20, "Feedfaute", born=None) + career(N + 20),
    N + 21: person(N + 21, "Feedfaute", born="0202-05-05") + career(N + 21),
    N + 22: person(N + 22, "Feedfaute", born="12026-05-05") + career(N + 22),
    N + 23: person(N + 23, None) + career(N + 23),
    N + 24: person(N + 24, "Feedfaute")
    + career(N + 24)
    + f"INSERT INTO individu SELECT * FROM individu WHERE no_individu = {N + 24};",
    N + 25: person(N + 25, "Feedfaute") + career(N + 25, structure="XX-99"),
    N + 26: person(N + 26, "Feed\x07faute") + career(N + 26),
    N + 27: person(N + 27, LONG) + career(N + 27),
    # for whom something happens later
    **{
        N + number: person(N + number, f"Feedsuite{letters}", "Luc", civility="M.")
        + career(N + number, "2010-01-01")
        for number, letters in zip(range(30, 43), "abcdefghijklm", strict=True)
    },
}
#: Table and column of each fault.
FAULTS = {
    N + 20: ("INDIVIDU", "D_NAISSANCE"),
    N + 21: ("INDIVIDU", "D_NAISSANCE"),
    N + 22: ("INDIVIDU", "D_NAISSANCE"),
    N + 23: ("INDIVIDU", "NOM_USUEL"),
    N + 24: ("INDIVIDU", "NO_INDIVIDU"),
    N + 25: ("AFFECTATION", "C_STRUCTURE"),
    N + 26: ("INDIVIDU", "NOM_USUEL"),
    N + 27: ("INDIVIDU", "NOM_USUEL"),
}
NOBODY = [N + number for number in (8, 9, 10, 11, 12, 13)]
MOVES, RENAMED, PROMOTED, DIES, LEAVES, LEFT_LONG = range(N + 30, N + 36)
LEFT_LONGER, NEVER_ACTIVATED, VANISHES, LOCKED_OUT, BACK_SOON, BACK_LATE = range(N + 36, N + 42)
LEFT_ALONE = N + 42
ACTIVATED = [
    *(MOVES, RENAMED, DIES, LEAVES, LEFT_LONG, LEFT_LONGER, VANISHES, BACK_SOON, BACK_LATE),
    *(LOCKED_OUT, LEFT_ALONE),
]


def _ends(number: int, days: int | None) -> str:
    """SQL that ends all rows of somebody so many days ago, or opens them again."""
    day = "NULL" if days is None else f"CURRENT_DATE - {days}"
    return "".join(
        f"UPDATE {table} SET {column} = {day} WHERE no_dossier_pers = {number};"
        for table, column in (
            ("affectation", "d_fin_affectation"),
            ("occupation", "d_fin_occupation"),
            ("carriere", "d_fin_carriere"),
            ("element_carriere", "d_fin_element"),
        )
    )


CHANGES = (
    f"UPDATE affectation SET c_structure = 'DSI-RESEAU' WHERE no_dossier_pers = {MOVES};"
    f"UPDATE individu SET nom_usuel = 'Feedmarié' WHERE no_individu = {RENAMED};"
    "UPDATE element_carriere SET d_fin_element = CURRENT_DATE - 1"
    f" WHERE no_dossier_pers = {PROMOTED};"
    f"INSERT INTO element_carriere VALUES ({PROMOTED}, 1, '840', CURRENT_DATE, NULL, NULL, 'N');"
    f"UPDATE individu SET d_deces = CURRENT_DATE - 2 WHERE no_individu = {DIES};"
    + _ends(LEAVES, 3)
    + _ends(LEFT_LONG, 60)
    + _ends(LEFT_LONGER, 500)
    + _ends(NEVER_ACTIVATED, 3)
    + _ends(LOCKED_OUT, 3)
    + _ends(BACK_SOON, 3)
    + _ends(BACK_LATE, 60)
    + f"DELETE FROM affectation WHERE no_dossier_pers = {VANISHES};"
)
RETURNS = _ends(BACK_SOON, None) + _ends(BACK_LATE, None)
DEPARTURES = 8


@dataclass
class Story:
    """What was seen on the way."""

    feed: Feed
    planned: dict[str, Any] = field(default_factory=dict)
    plan_writes: list[str] = field(default_factory=list)
    first: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    again_writes: list[str] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    timer: str = ""
    refused: Any = None
    refused_writes: list[str] = field(default_factory=list)
    second: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    third: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    last_writes: list[str] = field(default_factory=list)
    proved: dict[str, bool] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(lab: LabUnderTest) -> Iterator[Story]:
    feed, harpege = Feed(lab), Harpege(lab)
    harpege.remove()
    feed.remove()
    try:
        yield _told(lab, feed, harpege)
    finally:
        harpege.remove()
        feed.remove()


def _told(lab: LabUnderTest, feed: Feed, harpege: Harpege) -> Story:
    story = Story(feed)
    # what other tests left behind is none of this story
    feed("apply", "--accept-departures", "1000")
    harpege.sql("".join(ENTERED.values()))

    mark = feed.mark()
    story.planned = json.loads(feed("plan", "--json").stdout)
    story.plan_writes = feed.writes(mark)

    story.timer = _night(lab)
    story.first = feed.people()
    story.status = json.loads(feed("status", "--json").stdout)
    mark = feed.mark()
    feed("apply")
    story.again_writes = feed.writes(mark)

    _activate(feed, story.first)
    harpege.sql(CHANGES)
    mark = feed.mark()
    story.refused = feed("apply")
    story.refused_writes = feed.writes(mark)
    feed("apply", "--accept-departures", str(DEPARTURES))
    story.second = feed.people()

    harpege.sql(RETURNS)
    feed("apply")
    story.third = feed.people()
    mark = feed.mark()
    feed("apply")
    story.last_writes = feed.writes(mark)
    return story


def _night(lab: LabUnderTest) -> str:
    """Let the timer fire, a moment from now instead of at night; how the run it started ended."""
    show = "systemctl show --property=%s --value ent-harpege.service"
    before = lab.run(HOST, show, "InvocationID").stdout
    drop_in = "/run/systemd/system/ent-harpege.timer.d"
    lab.run(
        HOST,
        f"mkdir -p {drop_in} && printf %s > {drop_in}/test.conf && systemctl daemon-reload"
        " && systemctl restart ent-harpege.timer",
        "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=10ms\n",
    )
    try:
        wait_for(
            lambda: (
                lab.run(HOST, show, "InvocationID").stdout != before
                and lab.run(HOST, show, "ActiveState").stdout.strip() in ("inactive", "failed")
            ),
            what="the run that the timer starts",
        )
        return str(lab.run(HOST, show, "Result").stdout.strip())
    finally:
        lab.run(
            HOST,
            f"rm -r {drop_in} && systemctl daemon-reload && systemctl restart ent-harpege.timer",
        )


def _activate(feed: Feed, people: dict[int, dict[str, list[str]]]) -> None:
    """What activation, people and the administration do to their entries."""
    ldif = ""
    for number in ACTIVATED:
        entry = people[number]
        state = LOCKED if number == LOCKED_OUT else ACTIVE
        mail = f"luc.{entry['uid'][0]}@{feed.lab.domain}"
        ldif += (
            f"dn: {entry['dn'][0]}\nchangetype: modify\n"
            f"replace: supannRessourceEtat\nsupannRessourceEtat: {state}\n-\n"
            f"add: mail\nmail: {mail}\n-\nadd: supannAutreMail\nsupannAutreMail: {mail}\n-\n"
            f"add: telephoneNumber\ntelephoneNumber: 04 65 71 00 90\n-\n"
            f"add: supannConsentement\nsupannConsentement: {{CHARTE}}2026-1:20261123083000Z\n-\n"
            f"replace: userPassword\nuserPassword: {PASSWORD}\n\n"
        )
    feed.directory.as_root(ldif)


def _binds(directory: Directory, entry: dict[str, list[str]], password: str = PASSWORD) -> bool:
    try:
        directory.bind(entry["dn"][0], password).unbind_s()
    except ldap.INVALID_CREDENTIALS:
        return False
    return True


# The guide


@pytest.mark.guide("G5a")
def test_the_harpege_code_identifies_the_person(story: Story) -> None:
    entry = story.first[N + 1]
    assert entry["supannEmpId"] == [str(N + 1)]
    assert entry["supannOIDCDateDeNaissance"] == ["1980-05-01"]
    assert entry["sn"] == ["Feedpremier"]


@pytest.mark.guide("G5b")
def test_entered_today_and_in_the_directory_after_the_night(story: Story) -> None:
    """Entered in Harpège, brought by the timer, found by the identity of the public search."""
    assert story.timer == "success"
    connection = story.feed.directory.as_service("annuaire-search")
    found = connection.search_s(
        f"ou=people,{story.feed.lab.suffix}",
        ldap.SCOPE_ONELEVEL,
        "(sn=feedpremier)",
        ["displayName"],
    )
    assert [entry["displayName"] for _, entry in found] == [["Zoé Feedpremier".encode()]]


@pytest.mark.guide("G5b")
def test_cannot_sign_in_before_activating(story: Story) -> None:
    """There is no password, no address; and one that got there would open nothing."""
    directory, entry = story.feed.directory, story.first[N + 1]
    assert entry["supannRessourceEtat"] == [PRE_CREATED]
    assert not {"userPassword", "mail", "supannAutreMail"} & entry.keys()
    assert not _binds(directory, entry)
    directory.as_root(
        f"dn: {entry['dn'][0]}\nchangetype: modify\n"
        f"replace: userPassword\nuserPassword: {PASSWORD}\n"
    )
    assert not _binds(directory, entry)


# Arrivals


def test_a_whole_entry(story: Story) -> None:
    entry = story.first[N + 1]
    today = entry.pop("supannRessourceEtatDate")
    assert re.fullmatch(r"\{COMPTE\}I:SupannPrecree:\d{8}:", today[0])
    objects = entry.pop("objectClass")
    assert {"inetOrgPerson", "eduPerson", "supannPerson"} <= set(objects)
    entry = {name: sorted(values) for name, values in entry.items()}
    assert entry == {
        "dn": [f"uid=zfeedpremier,ou=people,{story.feed.lab.suffix}"],
        "uid": ["zfeedpremier"],
        "cn": ["Feedpremier Zoé"],
        "displayName": ["Zoé Feedpremier"],
        "sn": ["Feedpremier"],
        "givenName": ["Zoé"],
        "supannPrenomsEtatCivil": ["Zoé"],
        "supannNomDeNaissance": ["Feedpremier"],
        "supannCivilite": ["Mme"],
        "supannOIDCGenre": ["female"],
        "supannOIDCDateDeNaissance": ["1980-05-01"],
        "supannEmpId": [str(N + 1)],
        "supannEmpCorps": ["{NCORPS}841"],
        "title": ["Ingénieur d’études"],
        "supannEntiteAffectation": ["DSI"],
        "supannEntiteAffectationPrincipale": ["DSI"],
        "eduPersonAffiliation": STAFF,
        "eduPersonPrimaryAffiliation": ["staff"],
        "eduPersonPrincipalName": [f"zfeedpremier@{story.feed.lab.domain}"],
        "supannRessourceEtat": [PRE_CREATED],
    }


@pytest.mark.parametrize(
    ("number", "primary", "affiliations"),
    [
        (N + 2, "teacher", ["employee", "faculty", "member", "teacher"]),
        (N + 3, "researcher", ["employee", "faculty", "member", "researcher"]),
        (N + 4, "teacher", ["employee", "faculty", "member", "teacher"]),
        (N + 5, "researcher", ["employee", "faculty", "member", "researcher"]),
    ],
    ids=["career of a teacher", "of a researcher", "contract of a teacher", "of a researcher "],
)
def test_affiliations(story: Story, number: int, primary: str, affiliations: list[str]) -> None:
    entry = story.first[number]
    assert sorted(entry["eduPersonAffiliation"]) == affiliations
    assert entry["eduPersonPrimaryAffiliation"] == [primary]


def test_birth_name_and_title(story: Story) -> None:
    entry = story.first[N + 2]
    assert (entry["sn"], entry["supannNomDeNaissance"]) == (["Feeddeux"], ["Feedjeune"])
    assert entry["title"] == ["Maîtresse de conférences"]


def test_two_posts_at_once(story: Story) -> None:
    entry = story.first[N + 6]
    assert sorted(entry["supannEntiteAffectation"]) == ["DRH", "SCD"]
    assert entry["supannEntiteAffectationPrincipale"] == ["SCD"]


def test_an_arrival_ahead_of_time(story: Story) -> None:
    assert story.first[N + 7]["supannRessourceEtat"] == [PRE_CREATED]


@pytest.mark.parametrize("number", NOBODY)
def test_rows_that_make_nobody_staff(story: Story, number: int) -> None:
    """Too early, left before, cancelled, provisional, hourly teaching, no dossier."""
    assert number not in story.first


def test_logins(story: Story) -> None:
    assert story.first[N + 14]["uid"] == ["jdoeuvrieuxfeed"]
    homonyms = [story.first[number]["uid"][0] for number in (N + 15, N + 16)]
    assert homonyms == ["rfeedhomonyme", "rfeedhomonyme2"]
    assert re.fullmatch(r"yo\d*", story.first[N + 17]["uid"][0])


# Faults


@pytest.mark.parametrize("number", FAULTS)
def test_a_bad_row_is_rejected_alone_and_named(story: Story, number: int) -> None:
    assert number not in story.first
    rejects = [one for one in story.status["runs"][0]["rejects"] if one["code"] == str(number)]
    assert rejects, story.status
    assert (rejects[0]["table"], rejects[0]["column"]) == FAULTS[number]
    assert str(number) in rejects[0]["key"] or rejects[0]["key"].startswith("NO_SEQ_AFFECTATION=")
    assert rejects[0]["reason"]


# Nothing too much


def test_a_plan_tells_and_writes_nothing(story: Story) -> None:
    created = {one["code"] for one in story.planned["actions"] if one["action"] == "create"}
    expected = {str(number) for number in story.first}
    assert created == expected
    assert story.plan_writes == []


def test_a_second_run_writes_nothing(story: Story) -> None:
    assert story.again_writes == []
    assert story.last_writes == []


# What happens later


def test_too_many_leave_at_once_and_nothing_is_written(story: Story) -> None:
    assert story.refused.rc == 3
    assert str(DEPARTURES) in story.refused.stdout + story.refused.stderr
    assert "--accept-departures" in story.refused.stdout + story.refused.stderr
    assert story.refused_writes == []


def test_another_structure(story: Story) -> None:
    assert story.second[MOVES]["supannEntiteAffectationPrincipale"] == ["DSI-RESEAU"]
    assert story.second[MOVES]["supannEntiteAffectation"] == ["DSI-RESEAU"]


def test_another_name_keeps_login_and_address(story: Story) -> None:
    before, after = story.first[RENAMED], story.second[RENAMED]
    assert (after["sn"], after["displayName"]) == (["Feedmarié"], ["Luc Feedmarié"])
    assert after["uid"] == before["uid"]
    assert (
        after["mail"]
        == after["supannAutreMail"]
        == [f"luc.{before['uid'][0]}@{story.feed.lab.domain}"]
    )


def test_another_corps(story: Story) -> None:
    assert story.second[PROMOTED]["supannEmpCorps"] == ["{NCORPS}840"]
    assert story.second[PROMOTED]["title"] == ["Ingénieur de recherche"]


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (LEAVES, GRACE),
        (LEFT_LONG, DEPARTED),
        (LEFT_LONGER, EXPIRED),
        (NEVER_ACTIVATED, DEPARTED),
        (DIES, DEPARTED),
        (VANISHES, GRACE),
        (LOCKED_OUT, LOCKED),
        (LEFT_ALONE, ACTIVE),
    ],
)
def test_the_state_of_an_account_after_a_departure(story: Story, number: int, state: str) -> None:
    assert story.second[number]["supannRessourceEtat"] == [state]


@pytest.mark.parametrize("number", [LEAVES, VANISHES])
def test_in_the_grace_one_signs_in(story: Story, number: int) -> None:
    assert _binds(story.feed.directory, story.third[number])


@pytest.mark.parametrize("number", [LEFT_LONG, LEFT_LONGER, DIES, LOCKED_OUT])
def test_after_it_one_does_not(story: Story, number: int) -> None:
    assert not _binds(story.feed.directory, story.third[number])


def test_back_within_the_grace_is_active_at_once(story: Story) -> None:
    assert story.second[BACK_SOON]["supannRessourceEtat"] == [GRACE]
    assert story.third[BACK_SOON]["supannRessourceEtat"] == [ACTIVE]
    assert _binds(story.feed.directory, story.third[BACK_SOON])


def test_back_later_activates_anew_with_the_same_login_and_address(story: Story) -> None:
    first, third = story.first[BACK_LATE], story.third[BACK_LATE]
    assert third["supannRessourceEtat"] == [PRE_CREATED]
    assert third["uid"] == first["uid"]
    assert third["mail"] == [f"luc.{first['uid'][0]}@{story.feed.lab.domain}"]
    assert not _binds(story.feed.directory, third)


def test_what_belongs_to_others_is_left_alone(story: Story) -> None:
    for number in ACTIVATED:
        entry = story.third[number]
        assert entry["telephoneNumber"] == ["04 65 71 00 90"]
        assert entry["supannConsentement"] == ["{CHARTE}2026-1:20261123083000Z"]
        assert entry["mail"] == entry["supannAutreMail"]
        assert len(entry["userPassword"]) == 1
    assert _binds(story.feed.directory, story.third[LEFT_ALONE])


# Structures


def test_structures_with_their_tree(story: Story) -> None:
    text = story.feed.directory.root_search(
        f"ou=structures,{story.feed.lab.suffix}", "(supannCodeEntite=DEPT-MATHS)"
    )
    assert "supannCodeEntiteParent: UFR-SCIENCES" in text
    assert "ou:" in text


def test_a_structure_closed_before_is_not_made(story: Story) -> None:
    found = story.feed.directory.root_search(
        f"ou=structures,{story.feed.lab.suffix}", "(supannCodeEntite=IUFM)"
    )
    assert found == ""


# Least privilege


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("userPassword", "feed-Essai-2027"),
        ("telephoneNumber", "04 65 71 00 91"),
        ("supannConsentement", "{CHARTE}2026-1:20261123083001Z"),
        ("mailForwardingAddress", "ailleurs@example.org"),
        ("supannMailPerso", "ailleurs@example.org"),
        # away with it
        ("userPassword", None),
        ("mail", None),
        ("supannAutreMail", None),
    ],
)
def test_the_feed_cannot_touch_what_is_not_its_own(
    story: Story, attribute: str, value: str | None
) -> None:
    connection = story.feed.directory.as_service("feed")
    change = (
        (ldap.MOD_DELETE, attribute, None)
        if value is None
        else (ldap.MOD_REPLACE, attribute, value.encode())
    )
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        connection.modify_s(story.third[LEFT_ALONE]["dn"][0], [change])


def test_the_feed_cannot_lift_what_the_administration_locked(story: Story) -> None:
    connection = story.feed.directory.as_service("feed")
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        connection.modify_s(
            story.third[LOCKED_OUT]["dn"][0],
            [(ldap.MOD_REPLACE, "supannRessourceEtat", ACTIVE.encode())],
        )


def test_the_demonstration_accounts_are_as_they_were(story: Story) -> None:
    """Harpège says of them what the lab's inventory says."""
    people = story.feed.people(10001, 10009)
    assert len(people) == 8
    assert people[10002]["title"] == ["Maîtresse de conférences"]
    assert people[10006]["supannRessourceEtat"] == [LOCKED]
    assert people[10007]["supannRessourceEtat"] == [EXPIRED]
    assert people[10007]["eduPersonAffiliation"] == ["affiliate"]
    for code, structure in ((10001, "DSI"), (10003, "LAB-MMSH"), (10009, "UP")):
        assert people[code]["supannEntiteAffectationPrincipale"] == [structure]
