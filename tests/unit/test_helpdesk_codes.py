"""Codes: made to be read over the telephone, forgiving, and kept only as a keyed hash."""

from __future__ import annotations

import contextlib
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.annuaire.helpdesk.codes import LENGTH, Code, NotACode, new_code, read_code

KEY = b"k" * 50
codes = st.builds(new_code)


def test_a_code_is_three_groups_of_three_digits() -> None:
    code = new_code()
    assert re.fullmatch(r"\d{3} \d{3} \d{3}", " ".join(code.groups))


def test_codes_differ() -> None:
    assert len({new_code().digits for _ in range(200)}) > 195


@given(codes)
def test_what_was_made_can_be_read(code: Code) -> None:
    assert read_code(code.digits) == code


@given(codes, st.sampled_from([" ", "-", ".", "\u00a0", " – ", "\u202f"]))
def test_however_it_is_grouped(code: Code, between: str) -> None:
    assert read_code(f"  {between.join(code.groups)} ") == code


def test_digits_of_other_keyboards() -> None:
    code = new_code()
    assert read_code("".join(chr(0xFF10 + int(one)) for one in code.digits)) == code


@given(codes, st.integers(0, LENGTH - 1), st.integers(1, 9))
def test_every_wrong_digit_is_noticed(code: Code, place: int, step: int) -> None:
    wrong = str((int(code.digits[place]) + step) % 10)
    with pytest.raises(NotACode):
        read_code(code.digits[:place] + wrong + code.digits[place + 1 :])


@given(codes, st.integers(0, LENGTH - 2))
def test_every_exchange_of_neighbours_is_noticed(code: Code, place: int) -> None:
    one, other = code.digits[place], code.digits[place + 1]
    typed = code.digits[:place] + other + one + code.digits[place + 2 :]
    if one == other:
        assert read_code(typed) == code
    else:
        with pytest.raises(NotACode):
            read_code(typed)


@given(st.text())
def test_anything_else_is_no_code(typed: str) -> None:
    with contextlib.suppress(NotACode):
        assert len(read_code(typed).digits) == LENGTH


@pytest.mark.parametrize("typed", ["", "12345678", "1234567890", "12345678a", "x" * 100_000])
def test_refused(typed: str) -> None:
    with pytest.raises(NotACode):
        read_code(typed)


def test_the_hash_is_of_one_person_with_one_key() -> None:
    code = Code("123456789")
    assert code.digest(KEY, "jmartin") == code.digest(KEY, "JMartin")
    assert code.digest(KEY, "jmartin") != code.digest(KEY, "kbenali")
    assert code.digest(KEY, "jmartin") != code.digest(b"other" * 10, "jmartin")
    assert b"123456789" not in code.digest(KEY, "jmartin")


def test_no_log_shows_a_code(caplog: pytest.LogCaptureFixture) -> None:
    code = new_code()
    logging.getLogger("test").error("%s %r", code, code)
    assert code.digits not in caplog.text
