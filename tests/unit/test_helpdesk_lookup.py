"""Finding a caller: whatever they are called, and however it is spelt."""

from __future__ import annotations

import pytest

import helpdesk_desk
from ent.annuaire.helpdesk.lookup import SHOWN, find
from helpdesk_desk import FakeDirectory, person


def somebody(uid: str, given: str, family: str, **more: str) -> dict[str, object]:
    mail = more.pop("mail", "")
    return person(
        uid,
        **{
            "displayName": f"{given} {family}",
            "cn": f"{family} {given}",
            "sn": family,
            "givenName": given,
            "mail": mail,
            **more,
        },
    )


@pytest.fixture
def directory() -> helpdesk_desk.FakeDirectory:
    return FakeDirectory(
        somebody("alefevre", "Amélie", "Lefèvre", mail="amelie.lefevre@univ-provence.fr"),
        somebody("jlefevre", "Jean", "Lefebvre"),
        somebody("hdalembert", "Hélène", "D’Alembert"),
        somebody("jpdupont", "Jean-Pierre", "Dupont", supannAutreMail="jpd@up.univ-aix.fr"),
        somebody("mlegoff", "Marie", "Le Goff"),
        somebody("sfaure", "Sophie", "Faure"),
    )


def names(directory: FakeDirectory, typed: str) -> list[str]:
    return [one.uid for one in find(directory, typed).exact]


@pytest.mark.parametrize(
    ("typed", "uid"),
    [
        ("Lefèvre", "alefevre"),
        ("lefevre amelie", "alefevre"),
        ("Amelie LEFEVRE", "alefevre"),
        ("amelie", "alefevre"),
        ("am lefè", "alefevre"),
        ("alefevre", "alefevre"),
        ("ALEFEVRE", "alefevre"),
        ("amelie.lefevre@univ-provence.fr", "alefevre"),
        ("helene", "hdalembert"),
        ("D'Alembert", "hdalembert"),
        ("dalembert hélène", "hdalembert"),
        ("jean pierre dupont", "jpdupont"),
        ("Dupont Jean-Pierre", "jpdupont"),
        ("jpd@up.univ-aix.fr", "jpdupont"),
        ("jean-pierre.dupont@up.univ-mrs.fr", "jpdupont"),
        ("legoff", "mlegoff"),
        ("le goff marie", "mlegoff"),
        ("  sfaure\u00a0", "sfaure"),
    ],
)
def test_found(directory: FakeDirectory, typed: str, uid: str) -> None:
    assert uid in names(directory, typed)


def test_nobody_else_is_shown_when_somebody_fits(directory: FakeDirectory) -> None:
    found = find(directory, "faure sophie")
    assert [one.uid for one in found.exact] == ["sfaure"]
    assert found.near == ()


def test_names_nearby_when_nobody_fits(directory: FakeDirectory) -> None:
    found = find(directory, "amélie lefèbvre")
    assert found.exact == ()
    assert found.near[0].uid == "alefevre"


@pytest.mark.parametrize("typed", ["Zzyzx", "*", "()", "\\2a", "😀", "\0", "   ", "@", "a" * 5000])
def test_nobody(directory: FakeDirectory, typed: str) -> None:
    found = find(directory, typed)
    assert found.exact == ()


def test_metacharacters_are_not_a_filter(directory: FakeDirectory) -> None:
    find(directory, "a*)(uid=*")
    assert directory.asked
    for where in directory.asked:
        assert "(uid=*)" not in str(where)


def test_a_common_name_shows_a_first_part() -> None:
    many = FakeDirectory(*(somebody(f"m{at}", f"P{at}", "Martin") for at in range(80)))
    found = find(many, "martin")
    assert len(found.exact) == SHOWN
    assert found.more
