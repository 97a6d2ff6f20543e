"""Structures of Harpège: the tree, and rows that cannot be part of one."""

from __future__ import annotations

from ent.directory import Entry
from ent.harpege.records import Structure
from ent.harpege.structures import Unit, difference, judge_structures, needed
from harpege_store import STRUCTURES, TODAY, days


def rows(*structures: Structure) -> dict[str, Structure]:
    return STRUCTURES | {one.c_structure: one for one in structures}


def test_parents_come_before_their_children() -> None:
    units, rejects = judge_structures(dict(reversed(STRUCTURES.items())), TODAY)
    assert rejects == []
    order = [one.code for one in units]
    assert set(order) == set(STRUCTURES)
    for unit in units:
        assert not unit.parent or order.index(unit.parent) < order.index(unit.code)
    assert units[0] == Unit("UP", "Université de Provence", "")


def test_bad_rows_are_rejected_alone() -> None:
    units, rejects = judge_structures(
        rows(
            Structure("ORPHAN", "O", "Orpheline", "NOWHERE"),
            Structure("A", "A", "A", "B"),
            Structure("B", "B", "B", "C"),
            Structure("C", "C", "C", "A"),
            Structure("CHILD", "E", "Enfant de A", "A"),
            Structure("NAMELESS", None, None, "UP"),
            Structure("TAB", "T", "Ta\tb", "UP"),
            Structure("x,ou=evil", "X", "X", "UP"),
            Structure("dsi", "d", "Encore", "UP"),
            Structure("É", "É", "É", "UP"),
            Structure("SUB", "S", "Dans É", "É"),
        ),
        TODAY,
    )
    assert {one.code for one in units} == {*STRUCTURES, "CHILD"}
    assert {(one.code, one.column, one.value) for one in rejects} == {
        ("ORPHAN", "C_STRUCTURE_PERE", "NOWHERE"),
        ("A", "C_STRUCTURE_PERE", "B"),
        ("B", "C_STRUCTURE_PERE", "C"),
        ("C", "C_STRUCTURE_PERE", "A"),
        ("NAMELESS", "LL_STRUCTURE", ""),
        ("TAB", "LL_STRUCTURE", "Ta\tb"),
        ("x,ou=evil", "C_STRUCTURE", "x,ou=evil"),
        ("dsi", "C_STRUCTURE", "dsi"),
        ("É", "C_STRUCTURE", "É"),
        ("SUB", "C_STRUCTURE_PERE", "É"),
    }
    assert {one.table for one in rejects} == {"STRUCTURE"}


def test_closed_structures_are_not_made_but_stay() -> None:
    closed = Structure("OLD", "OLD", "Ancien institut", "UP", None, days(-1))
    above = Structure("ABOVE", "ABOVE", "Fermé, mais au-dessus", "UP", None, days(-1))
    below = Structure("BELOW", "BELOW", "Ouvert", "ABOVE", None, days(0))
    units, _ = judge_structures(rows(closed, above, below), TODAY)
    assert {one.code for one in needed(units, [])} == {*STRUCTURES, "ABOVE", "BELOW"}
    assert "OLD" in {one.code for one in needed(units, ["old"])}


def test_the_difference_takes_over_what_others_made() -> None:
    unit = Unit("DSI", "Direction des systèmes d’information", "UP")
    same = Entry("x", {"ou": ("Direction des systèmes d’information".encode(),), **parents("UP")})
    assert difference(same, unit) == []
    other = Entry("x", {"ou": (b"CRI",), **parents("OLD"), "description": (b"kept",)})
    assert [(one.operation.name, one.attribute, one.values) for one in difference(other, unit)] == [
        ("DELETE", "ou", ("CRI",)),
        ("ADD", "ou", ("Direction des systèmes d’information",)),
        ("DELETE", "supannCodeEntiteParent", ("OLD",)),
        ("ADD", "supannCodeEntiteParent", ("UP",)),
    ]


def parents(*codes: str) -> dict[str, tuple[bytes, ...]]:
    return {"supanncodeentiteparent": tuple(one.encode() for one in codes)}
