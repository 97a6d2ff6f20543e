"""What the feed reads from Harpège: one record type per table, one `Dossier` per person.

Tables and columns bear Harpège's names in lower case, and only those that a rule
uses are here. Records are named tuples rather than frozen dataclasses: a run makes
six hundred thousand of them for a hundred thousand people, and a frozen dataclass
costs four times as much to make.

How values arrive, whichever database they come from (`ent.harpege.source`):

- dates as `date`, without time of day; null, and PostgreSQL's infinity, as None;
- numbers as `int`;
- texts without spaces around them (Oracle pads CHAR columns); an empty text is None,
  as in Oracle. Nothing else is done to a text: control characters, length and
  spelling are matters of the rules.

A value that is none of what its column promises (a date of the year 12026, letters
in a number) is None in its record and stands as an `Untyped` in the dossier, for
the rules to reject that person and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple


class Individu(NamedTuple):
    """INDIVIDU: a person. `no_individu` is the Harpège code of the guide (supannEmpId)."""

    no_individu: int
    c_civilite: str | None = None  # M., MME, MLLE
    nom_usuel: str | None = None
    nom_patronymique: str | None = None  # birth name; often null where it equals the usual name
    prenom: str | None = None
    d_naissance: date | None = None
    d_deces: date | None = None


class Personnel(NamedTuple):
    """PERSONNEL: the person is, or was, staff. `no_dossier_pers` equals `no_individu`."""

    no_dossier_pers: int


class Affectation(NamedTuple):
    """AFFECTATION: where somebody works, from when to when (both days included)."""

    no_seq_affectation: int
    no_dossier_pers: int
    no_occupation: int | None = None
    c_structure: str | None = None
    d_deb_affectation: date | None = None
    d_fin_affectation: date | None = None  # None: open
    num_quot_affectation: int | None = None  # share of the working time: num / den
    den_quot_affectation: int | None = None


class Occupation(NamedTuple):
    """OCCUPATION: by which career or contract somebody holds a post."""

    no_dossier_pers: int
    no_occupation: int
    no_seq_carriere: int | None = None
    no_contrat_travail: int | None = None
    d_deb_occupation: date | None = None
    d_fin_occupation: date | None = None


class Carriere(NamedTuple):
    """CARRIERE: time as a civil servant, in a population (`TypePopulation`)."""

    no_dossier_pers: int
    no_seq_carriere: int
    c_type_population: str | None = None
    d_deb_carriere: date | None = None
    d_fin_carriere: date | None = None


class ElementCarriere(NamedTuple):
    """ELEMENT_CARRIERE: a step of a career: the corps from one day on."""

    no_dossier_pers: int
    no_seq_carriere: int
    c_corps: str | None = None
    d_effet_element: date | None = None
    d_fin_element: date | None = None
    d_annulation: date | None = None  # the row was cancelled
    tem_provisoire: str | None = None  # N: firm


class ContratTravail(NamedTuple):
    """CONTRAT_TRAVAIL: a contract of somebody who is no civil servant."""

    no_dossier_pers: int
    no_contrat_travail: int
    c_type_contrat_trav: str | None = None
    d_deb_contrat_trav: date | None = None
    d_fin_contrat_trav: date | None = None


class Structure(NamedTuple):
    """STRUCTURE: a faculty, laboratory, department. The root is its own parent, or has none."""

    c_structure: str
    lc_structure: str | None = None  # short name
    ll_structure: str | None = None  # long name
    c_structure_pere: str | None = None
    date_ouverture: date | None = None
    date_fermeture: date | None = None


class Corps(NamedTuple):
    """CORPS: a corps of civil servants, such as maîtres de conférences."""

    c_corps: str
    lc_corps: str | None = None
    ll_corps: str | None = None


class TypePopulation(NamedTuple):
    """TYPE_POPULATION: a kind of career. `tem_enseignant` is O for teachers, else N."""

    c_type_population: str
    tem_enseignant: str | None = None


class TypeContrat(NamedTuple):
    """TYPE_CONTRAT_TRAVAIL: a kind of contract. `tem_enseignant` is O for teachers, else N."""

    c_type_contrat_trav: str
    ll_type_contrat_trav: str | None = None
    tem_enseignant: str | None = None


class Untyped(NamedTuple):
    """A value that its column's type forbids.

    table, column: in upper case, as staff know them.
    key: the row's key as text, `NO_INDIVIDU=10001`; "" when it has none.
    value: as the database wrote it.
    expected: what belongs there: "date", "number", "key" (a number or a code that is missing),
        "once" (a code of a small table that was given before).
    """

    table: str
    key: str
    column: str
    value: str
    expected: str


class Dossier(NamedTuple):
    """All rows of one person.

    individus: one in a sound source; none when other tables have rows of somebody
        INDIVIDU does not know; several when the number was given twice.
    personnels: none for somebody who is not staff (no dossier).
    The others in the order of their keys. `untyped`: values of any of these rows
    that could not be read.
    """

    no_individu: int
    individus: tuple[Individu, ...] = ()
    personnels: tuple[Personnel, ...] = ()
    affectations: tuple[Affectation, ...] = ()
    occupations: tuple[Occupation, ...] = ()
    carrieres: tuple[Carriere, ...] = ()
    elements: tuple[ElementCarriere, ...] = ()
    contrats: tuple[ContratTravail, ...] = ()
    untyped: tuple[Untyped, ...] = ()


class Snapshot(NamedTuple):
    """Harpège at one moment: `with Source(settings).snapshot() as snapshot`.

    structures, corps, types_population, types_contrat: by code.
    dossiers: people in the order of their numbers, one at a time. It can be gone
        through more than once and gives the same people each time, since all is
        read in one transaction; while it is being gone through, not a second time.
        Raises SourceError when the database goes away in the middle.
    counts: rows of each table, by its name in upper case.
    untyped: unreadable values of the small tables, and rows of people's tables
        without a number (these are known once `dossiers` has been gone through).
    """

    structures: Mapping[str, Structure]
    corps: Mapping[str, Corps]
    types_population: Mapping[str, TypePopulation]
    types_contrat: Mapping[str, TypeContrat]
    dossiers: Iterable[Dossier]
    counts: Mapping[str, int]
    untyped: list[Untyped]
