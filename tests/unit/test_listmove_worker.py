"""What one look at a person does, wherever it is cut off, and what is noted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ent.directory import DirectoryUnavailable, Entry
from ent.listmove.database import DatabaseUnavailable
from ent.listmove.ledger import Intent, Wanted
from ent.listmove.sympa import SympaUnavailable
from ent.listmove.tables import Row
from listmove_parts import AIX, EXCLUDED, MRS, NEW, Parts, fields, holder

LIST = f"essai@listes.{NEW}"
OTHER = f"autre@listes.{NEW}"


def outcomes(parts: Parts) -> list[tuple[str, ...]]:
    return [fields(one)[1:] for one in parts.ledger.done]


def test_subscription_ownership_and_moderation_follow() -> None:
    old = f"anne@{AIX}"
    parts = Parts(
        [Row(old, LIST, "subscriber"), Row(old, LIST, "owner"), Row(old, OTHER, "editor")],
        [holder("anne", old)],
    )
    assert not parts.worker.look("anne").again
    new = f"anne@{NEW}"
    assert parts.tables.there == {
        Row(new, LIST, "subscriber"),
        Row(new, LIST, "owner"),
        Row(new, OTHER, "editor"),
    }
    assert sorted(outcomes(parts)) == [
        (old, new, OTHER, "editor", "moved", ""),
        (old, new, LIST, "owner", "moved", ""),
        (old, new, LIST, "subscriber", "moved", ""),
    ]
    assert parts.ledger.intended == {}
    assert parts.worker.look("anne").done == ()


def test_both_old_addresses_in_three_spellings_and_the_new_one() -> None:
    rows = [
        Row(address, LIST, "subscriber")
        for address in (f"anne@{AIX}", f"Anne@{AIX}", f"ANNE@{MRS}", f"anne@{NEW}")
    ]
    parts = Parts(rows, [holder("anne", f"anne@{AIX}")])
    parts.worker.look("anne")
    assert parts.tables.there == {Row(f"anne@{NEW}", LIST, "subscriber")}
    assert Counter(one[4] for one in outcomes(parts)) == {"merged": 3}


def test_first_of_two_is_moved_and_the_second_merged() -> None:
    parts = Parts(
        [Row(f"anne@{AIX}", LIST, "subscriber"), Row(f"anne@{MRS}", LIST, "subscriber")],
        [holder("anne", f"anne@{AIX}")],
    )
    parts.worker.look("anne")
    assert [one[4] for one in outcomes(parts)] == ["moved", "merged"]


def test_included_is_reported_once_and_sympa_is_not_asked() -> None:
    row = Row(f"anne@{AIX}", LIST, "subscriber", included=True)
    parts = Parts([row], [holder("anne", f"anne@{AIX}")])
    for _ in range(3):
        assert not parts.worker.look("anne").again
    assert parts.tables.there == {row}
    assert parts.sympa.asked == []
    assert [one[4:] for one in outcomes(parts)] == [("failed", "included")]


def test_refused_is_tried_again_and_noted_once_until_it_is_done() -> None:
    parts = Parts([Row(f"anne@{AIX}", LIST, "subscriber")], [holder("anne", f"anne@{AIX}")])
    parts.sympa.refused = {LIST}
    parts.ledger.want(["anne"])
    for tries in range(3):
        parts.worker.attend(Wanted("anne", 0, tries))
    assert parts.ledger.wanted["anne"].tries == 3
    assert parts.ledger.waits["anne"] >= 60
    parts.sympa.refused = set()
    parts.worker.attend(parts.ledger.wanted["anne"])
    assert parts.ledger.wanted == {}
    assert [one[4:] for one in outcomes(parts)] == [("failed", "refused"), ("moved", "")]


def test_ambiguous_is_reported_for_each_and_not_moved() -> None:
    rows = [Row(f"anne@{AIX}", LIST, "subscriber")]
    # the directory keeps addresses unique: somebody must have switched that off
    people = [holder("x", f"anne@{AIX}"), holder("y", f"anne@{AIX}")]
    parts = Parts(rows, people)
    for uid in ("x", "y", "x"):
        parts.worker.look(uid)
    assert parts.tables.there == set(rows)
    assert parts.sympa.asked == []
    assert [(fields(one)[0], fields(one)[6]) for one in parts.ledger.done] == [
        ("x", "ambiguous"),
        ("y", "ambiguous"),
    ]
    assert parts.ledger.done[0].detail == f"anne@{AIX} could be x or y"


@pytest.mark.parametrize("other", ["active", "waiting", "closed"])
def test_somebody_elses_address_is_not_touched(other: str) -> None:
    rows = [Row(f"anne@{MRS}", LIST, "subscriber"), Row(f"anne@{AIX}", LIST, "subscriber")]
    second = holder("y", f"anne@{MRS}", active=other != "waiting", receives=other == "active")
    parts = Parts(rows, [holder("x", f"anne@{AIX}"), second])
    parts.worker.look("x")
    assert parts.tables.there == {
        Row(f"anne@{MRS}", LIST, "subscriber"),
        Row(f"x@{NEW}", LIST, "subscriber"),
    }


@pytest.mark.parametrize("gone", [True, False])
def test_who_does_not_follow_any_more_is_left_alone(gone: bool) -> None:
    rows = [Row(f"anne@{AIX}", LIST, "subscriber")]
    parts = Parts(rows, [] if gone else [holder("anne", f"anne@{AIX}", receives=False)])
    assert parts.worker.look("anne").done == ()
    assert parts.tables.there == set(rows)


def test_exclusion_follows_without_a_row() -> None:
    parts = Parts([Row(f"anne@{AIX}", LIST, EXCLUDED)], [holder("anne", f"anne@{AIX}")])
    assert parts.worker.look("anne").excluded == 1
    assert parts.tables.there == {Row(f"anne@{NEW}", LIST, EXCLUDED)}
    assert parts.ledger.done == []


@pytest.mark.parametrize(
    "error", [DirectoryUnavailable("x"), DatabaseUnavailable("x"), SympaUnavailable("x")]
)
def test_what_is_away_is_waited_for(error: Exception) -> None:
    parts = Parts([Row(f"anne@{AIX}", LIST, "subscriber")], [holder("anne", f"anne@{AIX}")])
    parts.ledger.want(["anne"])

    def fail(*_: object) -> None:
        raise error

    parts.sympa.trouble = fail
    parts.worker.attend(parts.ledger.wanted["anne"])
    assert parts.ledger.waits["anne"] <= 1
    assert parts.ledger.done == []


def test_a_fault_with_one_person_keeps_nobody_waiting() -> None:
    parts = Parts([Row(f"anne@{AIX}", LIST, "subscriber")], [holder("anne", f"anne@{AIX}")])
    parts.ledger.want(["anne"])

    def fail() -> None:
        raise RuntimeError("ours")

    parts.sympa.trouble = fail
    parts.worker.attend(parts.ledger.wanted["anne"])
    assert parts.ledger.waits["anne"] >= 3600


def test_asked_for_meanwhile_is_looked_at_again() -> None:
    parts = Parts([], [holder("anne")])
    parts.ledger.want(["anne"])
    wanted = parts.ledger.wanted["anne"]
    parts.ledger.want(["anne"])
    parts.worker.attend(wanted)
    assert "anne" in parts.ledger.wanted
    parts.worker.attend(parts.ledger.wanted["anne"])
    assert parts.ledger.wanted == {}


def test_stopped_in_the_middle_stays_wanted() -> None:
    parts = Parts(
        [Row(f"anne@{AIX}", LIST, "subscriber"), Row(f"anne@{MRS}", OTHER, "subscriber")],
        [holder("anne", f"anne@{AIX}")],
    )
    parts.ledger.want(["anne"])
    parts.sympa.trouble = parts.worker.stop
    parts.worker.attend(parts.ledger.wanted["anne"])
    assert len(parts.sympa.asked) == 1
    assert "anne" in parts.ledger.wanted


def entry(uid: str, *others: str, state: str = "A:SupannActif") -> Entry:
    return Entry.from_ldap(
        f"uid={uid},ou=people,dc=x",
        {
            "uid": [uid.encode()],
            "mail": [f"{uid}@{NEW}".encode()],
            "supannAutreMail": [one.encode() for one in others],
            "supannRessourceEtat": [b"{COMPTE}" + state.encode()],
        },
    )


def test_told_changes_want_those_of_whom_something_differs() -> None:
    parts = Parts(
        [
            Row(f"anne@{AIX}", LIST, "subscriber"),
            Row(f"Bea@{NEW}", LIST, "owner"),
            Row(f"chloe@{NEW}", LIST, "owner"),
            Row(f"dora@{AIX}", LIST, "owner"),
        ],
        [],
    )
    parts.worker.changed(
        [
            entry("anne", f"Anne@{MRS.upper()}"),
            entry("bea"),
            entry("chloe", f"chloe@{AIX}"),
            entry("dora", f"dora@{AIX}", state="I:SupannExpire"),
        ],
        "cookie",
    )
    assert set(parts.ledger.wanted) == {"anne", "bea"}
    assert parts.ledger.stored == "cookie"


def test_no_cookie_is_stored_that_was_not_looked_into() -> None:
    parts = Parts([], [])

    def away(*_: object) -> list[Row]:
        raise DatabaseUnavailable("x")

    parts.tables.rows = away  # type: ignore[method-assign]
    with pytest.raises(DatabaseUnavailable):
        parts.worker.changed([entry("anne")], "cookie")
    assert parts.ledger.stored is None


SPELLINGS: tuple[Callable[[str], str], ...] = (str, str.title, str.upper)
ROWS = st.builds(
    lambda local, domain, spell, name, role, included: Row(
        spell(f"{local}@{domain}"),
        name,
        role,
        included and role in ("subscriber", "owner"),
    ),
    st.sampled_from(["anne", "bea"]),
    st.sampled_from([AIX, MRS, NEW]),
    st.sampled_from(SPELLINGS),
    st.sampled_from([LIST, OTHER]),
    st.sampled_from(["subscriber", "owner", "editor", EXCLUDED]),
    st.booleans(),
)


def keyed(rows: list[Row]) -> set[Row]:
    """As tables have them: one row of an address, list and role."""
    return set({(row.address, row.list, row.role): row for row in rows}.values())


@settings(max_examples=300)
@given(st.lists(ROWS, max_size=12).map(keyed), st.lists(st.integers(0, 6), max_size=8))
def test_cut_off_anywhere_nothing_is_lost_doubled_or_noted_twice(
    rows: set[Row], cuts: list[int]
) -> None:
    """The worker is killed at any points; then it goes on: the end is always the same."""
    people = [holder("anne", f"anne@{AIX}"), holder("bea", f"bea@{MRS}")]
    parts = Parts(rows, people)
    expected = parts.expected()
    left = list(cuts)

    def trouble() -> None:
        if left:
            left[0] -= 1
            if left[0] < 0:
                left.pop(0)
                raise SympaUnavailable("killed")

    parts.sympa.trouble = trouble
    for one in people:
        for _ in range(len(cuts) + 1):
            try:
                parts.worker.look(one.uid)
                break
            except SympaUnavailable:
                continue
    assert parts.tables.there == expected
    noted = Counter(
        (one.login, one.old_address, one.list, one.role)
        for one in parts.ledger.done
        if one.outcome != "failed"
    )
    moved = {
        (one.uid, row.address, row.list, row.role)
        for one in people
        for row in rows
        if row.address.lower() in {f"{one.uid}@{domain}" for domain in (AIX, MRS, NEW)}
        and row.address != one.mail
        and row.role != EXCLUDED
        and not row.included
    }
    assert set(noted) == moved
    assert set(noted.values()) <= {1}
    assert parts.ledger.intended == {}
    for one in people:
        assert not [d for d in parts.worker.look(one.uid).done if d.outcome != "failed"]


def test_preferences_are_asked_for_when_an_attempt_was_cut_off_after_its_lists() -> None:
    old, new = f"anne@{AIX}", f"anne@{NEW}"
    parts = Parts([Row(new, LIST, "subscriber")], [holder("anne", old)])
    parts.ledger.intend([Intent("anne", old, new, LIST, "subscriber", merged=False)])
    parts.worker.look("anne")
    assert parts.sympa.asked == [(old, new)]
    assert outcomes(parts) == [(old, new, LIST, "subscriber", "moved", "")]
    assert parts.ledger.intended == {}


def test_an_attempt_that_was_cut_off_is_not_made_again_for_an_address_of_somebody_else() -> None:
    old = f"anne@{AIX}"
    people = [holder("anne", f"anne2@{AIX}"), holder("zoe", old)]
    parts = Parts([], people)
    parts.ledger.intend([Intent("anne", old, f"anne@{NEW}", LIST, "subscriber", merged=False)])
    parts.worker.look("anne")
    assert parts.sympa.asked == []
    assert parts.ledger.intended == {}


def test_everything_is_compared_again_and_again() -> None:
    parts = Parts([], [])
    parts.worker.settings.reconcile_seconds = 0.001
    compared = 0

    def reconcile() -> None:
        nonlocal compared
        compared += 1
        if compared == 2:
            raise DirectoryUnavailable("away")
        if compared == 4:
            parts.worker._ended.set()

    parts.worker.reconcile = reconcile
    parts.worker._for_ever(parts.worker._compare)
    assert compared == 4
