"""A small Harpège and a small directory in memory, for the unit tests of the feed.

The directory is a store with the rules that the feed relies on (unique values, values to be
removed must be there, all of a change or nothing), not a list of expected calls. The real
slapd and PostgreSQL are in tests/integration.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from ent.directory import (
    AlreadyExists,
    Change,
    Conflict,
    Entry,
    Filter,
    NoSuchEntry,
    NotAllowed,
    Scope,
    StaleEntry,
)
from ent.harpege import people
from ent.harpege.config import FeedConfig, Ldap, Policy
from ent.harpege.records import (
    Affectation,
    Carriere,
    ContratTravail,
    Corps,
    Dossier,
    ElementCarriere,
    Individu,
    Occupation,
    Personnel,
    Snapshot,
    Structure,
    TypeContrat,
    TypePopulation,
    Untyped,
)
from ent.harpege.rules import Reference
from ent.harpege.source import SourceSettings

SUFFIX = "dc=univ-provence,dc=fr"
DOMAIN = "univ-provence.fr"
TODAY = date(2026, 11, 23)


def days(number: int) -> date:
    """The day so many days from today."""
    return TODAY + timedelta(number)


STRUCTURES = {
    code: Structure(code, code, name, parent)
    for code, name, parent in (
        ("UP", "Université de Provence", "UP"),
        ("DSI", "Direction des systèmes d’information", "UP"),
        ("DRH", "Direction des ressources humaines", "UP"),
        ("DSI-RESEAU", "Pôle réseau", "DSI"),
        ("UFR", "UFR Lettres", "UP"),
        ("LAB", "Laboratoire", "UP"),
    )
}
CORPS = {
    "841": Corps("841", "IGE", "Ingénieur d’études"),
    "301": Corps("301", "MCF", "Maître de conférences"),
    "440": Corps("440", "CR", "CHARGE DE RECHERCHE"),
}
POPULATIONS = {
    "IA": TypePopulation("IA", "N"),
    "SA": TypePopulation("SA", "O"),
    "CH": TypePopulation("CH", "N"),
}
CONTRACTS = {
    "CO": TypeContrat("CO", "Agent contractuel", "N"),
    "AT": TypeContrat("AT", "ATER", "O"),
    "CR": TypeContrat("CR", "Chercheur contractuel", "N"),
    "VN": TypeContrat("VN", "Vacataire", "O"),
}
POLICY = Policy(researcher_populations=("CH",), researcher_contract_types=("CR",))


def reference(policy: Policy = POLICY, today: date = TODAY) -> Reference:
    """What is the same for everybody in these tests."""
    return Reference(today, policy, STRUCTURES, CORPS, POPULATIONS, CONTRACTS)


def config(**changes: Any) -> FeedConfig:
    """Settings for these tests."""
    given = {
        "domain": DOMAIN,
        "source": SourceSettings("postgresql+psycopg://feed@localhost/harpege", "x"),
        "ldap": Ldap("ldaps://localhost", SUFFIX, "cn=feed", "x", connections=2),
        "legacy_domains": ("up.univ-aix.fr", "up.univ-mrs.fr"),
        "policy": POLICY,
    }
    return FeedConfig(**(given | changes))


def individu(number: int, **changes: Any) -> Individu:
    """A row of INDIVIDU with nothing wrong."""
    row = Individu(number, "MME", "Martin", None, "Jeanne", date(1975, 3, 14))
    return row._replace(**changes)


def career(
    number: int = 10001,
    structure: str = "DSI",
    start: date = date(2010, 9, 1),
    end: date | None = None,
    *,
    population: str = "IA",
    corps: str = "841",
    quota: int = 100,
    **person: Any,
) -> Dossier:
    """Somebody with one career."""
    return Dossier(
        number,
        (individu(number, **person),),
        (Personnel(number),),
        (Affectation(number * 10, number, 1, structure, start, end, quota, 100),),
        (Occupation(number, 1, 1, None, start, end),),
        (Carriere(number, 1, population, start, end),),
        (ElementCarriere(number, 1, corps, start, end, None, "N"),),
    )


def with_contract(
    dossier: Dossier,
    kind: str = "CO",
    structure: str = "DRH",
    start: date = date(2020, 9, 1),
    end: date | None = None,
    quota: int = 100,
) -> Dossier:
    """The same with one more post, by contract."""
    number, post = dossier.no_individu, len(dossier.occupations) + 1
    return dossier._replace(
        affectations=(
            *dossier.affectations,
            Affectation(number * 10 + post, number, post, structure, start, end, quota, 100),
        ),
        occupations=(*dossier.occupations, Occupation(number, post, None, post, start, end)),
        contrats=(*dossier.contrats, ContratTravail(number, post, kind, start, end)),
    )


def contract(
    number: int = 10001,
    kind: str = "CO",
    structure: str = "DRH",
    start: date = date(2020, 9, 1),
    end: date | None = None,
    **person: Any,
) -> Dossier:
    """Somebody with one contract."""
    nobody = Dossier(number, (individu(number, **person),), (Personnel(number),))
    return with_contract(nobody, kind, structure, start, end)


def snapshot(
    *dossiers: Dossier,
    structures: dict[str, Structure] | None = None,
    untyped: Sequence[Untyped] = (),
    **counts: int,
) -> Snapshot:
    """Harpège with these people, in the order of their numbers."""
    rows = {
        "INDIVIDU": sum(len(one.individus) for one in dossiers),
        "PERSONNEL": len(dossiers),
        "AFFECTATION": len(dossiers),
        "OCCUPATION": len(dossiers),
        "CARRIERE": len(dossiers),
        "ELEMENT_CARRIERE": len(dossiers),
        "CONTRAT_TRAVAIL": len(dossiers),
        "STRUCTURE": len(STRUCTURES),
        "CORPS": len(CORPS),
        "TYPE_POPULATION": len(POPULATIONS),
        "TYPE_CONTRAT_TRAVAIL": len(CONTRACTS),
    }
    return Snapshot(
        STRUCTURES if structures is None else structures,
        CORPS,
        POPULATIONS,
        CONTRACTS,
        sorted(dossiers, key=lambda one: one.no_individu),
        rows | counts,
        list(untyped),
    )


class Store:
    """ou=people and ou=structures, as the identity `feed` sees them."""

    UNIQUE = ("uid", "supannempid", "edupersonprincipalname", "supannautremail")
    #: What the access rules let the feed write on an entry that is there.
    WRITABLE = frozenset(one.lower() for one in (*people.OWNED, "supannAutreMail", "ou")) | {
        "supanncodeentiteparent"
    }

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, list[str]]] = {}
        self.lock = threading.RLock()
        self.writes: list[tuple[str, str]] = []
        #: Called with ("add" or "modify", dn) before, and after, each write; may raise.
        self.before: Callable[[str, str], None] = lambda kind, dn: None
        self.after: Callable[[str, str], None] = lambda kind, dn: None

    # as `ent.directory.Directory`

    def add(self, dn: str, attributes: dict[str, Sequence[str]]) -> None:
        with self.lock:
            self._add(dn, attributes)

    def modify(self, dn: str, changes: Sequence[Change]) -> None:
        with self.lock:
            self._modify(dn, changes)

    def _add(self, dn: str, attributes: dict[str, Sequence[str]]) -> None:
        self.before("add", dn)
        if dn.lower() in self.entries:
            raise AlreadyExists(dn)
        new = {name.lower(): list(values) for name, values in attributes.items() if values}
        self._check(dn.lower(), new)
        self.entries[dn.lower()] = new
        self.writes.append(("add", dn))
        self.after("add", dn)

    def _modify(self, dn: str, changes: Sequence[Change]) -> None:
        self.before("modify", dn)
        if dn.lower() not in self.entries:
            raise NoSuchEntry(dn)
        new = {name: list(values) for name, values in self.entries[dn.lower()].items()}
        for change in changes:
            name = change.attribute.lower()
            if name not in self.WRITABLE:
                raise NotAllowed(f"the feed may not write {change.attribute}")
            values = new.setdefault(name, [])
            if change.operation.name == "ADD":
                if {one.lower() for one in values} & {one.lower() for one in change.values}:
                    raise StaleEntry(f"{change.attribute}: value is there")
                values.extend(change.values)
            elif change.operation.name == "DELETE":
                if name == "supannautremail":
                    raise NotAllowed("addresses are never taken away")
                for one in change.values:
                    if one not in values:
                        raise StaleEntry(f"{change.attribute}: no such value")
                    values.remove(one)
            else:
                raise NotAllowed("the feed says which values it replaces")
            if not values:
                del new[name]
        self._check(dn.lower(), new)
        self.entries[dn.lower()] = new
        self.writes.append(("modify", dn))
        self.after("modify", dn)

    def search(
        self,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        scope: Scope = Scope.SUBTREE,
        *,
        limit: int = 0,
    ) -> list[Entry]:
        with self.lock:
            found = [
                _entry(dn, values, attributes)
                for dn, values in self.entries.items()
                if dn.endswith(base.lower()) and _matches(str(where), values)
            ]
        return found[:limit] if limit else found

    def paged(
        self,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        scope: Scope = Scope.SUBTREE,
        *,
        page_size: int = 500,
    ) -> Iterator[Entry]:
        yield from self.search(base, where, attributes, scope)

    def one(
        self, base: str, where: Filter, attributes: Sequence[str], scope: Scope = Scope.SUBTREE
    ) -> Entry | None:
        found = self.search(base, where, attributes, scope)
        assert len(found) < 2
        return found[0] if found else None

    def close(self) -> None:
        pass

    # for the tests

    def person(self, login: str) -> dict[str, list[str]]:
        """Values by lower-case attribute."""
        return self.entries[f"uid={login},ou=people,{SUFFIX}".lower()]

    def put(self, login: str, **attributes: str | list[str]) -> None:
        """Make an entry as somebody else would."""
        values = {
            name.lower(): [one] if isinstance(one, str) else list(one)
            for name, one in attributes.items()
        }
        self.entries[f"uid={login},ou=people,{SUFFIX}".lower()] = {"uid": [login]} | values

    def change(self, login: str, **attributes: str | list[str]) -> None:
        """Change an entry as somebody else would."""
        for name, one in attributes.items():
            self.person(login)[name.lower()] = [one] if isinstance(one, str) else list(one)

    def taken_writes(self) -> list[tuple[str, str]]:
        """The writes since the last look."""
        writes, self.writes = self.writes, []
        return writes

    def _check(self, dn: str, new: dict[str, list[str]]) -> None:
        for other, values in self.entries.items():
            for name in self.UNIQUE:
                if other != dn and {one.lower() for one in new.get(name, ())} & {
                    one.lower() for one in values.get(name, ())
                }:
                    raise Conflict(f"some attributes not unique: {name}")
        if "uid" in new and len(new.get("supannressourceetat", ())) != 1:
            raise Conflict("one state of the account")


def _entry(dn: str, values: dict[str, list[str]], attributes: Sequence[str]) -> Entry:
    wanted = {one.lower() for one in attributes}
    return Entry(
        dn,
        {
            name: tuple(one.encode() for one in texts)
            for name, texts in values.items()
            if name in wanted
        },
    )


def _matches(where: str, values: dict[str, list[str]]) -> bool:
    """Whether an entry has what a filter asks: and, or, equality, presence."""
    inner = where[1:-1]
    if inner[0] in "&|":
        parts = _parts(inner[1:])
        return (all if inner[0] == "&" else any)(_matches(one, values) for one in parts)
    name, _, value = inner.partition("=")
    have = values.get(name.lower(), [])
    if value == "*":
        return bool(have)
    wanted = re.sub(r"\\([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), value)
    return wanted.lower() in [one.lower() for one in have]


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "(" and depth == 1:
            start = index
        elif sign == ")" and depth == 0:
            parts.append(text[start : index + 1])
    return parts
