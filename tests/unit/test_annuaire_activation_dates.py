"""Birth dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.annuaire.activation.dates import NotADate, ShortYear, parse_birth_date

TODAY = date(2026, 11, 23)
BORN = date(1975, 2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "03/02/1975",
        "3/2/1975",
        "3-2-1975",
        "03.02.1975",
        "3 2 1975",
        " 03 / 02 / 1975 ",
        "03 02 1975",
        "03021975",
        "1975-02-03",
        "1975-2-3",
        "1975/02/03",
        "3 février 1975",
        "3 FEVRIER 1975",
        "3 fe\u0301vrier 1975",
        "3 févr. 1975",
        "03\u00a0/\u00a002\u202f/ 1975",
        "０３/０２/１９７５",
    ],
)
def test_one_day_in_many_forms(text: str) -> None:
    assert parse_birth_date(text, TODAY) == BORN


def test_the_day_comes_first() -> None:
    assert parse_birth_date("12/11/1980", TODAY) == date(1980, 11, 12)
    assert parse_birth_date("1er mars 1980", TODAY) == date(1980, 3, 1)
    assert parse_birth_date("15 août 1980", TODAY) == date(1980, 8, 15)
    assert parse_birth_date("29/02/1980", TODAY) == date(1980, 2, 29)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "hier", "03/02", "1975", "31/02/1975", "29/02/1981", "13/13/1975", "00/01/1975"),
        *("03/02/19755", "03/02/975", "24/11/2026", "03/02/1899", "3 ju 1975", "3 j 1975"),
        *("3 ma 1980", "*", "03/02/1975)(uid=*", "03/02/1975\0", "1" * 1000000),
        *("٣/٢/١٩٧٥x", "-3/-2/1975", "03//02//1975", "🙂"),
    ],
)
def test_no_date(text: str) -> None:
    with pytest.raises(NotADate):
        parse_birth_date(text, TODAY)


@pytest.mark.parametrize("text", ["03/02/75", "3 février 75"])
def test_two_digits_of_a_year_are_told_apart(text: str) -> None:
    with pytest.raises(ShortYear):
        parse_birth_date(text, TODAY)


@given(st.text(max_size=60))
def test_whatever_is_typed(text: str) -> None:
    try:
        found = parse_birth_date(text, TODAY)
    except NotADate:
        return
    assert date(1900, 1, 1) <= found <= TODAY


@given(st.dates(date(1900, 1, 1), TODAY))
def test_every_day(day: date) -> None:
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d%m%Y", "%d.%m.%Y"):
        assert parse_birth_date(day.strftime(form), TODAY) == day
