"""Structures of Harpège (STRUCTURE) as entries of ou=structures, with their tree.

An entry that somebody else made under the same code is taken over. Nothing is removed: a
structure that was closed stays, for the people who were in it; one that was closed
before the feed knew it is not made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from ent.directory import Change, Entry
from ent.harpege.messages import Text, mark, tell
from ent.harpege.names import BadText, clean
from ent.harpege.records import Structure
from ent.harpege.rules import Reject

#: What the feed writes of a structure.
ATTRIBUTES = ("supannCodeEntite", "ou", "supannCodeEntiteParent")
OBJECT_CLASSES = ("organizationalUnit", "supannEntite")
_NAME_LENGTH = 200
# supannCodeEntite is ASCII; without the signs that mean something in a DN or a filter.
_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/-]{0,62}[A-Za-z0-9._/-])?")


class Unit(NamedTuple):
    """A structure as the directory should show it. parent: "" at the top."""

    code: str
    name: str
    parent: str
    closed: bool = False

    def dn(self, suffix: str) -> str:
        """Its name in the directory."""
        return f"supannCodeEntite={self.code},ou=structures,{suffix}"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """The whole entry."""
        return {
            "objectClass": OBJECT_CLASSES,
            "supannCodeEntite": (self.code,),
            "ou": (self.name,),
            "supannCodeEntiteParent": (self.parent,) if self.parent else (),
        }


def judge_structures(rows: Mapping[str, Structure], today: date) -> tuple[list[Unit], list[Reject]]:
    """The structures, parents before their children, and what is wrong with the others.

    A row that is rejected rejects no other, its children and its people go through; but for a
    code that the directory cannot hold (`usable`): nothing can name it.
    """
    units: dict[str, Unit] = {}
    rejects: list[Reject] = []
    seen: dict[str, str] = {}
    cyclic = _cyclic(rows)
    for code, row in rows.items():
        found = _unit(row, rows, cyclic, today)
        if isinstance(found, Unit) and code.lower() in seen:
            found = _reject(row, "C_STRUCTURE", code, tell(_TWICE, other=seen[code.lower()]))
        if isinstance(found, Reject):
            rejects.append(found)
        else:
            seen[code.lower()] = code
            units[code] = found
    return _parents_first(units), rejects


def usable(rows: Mapping[str, Structure]) -> dict[str, Structure]:
    """Those whose code an entry of the directory can name."""
    return {code: row for code, row in rows.items() if _CODE.fullmatch(code)}


def needed(units: Iterable[Unit], known: Iterable[str]) -> list[Unit]:
    """Those to write: open ones and what is above them, and whatever the directory has."""
    units = list(units)
    wanted = {code.lower() for code in known}
    wanted |= {one.code.lower() for one in units if not one.closed}
    for one in reversed(units):
        if one.code.lower() in wanted and one.parent:
            wanted.add(one.parent.lower())
    return [one for one in units if one.code.lower() in wanted]


def difference(entry: Entry, unit: Unit) -> list[Change]:
    """What makes the entry say what Harpège says."""
    changes: list[Change] = []
    for attribute in ("ou", "supannCodeEntiteParent"):
        old, new = set(entry.texts(attribute)), set(unit.attributes()[attribute])
        if old - new:
            changes.append(Change.delete(attribute, *sorted(old - new)))
        if new - old:
            changes.append(Change.add(attribute, *sorted(new - old)))
    return changes


def _unit(
    row: Structure, rows: Mapping[str, Structure], cyclic: frozenset[str], today: date
) -> Unit | Reject:
    code, parent = row.c_structure, row.c_structure_pere or ""
    if not _CODE.fullmatch(code):
        return _reject(row, "C_STRUCTURE", code, tell(_BAD_CODE))
    long = row.ll_structure or row.lc_structure
    column = "LL_STRUCTURE" if row.ll_structure else "LC_STRUCTURE"
    if not long:
        return _reject(row, "LL_STRUCTURE", "", tell(_NO_LABEL))
    try:
        name = clean(long, _NAME_LENGTH)
    except BadText as error:
        return _reject(row, column, long, error.reason)
    if parent == code:
        parent = ""  # Harpège's way to say that it is the root
    if parent and (parent not in rows or not _CODE.fullmatch(parent)):
        return _reject(row, "C_STRUCTURE_PERE", parent, tell(_NO_PARENT))
    if code in cyclic:
        return _reject(row, "C_STRUCTURE_PERE", parent, tell(_CYCLE))
    closed = row.date_fermeture is not None and row.date_fermeture < today
    return Unit(code, name, parent, closed)


def _cyclic(rows: Mapping[str, Structure]) -> frozenset[str]:
    """Codes of structures that are, through their parents, above themselves."""
    state: dict[str, int] = {}
    cyclic: set[str] = set()
    for start in rows:
        path: list[str] = []
        code: str | None = start
        while code is not None and code in rows and code not in state:
            state[code] = 0
            path.append(code)
            parent = rows[code].c_structure_pere
            code = None if parent == code else parent
        if code is not None and state.get(code) == 0 and code in path:
            cyclic.update(path[path.index(code) :])
        state.update(dict.fromkeys(path, 1))
    return frozenset(cyclic)


def _parents_first(units: Mapping[str, Unit]) -> list[Unit]:
    ordered: dict[str, Unit] = {}
    for start in units:
        path: list[str] = []
        code = start
        while code in units and code not in ordered:
            path.append(code)
            code = units[code].parent
        ordered.update((one, units[one]) for one in reversed(path))
    return list(ordered.values())


def _reject(row: Structure, column: str, value: str, reason: Text) -> Reject:
    code = row.c_structure
    shown = value if len(value) <= 80 else f"{value[:79]}…"
    return Reject(code, "STRUCTURE", f"C_STRUCTURE={code}", column, shown, reason)


_BAD_CODE = mark(
    "code à plus de 64 caractères ou avec d’autres signes que lettres, chiffres, . _ / -"
)
_NO_LABEL = mark("structure sans libellé")
_NO_PARENT = mark("structure mère inconnue")
_CYCLE = mark("est, de mère en mère, sa propre mère")
_TWICE = mark("même code que {other} pour l’annuaire, qui ne distingue pas les majuscules")
