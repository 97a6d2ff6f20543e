"""Whose an address is: who has or had it, in any case, or the same name in a legacy domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.directory import Entry
from ent.listmove.addresses import (
    Ambiguous,
    Held,
    Holder,
    SamePeople,
    canonic,
    compare,
    owned,
    owner,
)
from listmove_parts import AIX, MRS, NEW, SAME, holder

LOCALS = ("anne", "bea")
DOMAINS = (AIX, MRS, NEW, "ailleurs.example")
ADDRESSES = st.sampled_from([f"{one}@{domain}" for one in LOCALS for domain in DOMAINS])


@st.composite
def people(draw: st.DrawFn) -> list[Holder]:
    """Up to four people, whose addresses may clash in every way."""
    found = []
    for uid in ("a", "b", "c", "d")[: draw(st.integers(0, 4))]:
        addresses = draw(st.frozensets(ADDRESSES, max_size=3))
        mail = draw(st.sampled_from(["", *sorted(addresses)])) if addresses else ""
        follows = bool(mail) and draw(st.booleans())
        found.append(Holder(uid, mail, addresses, follows))
    return found


def spelled(address: str, odd: bool) -> str:
    return address.title() if odd else address


@given(people(), st.dictionaries(ADDRESSES, st.sets(st.booleans(), min_size=1)), st.randoms())
def test_comparison_of_all_is_that_of_each_whatever_the_order(everybody, there, random) -> None:
    """The comparison that keeps next to nothing says what asking for each address says."""
    held = Held()
    for address, spellings in there.items():
        for odd in spellings:
            held.add(spelled(address, odd))
    expected, unclear = {}, {}
    for address, spellings in there.items():
        whose = owner(address, everybody, SAME)
        if isinstance(whose, Ambiguous):
            if any(one.follows for one in everybody if one.uid in whose.uids):
                unclear[address] = whose.uids
        elif whose and whose.follows and (whose.mail != address or True in spellings):
            expected[address] = (whose.uid, whose.mail)
    # two people with the same mail: the directory excludes it (unique), and nothing is moved
    random.shuffle(everybody)
    plan = compare(held, everybody, SAME)
    shared = {
        m for m in (one.mail for one in everybody) if [x.mail for x in everybody].count(m) > 1
    }
    drop = {address for address in there if address in shared}
    assert {k: v for k, v in plan.moves.items() if k not in drop} == {
        k: v for k, v in expected.items() if k not in drop
    }
    assert {one.address: one.uids for one in plan.ambiguous if one.address not in drop} == {
        k: v for k, v in unclear.items() if k not in drop
    }
    assert plan.people == len(everybody)


@given(people(), st.sets(ADDRESSES))
def test_one_person_gets_what_the_comparison_of_all_gives_them(everybody, there) -> None:
    for one in everybody:
        theirs, unclear = owned(there, one, [x for x in everybody if x is not one], SAME)
        assert theirs == {a for a in there if owner(a, everybody, SAME) is one}
        assert all(one.uid in case.uids for case in unclear)


@given(people(), ADDRESSES)
def test_an_address_is_never_of_somebody_who_never_had_it(everybody, address) -> None:
    whose = owner(address, everybody, SAME)
    explicit = [one for one in everybody if address in one.addresses]
    if isinstance(whose, Holder):
        assert whose in explicit or (not explicit and set(SAME.twins(address)) & whose.addresses)
    elif explicit:
        assert isinstance(whose, Ambiguous)


@pytest.mark.parametrize("odd", [f"Anne@{AIX}", f" anne@{AIX}", f"ANNE@{AIX.upper()}"])
def test_case_and_spaces(odd: str) -> None:
    held = Held()
    held.add(odd)
    plan = compare(held, [holder("anne", f"anne@{AIX}")], SAME)
    assert plan.moves == {f"anne@{AIX}": ("anne", f"anne@{NEW}")}


def test_only_ascii_changes_case() -> None:
    """As Sympa's own comparison does."""
    assert canonic("É.Zola@UP.univ-aix.fr") == "É.zola@up.univ-aix.fr"


def test_own_address_in_capitals_is_respelled() -> None:
    held = Held()
    held.add(f"Anne@{NEW}")
    plan = compare(held, [holder("anne")], SAME)
    assert plan.moves == {f"anne@{NEW}": ("anne", f"anne@{NEW}")}


def test_twin_in_the_other_legacy_domain() -> None:
    assert owner(f"anne@{MRS}", [holder("x", f"anne@{AIX}")], SAME).uid == "x"  # type: ignore[union-attr]


def test_no_twin_in_the_new_domain() -> None:
    """There names were given anew: the same local part may be somebody else."""
    assert owner(f"anne@{NEW}", [holder("x", f"anne@{AIX}")], SAME) is None


@pytest.mark.parametrize("state", ["active", "closed", "waiting"])
def test_twin_that_the_directory_gives_to_somebody_else(state: str) -> None:
    one = holder("x", f"anne@{AIX}")
    other = holder("y", f"anne@{MRS}", active=state != "waiting", receives=state == "active")
    assert owner(f"anne@{MRS}", [one, other], SAME) is other
    held = Held({f"anne@{MRS}"})
    moves = compare(held, [one, other], SAME).moves
    assert moves == ({f"anne@{MRS}": ("y", f"y@{NEW}")} if state == "active" else {})


def test_two_who_could_be_meant() -> None:
    three = SamePeople(("a.example", "b.example", "c.example"))
    both = [holder("x", "anne@a.example"), holder("y", "anne@b.example", active=False)]
    assert owner("anne@c.example", both, three) == Ambiguous("anne@c.example", ("x", "y"))
    plan = compare(Held({"anne@c.example"}), both, three)
    assert plan.moves == {}
    assert [str(one) for one in plan.ambiguous] == ["anne@c.example could be x or y"]
    assert plan.logins == ["x", "y"]


@pytest.mark.parametrize(
    ("state", "mail", "follows"),
    [
        ("A:SupannActif", "Anne@Univ-Provence.fr", True),
        ("A:SupannSursis", "anne@univ-provence.fr", True),
        ("S:SupannVerrouAdministratif", "anne@univ-provence.fr", True),
        ("S:SupannVerrouTechnique", "anne@univ-provence.fr", True),
        ("I:SupannPrecree", "", False),
        ("A:SupannActif", "", False),
        ("I:SupannExpire", "anne@univ-provence.fr", False),
        ("X:Inconnu", "anne@univ-provence.fr", False),
    ],
)
def test_who_follows(state: str, mail: str, follows: bool) -> None:
    entry = Entry.from_ldap(
        "uid=anne,ou=people,dc=x",
        {
            "uid": [b"anne"],
            "mail": [mail.encode()] if mail else [],
            "supannAutreMail": [b"Anne@UP.univ-aix.fr"],
            "supannRessourceEtat": [b"{COMPTE}" + state.encode()],
        },
    )
    one = Holder.from_entry(entry)
    assert one.follows is follows
    assert one.addresses == {f"anne@{AIX}"} | ({f"anne@{NEW}"} if mail else set())
