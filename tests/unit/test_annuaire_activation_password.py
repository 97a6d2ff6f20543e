"""The password rule as the form applies it: characters, not bytes."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.annuaire.activation.password import MAX_LENGTH, Fault, faults


@pytest.mark.parametrize(
    "password",
    [
        "abc123",
        "ABC123",
        "a1____",
        "éàùç1a",
        "1é a”<",
        " a1    ",
        "a1🙂🙂🙂🙂",
        "a1\u202eאבגד",
        "a1\\0)(*&|",
        "a1" + "x" * (MAX_LENGTH - 2),
    ],
)
def test_accepted(password: str) -> None:
    assert faults(password) == ()


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", {Fault.SHORT, Fault.NO_LETTER, Fault.NO_DIGIT}),
        ("abc12", {Fault.SHORT}),
        ("éé1a", {Fault.SHORT}),  # six bytes: slapd alone would take it
        ("a1🙂", {Fault.SHORT}),  # six bytes as well
        ("abcdef", {Fault.NO_DIGIT}),
        ("123456", {Fault.NO_LETTER}),
        ("éàùç12", {Fault.NO_LETTER}),  # no letters to slapd
        ("abcd\u0661\u0662", {Fault.NO_DIGIT}),  # Arabic-Indic digits
        ("abc123\0", {Fault.NOT_TYPED}),
        ("abc123\n", {Fault.NOT_TYPED}),
        ("abc\t123", {Fault.NOT_TYPED}),
        ("abc123\x7f", {Fault.NOT_TYPED}),
        ("abc123\x85", {Fault.NOT_TYPED}),
        ("abc123\u2028", {Fault.NOT_TYPED}),
        ("abc123\ud800", {Fault.NOT_TYPED}),
        ("a1bcde\N{REPLACEMENT CHARACTER}", {Fault.NOT_TYPED}),
        ("a1" + "x" * (MAX_LENGTH - 1), {Fault.LONG}),
    ],
)
def test_refused(password: str, why: set[Fault]) -> None:
    assert set(faults(password)) == why


def test_the_login_is_no_password() -> None:
    assert faults("PDupont2", "pdupont2") == (Fault.LOGIN,)
    assert faults("pdupont22", "pdupont2") == ()


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=140))
def test_what_passes_here_passes_slapd(password: str) -> None:
    """slapd's rule on the same text: 6 bytes, one of 52 letters, one of 10 digits."""
    if faults(password):
        return
    raw = password.encode()
    assert len(raw) >= 6
    assert re.search(rb"[A-Za-z]", raw)
    assert re.search(rb"[0-9]", raw)
    assert b"\0" not in raw


@given(st.text(alphabet=string.printable[:95], min_size=6, max_size=MAX_LENGTH))
def test_nothing_else_is_forbidden(password: str) -> None:
    has_letter = any(one in string.ascii_letters for one in password)
    has_digit = any(one in string.digits for one in password)
    assert (faults(password) == ()) == (has_letter and has_digit)
