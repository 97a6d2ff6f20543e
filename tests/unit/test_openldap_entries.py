"""Wanted entries against live ones."""

from __future__ import annotations

import pytest

from module_utils import openldap_entries as oe


def changes(wanted: dict[str, object], live: dict[str, list[bytes]]) -> list[oe.Change]:
    return oe.Wanted.read({"dn": "cn=x", **wanted}).changes(live)


def test_a_new_entry_has_all_of_it_once() -> None:
    entry = oe.Wanted.read(
        {
            "dn": "uid=a",
            "attributes": {"uid": "a", "mail": ["x@y"], "title": []},
            "present": {"mail": "x@y"},
            "initial": {"supannListeRouge": True},
            "password": "secret1",
        }
    ).new_entry()
    assert entry == {
        "uid": [b"a"],
        "mail": [b"x@y"],
        "supannListeRouge": [b"TRUE"],
        "userPassword": [b"secret1"],
    }


def test_exact_attributes() -> None:
    live = {"sn": [b"Old"], "title": [b"t"], "ou": [b"a", b"b"], "other": [b"kept"]}
    assert changes({"attributes": {"sn": "New", "title": None, "ou": ["b", "a"]}}, live) == [
        ("replace", "sn", [b"New"]),
        ("delete", "title", None),
    ]


def test_classes_of_others_stay() -> None:
    live = {"objectClass": [b"inetOrgPerson", b"theirs"]}
    assert changes({"attributes": {"objectClass": ["inetorgperson", "mine"]}}, live) == [
        ("add", "objectClass", [b"mine"])
    ]


def test_what_is_initial_is_never_touched_again() -> None:
    assert changes({"initial": {"userPassword": "first1", "mail": "a@b"}}, {"mail": [b"c@d"]}) == []


def test_present_adds_and_never_removes() -> None:
    assert changes({"present": {"mail": ["a@b", "c@d"]}}, {"mail": [b"c@d", b"e@f"]}) == [
        ("add", "mail", [b"a@b"])
    ]


def test_secrets_are_not_in_a_diff() -> None:
    assert oe.lines({"userPassword": [b"secret1"], "cn": [b"x"]}) == [
        "+userPassword: (hidden)",
        "+cn: x",
    ]


def test_a_misspelt_key_is_named() -> None:
    with pytest.raises(oe.EntryError, match="atributes"):
        oe.Wanted.read({"dn": "cn=x", "atributes": {}})
