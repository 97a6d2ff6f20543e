"""Entries become typed objects."""

from __future__ import annotations

import pytest

from ent.directory import AccountState, Entry, Person, Structure


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (("{COMPTE}A:SupannActif",), AccountState.ACTIVE),
        (("{MAIL}A", "{COMPTE}A:SupannSursis"), AccountState.GRACE),
        (("{compte}a:supannactif",), AccountState.ACTIVE),
        (("{COMPTE}I:SupannPrecree",), AccountState.PRE_CREATED),
        (("{COMPTE}S:SupannVerrouAdministratif",), AccountState.SUSPENDED),
        (("{COMPTE}I:SupannExpire",), AccountState.EXPIRED),
        ((), None),
        (("{MAIL}A:SupannActif",), None),
        (("{COMPTE}A",), None),
        (("{COMPTE}A:SupannActif", "{COMPTE}I:SupannExpire"), None),
    ],
)
def test_state(values: tuple[str, ...], state: AccountState | None) -> None:
    assert AccountState.of(values) is state


def test_who_may_sign_in() -> None:
    allowed = [state for state in AccountState if state.may_sign_in]
    assert allowed == [AccountState.ACTIVE, AccountState.GRACE]


def test_person() -> None:
    person = Person.from_entry(
        Entry.from_ldap(
            "uid=alefevre,ou=people,dc=x",
            {
                "UID": [b"alefevre"],
                "givenname": [b"Am\xc3\xa9lie"],
                "SN": ["Lefèvre".encode()],
                "eduPersonAffiliation": [b"faculty", b"member"],
                "supannRessourceEtat": [b"{COMPTE}A:SupannActif"],
            },
        )
    )
    assert person.display_name == "Amélie Lefèvre"
    assert person.affiliations == ("faculty", "member")
    assert person.mail == ""
    assert person.state is AccountState.ACTIVE


def test_a_value_that_is_not_utf8_does_not_break_a_page() -> None:
    assert Entry.from_ldap("x", {"cn": [b"\xe9"]}).text("cn") == "\ufffd"


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"description": [b"Direction"], "ou": [b"DSI"]}, "Direction"),
        ({"ou": [b"DSI"]}, "DSI"),
        ({}, "DSI1"),
    ],
)
def test_structure_name(attributes: dict[str, list[bytes]], name: str) -> None:
    entry = Entry.from_ldap("x", {"supannCodeEntite": [b"DSI1"], **attributes})
    assert Structure.from_entry(entry).name == name
