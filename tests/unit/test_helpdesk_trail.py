"""The chain of the trail: what was changed, taken out or put in is found."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

import helpdesk_desk
from ent.annuaire.helpdesk.audit import harmless
from ent.annuaire.helpdesk.trail import START, Action, Entry, Line, Outcome, check, digest

NOW, chained = helpdesk_desk.NOW, helpdesk_desk.chained


def entries(number: int) -> list[tuple[datetime, Entry]]:
    return [
        (NOW + timedelta(seconds=at), Entry(Action.VIEW, Outcome.DONE, "sfaure", "::1", f"p{at}"))
        for at in range(number)
    ]


@pytest.fixture
def lines() -> list[Line]:
    return list(chained(entries(6)))


def test_a_whole_trail(lines: list[Line]) -> None:
    verdict = check(lines)
    assert (verdict.broken, verdict.lines, verdict.first, verdict.last) == (None, 6, 1, 6)
    assert verdict.hash == lines[-1].hash
    assert not verdict.expired


def test_an_empty_trail() -> None:
    assert check([]).broken is None


def test_the_hash_is_what_it_says() -> None:
    """Written out once, so that the format cannot change unnoticed: old lines must stay valid."""
    line = Line(
        number=7,
        at=datetime(2026, 11, 23, 10, 30, 0, 5, tzinfo=timezone(timedelta(hours=1))),
        agent="sfaure",
        address="2001:db8::1",
        action="view",
        person="élève",
        outcome="done",
        operation="",
        detail="",
        previous=START,
        hash="",
    )
    text = (
        f"64:{START}1:727:2026-11-23T09:30:00.000005Z6:sfaure11:2001:db8::14:view7:élève4:done0:0:"
    )
    assert digest(line) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "field",
    ["at", "agent", "address", "action", "person", "outcome", "operation", "detail", "previous"],
)
def test_a_changed_field_is_found(lines: list[Line], field: str) -> None:
    value = NOW.replace(tzinfo=UTC, year=2025) if field == "at" else "x"
    lines[3] = replace(lines[3], **{field: value})
    assert check(lines).broken == 4


def test_a_changed_line_with_a_new_hash_breaks_the_next(lines: list[Line]) -> None:
    forged = replace(lines[3], person="somebody")
    lines[3] = replace(forged, hash=digest(forged))
    assert check(lines).broken == 5


def test_fields_do_not_run_into_each_other(lines: list[Line]) -> None:
    moved = replace(lines[3], agent="sfaur", address="e::1")
    assert digest(moved) != digest(lines[3])


def test_a_line_taken_out(lines: list[Line]) -> None:
    del lines[2]
    assert check(lines).broken == 4


def test_the_first_line_taken_out(lines: list[Line]) -> None:
    assert check(lines[1:]).broken == 2


def test_a_line_put_in(lines: list[Line]) -> None:
    lines.insert(3, lines[2])
    assert check(lines).broken == 3


def test_a_line_that_skips_a_number(lines: list[Line]) -> None:
    last = chained([(NOW, Entry(Action.VIEW, Outcome.DONE, "sfaure", "::1"))], 9, lines[-1].hash)
    assert check([*lines, *last]).broken == 9


def test_lines_that_expired_are_vouched_for(lines: list[Line]) -> None:
    kept = lines[3:]
    last = Entry(
        Action.EXPIRE, Outcome.DONE, "", "", detail=f"until:{lines[2].number}:{lines[2].hash}"
    )
    whole = [*kept, *chained([(NOW, last)], 7, lines[-1].hash)]
    verdict = check(whole)
    assert verdict.broken is None
    assert verdict.expired
    assert verdict.first == 4
    # one more is taken away than was said
    assert check(whole[1:]).broken == 5


@pytest.mark.parametrize("cell", ["=1+1", "+33", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_formulas_are_texts(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "sfaure", "::1", "192.0.2.1", "2026-11-23T10:00:00+01:00"])
def test_other_cells_stay(cell: str) -> None:
    assert harmless(cell) == cell
