"""No value can change the shape of a filter."""

from __future__ import annotations

import ldap.filter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.directory import (
    AccountState,
    FilterError,
    all_of,
    any_of,
    at_least,
    at_most,
    contains,
    ends_with,
    equals,
    negation,
    present,
    starts_with,
)
from ent.directory.filters import escape


def unescape(text: str) -> bytes:
    """Read an assertion value as a server does (RFC 4515, section 3)."""
    raw, result, position = text.encode(), bytearray(), 0
    while position < len(raw):
        if raw[position : position + 1] == b"\\":
            result.append(int(raw[position + 1 : position + 3], 16))
            position += 3
        else:
            result.append(raw[position])
            position += 1
    return bytes(result)


@given(st.text())
def test_text_comes_back_as_it_was(value: str) -> None:
    assert unescape(escape(value)) == value.encode()


@given(st.binary())
def test_bytes_come_back_as_they_were(value: bytes) -> None:
    assert unescape(escape(value)) == value


@given(st.text() | st.binary())
def test_nothing_special_is_left(value: str | bytes) -> None:
    assert not set(escape(value)) & set("()*\0")


@given(st.text(min_size=1))
def test_agrees_with_python_ldap(value: str) -> None:
    ours = unescape(escape(value))
    assert ours == unescape(ldap.filter.escape_filter_chars(value))


@given(st.text(min_size=1), st.text(min_size=1))
def test_values_keep_their_place(one: str, other: str) -> None:
    text = str(all_of(equals("uid", one), any_of(equals("sn", other), present("mail"))))
    assert text.count("(") == text.count(")") == 5
    assert text.count("*") == 1


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (equals("uid", "jmartin"), "(uid=jmartin)"),
        (equals("uid", "*)(uid=*"), r"(uid=\2a\29\28uid=\2a)"),
        (equals("cn", "Benoît"), "(cn=Benoît)"),
        (equals("jpegPhoto", b"\xff\x00a"), r"(jpegPhoto=\ff\00\61)"),
        (equals("ou;lang-fr", "x"), "(ou;lang-fr=x)"),
        (equals("2.5.4.3", "x"), "(2.5.4.3=x)"),
        (starts_with("sn", "du*"), r"(sn=du\2a*)"),
        (ends_with("sn", "et"), "(sn=*et)"),
        (contains("sn", "ar"), "(sn=*ar*)"),
        (at_least("x", "1"), "(x>=1)"),
        (at_most("x", "1"), "(x<=1)"),
        (negation(present("mail")), "(!(mail=*))"),
        (all_of(present("a"), present("b")), "(&(a=*)(b=*))"),
        (any_of(present("a")), "(a=*)"),
        (
            AccountState.sign_in_filter(),
            "(|(supannRessourceEtat={COMPTE}A:SupannActif)"
            "(supannRessourceEtat={COMPTE}A:SupannSursis))",
        ),
    ],
)
def test_text(built: object, expected: str) -> None:
    assert str(built) == expected


@pytest.mark.parametrize(
    "build",
    [
        lambda: equals("uid)(x", "y"),
        lambda: equals("", "y"),
        lambda: present("uid=*"),
        lambda: equals("uid", ""),
        lambda: contains("uid", ""),
        all_of,
        any_of,
        lambda: equals("uid", "\ud800"),
    ],
)
def test_refusals(build: object) -> None:
    with pytest.raises(FilterError):
        build()  # type: ignore[operator]
