"""From a person's rows in Harpège to the person the directory should show. Pure functions.

`judge(dossier, ...)` is the whole of it; docs/feed-rules.md says the same for people.

- A *post* is an assignment (AFFECTATION) with the career or contract it belongs to, for the
  days on which all of these are in force. Cancelled and provisional career rows and excluded
  kinds of contract make no post.
- Posts of today, or else those that begin within the lead, make somebody present.
- A row that cannot be right rejects its person, and nobody else, and only while it matters:
  faults in posts that ended long ago are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from ent.harpege.account import Presence, Standing
from ent.harpege.config import Policy
from ent.harpege.messages import Text, mark, tell
from ent.harpege.names import BadText, clean, name
from ent.harpege.records import (
    Affectation,
    Carriere,
    ContratTravail,
    Corps,
    Dossier,
    ElementCarriere,
    Individu,
    Occupation,
    Structure,
    TypeContrat,
    TypePopulation,
    Untyped,
)

#: Years that staff can be old; outside, the birth date is a typing error.
AGES = range(14, 111)
#: Kinds of staff, in the order in which one is chosen where all else is equal.
TEACHER, RESEARCHER, STAFF = "teacher", "researcher", "staff"
#: eduPersonAffiliation of each kind (SupAnn's vocabulary; the hierarchy is eduPerson's).
AFFILIATIONS: Mapping[str, tuple[str, ...]] = {
    TEACHER: ("employee", "faculty", "member", "teacher"),
    RESEARCHER: ("employee", "faculty", "member", "researcher"),
    STAFF: ("employee", "member", "staff"),
}
_CIVILITIES = {
    "M.": ("M.", "male"),
    "M": ("M.", "male"),
    "MR": ("M.", "male"),
    "MME": ("Mme", "female"),
    "MLLE": ("Mme", "female"),
}
_LAST = date.max
# Earlier dates stand in old databases for none.
_FIRST_DEATH = date(1950, 1, 1)


class Reject(NamedTuple):
    """A value because of which a row is not taken.

    table, key, column, value: where it stands, as the staff of Harpège find it.
    code: the Harpège number, or the code of a structure.
    """

    code: str
    table: str
    key: str
    column: str
    value: str
    reason: Text

    def to_json(self) -> dict[str, Any]:
        """For run records and `plan --json`."""
        return {**self._asdict(), "reason": self.reason.to_json()}


class Person(NamedTuple):
    """Somebody as the directory should show them.

    attributes: values of the feed's attributes that follow from Harpège alone, sorted; those
        of `people.FROM_HARPEGE` that are not here have no value. Empty when only the
        standing is known: then nothing but the state of the account follows from it.
    affiliations, primary: while somebody is present or in the grace.
    given_name, surname: for the login of a new entry.
    """

    code: str
    standing: Standing
    attributes: Mapping[str, tuple[str, ...]]
    affiliations: tuple[str, ...] = ()
    primary: str = ""
    given_name: str = ""
    surname: str = ""


class Nobody(NamedTuple):
    """Not staff, or not yet; `why` in a sentence. coming: a post begins, after the lead."""

    code: str
    why: Text
    coming: bool = False


class Rejected(NamedTuple):
    """Staff with rows that cannot be right. standing: None when it depends on these rows."""

    code: str
    rejects: tuple[Reject, ...]
    standing: Standing | None


Verdict = Person | Nobody | Rejected


class Post(NamedTuple):
    """An assignment in force from `start` to `end` (None: open), both included."""

    number: int
    structure: str
    start: date
    end: date | None
    quota: float
    kind: str
    corps: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What is the same for everybody in a run: today, the policy and the small tables."""

    today: date
    policy: Policy
    structures: Mapping[str, Structure]
    corps: Mapping[str, Corps]
    populations: Mapping[str, TypePopulation]
    contract_types: Mapping[str, TypeContrat]


class _Fault(NamedTuple):
    """A reject of a post, and the days on which it matters.

    undecided: the row may stand for any days; it matters where there is no other.
    """

    reject: Reject
    first: date
    last: date
    undecided: bool = False


class _View(NamedTuple):
    """Posts as they matter today.

    shown: those that say where somebody belongs.
    ahead: those of today and of the days of the lead.
    """

    shown: Sequence[Post]
    ahead: Sequence[Post]
    standing: Standing


def judge(dossier: Dossier, reference: Reference) -> Verdict:
    """What becomes of one person's rows."""
    code = str(dossier.no_individu)
    if not dossier.personnels:
        return Nobody(code, tell("Pas de dossier de personnel (PERSONNEL)."))
    posts, faults, reasons = _posts(dossier, reference)
    today = reference.today
    horizon = today + timedelta(reference.policy.arrival_lead)
    current = [one for one in posts if one.start <= today and _reaches(one, today)]
    coming = [one for one in posts if today < one.start <= horizon]
    rejects: list[Reject] = []
    if faults:
        rejects = [one.reject for one in faults if one.first <= horizon and one.last >= today]
        if not posts and not rejects:
            rejects = [one.reject for one in faults if one.undecided]
    if dossier.untyped:
        # of somebody without a post, what is wrong with the name does not matter
        rejects += [
            _untyped(code, one)
            for one in dossier.untyped
            if posts or faults or one.table not in ("INDIVIDU", "PERSONNEL")
        ]
    shown = current or _first(coming)
    if shown or rejects:
        view = _View(shown, [*current, *coming], Standing(Presence.PRESENT))
        return _person(dossier, reference, view, rejects)
    past = [one for one in posts if one.start <= today]
    if past:
        day = max(one.end for one in past if one.end)
        view = _View([one for one in past if one.end == day], (), Standing(Presence.LEFT, day))
        return _person(dossier, reference, view, rejects)
    later = min((one.start for one in posts), default=None)
    if later is not None:
        why = tell("Arrive le {day}, plus tard que le délai d’annonce.", day=later)
    else:
        why = reasons[0] if reasons else tell("Aucune affectation.")
    return Nobody(code, why, later is not None)


def _person(
    dossier: Dossier, reference: Reference, view: _View, rejects: list[Reject]
) -> Person | Rejected:
    code, standing = str(dossier.no_individu), view.standing
    if len(dossier.individus) != 1:
        rejects.append(_not_one(dossier, code))
        return Rejected(code, tuple(rejects), None)
    individu = dossier.individus[0]
    if individu.d_deces is not None and _credible(individu, reference.today):
        standing = Standing(Presence.DEAD, individu.d_deces)
    attributes: dict[str, tuple[str, ...]] = {"supannEmpId": (code,)}
    given, surname = _identity(individu, reference.today, attributes, rejects)
    if dossier.untyped:
        rejects[:] = _once(rejects)
    if rejects:
        known = view.shown or standing.presence is Presence.DEAD
        return Rejected(code, tuple(rejects), standing if known else None)
    main = _work(view._replace(standing=standing), reference, attributes)
    return Person(code, standing, attributes, _affiliations(view.shown), main.kind, given, surname)


# Posts


def _posts(dossier: Dossier, reference: Reference) -> tuple[list[Post], list[_Fault], list[Text]]:
    """The posts of a dossier, the faults of its rows, and why other rows make no post."""
    posts: list[Post] = []
    faults: list[_Fault] = []
    reasons: list[Text] = []
    occupations = {one.no_occupation: one for one in dossier.occupations}
    for row in dossier.affectations:
        made = _post(row, occupations.get(row.no_occupation or 0), dossier, reference)
        if isinstance(made, Post):
            posts.append(made)
        elif isinstance(made, _Fault):
            faults.append(made)
        else:
            reasons.append(made)
    return posts, faults, reasons


def _post(
    row: Affectation, occupation: Occupation | None, dossier: Dossier, reference: Reference
) -> Post | _Fault | Text:
    """The post of one assignment, the fault that forbids it, or why it is none."""
    start, end = row.d_deb_affectation, row.d_fin_affectation
    if start is None:
        fault = _fault(row, "D_DEB_AFFECTATION", None, tell(_MISSING_DATE))
        return fault._replace(undecided=True)
    if end is not None and end < start:
        fault = _fault(row, "D_FIN_AFFECTATION", end, tell(_ENDS_BEFORE, start=start))
        return fault._replace(first=end, last=start, undecided=True)
    if occupation is None:
        return _fault(row, "NO_OCCUPATION", row.no_occupation, tell(_UNKNOWN))
    by = _basis(occupation, dossier, reference)
    if isinstance(by, Text):
        return by
    if isinstance(by, Reject):
        return _Fault(by, start, end or _LAST)
    if row.c_structure is None or row.c_structure not in reference.structures:
        return _fault(row, "C_STRUCTURE", row.c_structure, tell(_NO_STRUCTURE))
    quota = _quota(row)
    if quota is None:
        value = f"{row.num_quot_affectation}/{row.den_quot_affectation}"
        return _fault(row, "DEN_QUOT_AFFECTATION", value, tell(_QUOTA))
    first, last = start, end
    for one in (occupation.d_deb_occupation, *by.starts):
        if one is not None and one > first:
            first = one
    for one in (occupation.d_fin_occupation, *by.ends):
        if one is not None and (last is None or one < last):
            last = one
    if last is not None and last < first:
        return tell("Affectation sans un jour commun avec son occupation, carrière ou contrat.")
    return Post(row.no_seq_affectation, row.c_structure, first, last, quota, by.kind, by.corps)


def _quota(row: Affectation) -> float | None:
    """The share of the working time, all of it where nothing is said; None: not possible."""
    part, whole = row.num_quot_affectation, row.den_quot_affectation
    if part is None or whole is None:
        return 1.0
    return part / whole if whole > 0 and part >= 0 else None


def _fault(row: Affectation, column: str, value: object, reason: Text) -> _Fault:
    return _Fault(
        Reject(
            str(row.no_dossier_pers),
            "AFFECTATION",
            f"NO_SEQ_AFFECTATION={row.no_seq_affectation}",
            column,
            _shown(value),
            reason,
        ),
        row.d_deb_affectation or date.min,
        row.d_fin_affectation or _LAST,
    )


class _Basis(NamedTuple):
    """What an assignment rests on: a career or a contract."""

    kind: str
    corps: str
    starts: tuple[date | None, ...]
    ends: tuple[date | None, ...]


def _basis(
    occupation: Occupation, dossier: Dossier, reference: Reference
) -> _Basis | Reject | Text:
    """The career or contract of an occupation, what is wrong with it, or why it makes no post."""
    if occupation.no_seq_carriere is not None:
        for career in dossier.carrieres:
            if career.no_seq_carriere == occupation.no_seq_carriere:
                return _career(career, dossier.elements, reference)
        return _dangling(occupation, "NO_SEQ_CARRIERE", occupation.no_seq_carriere)
    for contract in dossier.contrats:
        if contract.no_contrat_travail == occupation.no_contrat_travail:
            return _contract(contract, reference)
    return _dangling(occupation, "NO_CONTRAT_TRAVAIL", occupation.no_contrat_travail)


def _dangling(occupation: Occupation, column: str, value: int | None) -> Reject:
    code = str(occupation.no_dossier_pers)
    key = f"NO_DOSSIER_PERS={code}, NO_OCCUPATION={occupation.no_occupation}"
    return Reject(code, "OCCUPATION", key, column, _shown(value), tell(_UNKNOWN))


def _career(
    career: Carriere, elements: Iterable[ElementCarriere], reference: Reference
) -> _Basis | Reject | Text:
    def reject(table: str, column: str, value: object, reason: Text) -> Reject:
        code = str(career.no_dossier_pers)
        key = f"NO_DOSSIER_PERS={code}, NO_SEQ_CARRIERE={career.no_seq_carriere}"
        return Reject(code, table, key, column, _shown(value), reason)

    start, end, policy = career.d_deb_carriere, career.d_fin_carriere, reference.policy
    population = reference.populations.get(career.c_type_population or "")
    if population is None:
        value = career.c_type_population
        return reject("CARRIERE", "C_TYPE_POPULATION", value, tell(_UNKNOWN))
    if start is not None and end is not None and end < start:
        return reject("CARRIERE", "D_FIN_CARRIERE", end, tell(_ENDS_BEFORE, start=start))
    steps = [one for one in elements if one.no_seq_carriere == career.no_seq_carriere]
    kept = [one for one in steps if one.d_annulation is None]
    if not kept:
        return tell("Carrière annulée.") if steps else tell("Carrière sans élément.")
    firm = [one for one in kept if one.tem_provisoire == "N" or policy.accept_provisional]
    if not firm:
        return tell("Carrière provisoire.")
    step = _in_force(firm, reference.today)
    if step.c_corps is not None and step.c_corps not in reference.corps:
        return reject("ELEMENT_CARRIERE", "C_CORPS", step.c_corps, tell(_UNKNOWN))
    kind = STAFF
    if population.tem_enseignant == "O":
        kind = TEACHER
    elif career.c_type_population in policy.researcher_populations:
        kind = RESEARCHER
    starts = [one.d_effet_element for one in firm]
    ends = [one.d_fin_element for one in firm]
    return _Basis(
        kind,
        step.c_corps or "",
        (start, None if None in starts else min(filter(None, starts))),
        (end, None if None in ends else max(filter(None, ends))),
    )


def _contract(contract: ContratTravail, reference: Reference) -> _Basis | Reject | Text:
    def reject(column: str, value: object, reason: Text) -> Reject:
        code = str(contract.no_dossier_pers)
        key = f"NO_DOSSIER_PERS={code}, NO_CONTRAT_TRAVAIL={contract.no_contrat_travail}"
        return Reject(code, "CONTRAT_TRAVAIL", key, column, _shown(value), reason)

    kind, policy = contract.c_type_contrat_trav, reference.policy
    start, end = contract.d_deb_contrat_trav, contract.d_fin_contrat_trav
    if kind in policy.excluded_contract_types:
        return tell("Contrat de type {kind}, qui ne compte pas.", kind=kind)
    known = reference.contract_types.get(kind or "")
    if known is None:
        return reject("C_TYPE_CONTRAT_TRAV", kind, tell(_UNKNOWN))
    if start is not None and end is not None and end < start:
        return reject("D_FIN_CONTRAT_TRAV", end, tell(_ENDS_BEFORE, start=start))
    affiliation = STAFF
    if kind in policy.researcher_contract_types:
        affiliation = RESEARCHER
    elif known.tem_enseignant == "O":
        affiliation = TEACHER
    return _Basis(affiliation, "", (start,), (end,))


def _in_force(steps: Sequence[ElementCarriere], today: date) -> ElementCarriere:
    """The step of a career that holds today: the last that began, rather one that has not ended.

    Before the first one, that one. Of two of the same day always the same one, in whatever
    order the database gives them.
    """
    if len(steps) == 1:
        return steps[0]

    def rank(one: ElementCarriere) -> tuple[bool, date, str]:
        lasts = one.d_fin_element is None or one.d_fin_element >= today
        return lasts, one.d_effet_element or date.min, one.c_corps or ""

    begun = [one for one in steps if (one.d_effet_element or date.min) <= today]
    if begun:
        return max(begun, key=rank)
    return min(steps, key=lambda one: (one.d_effet_element or date.min, one.c_corps or ""))


def _reaches(post: Post, day: date) -> bool:
    return post.end is None or post.end >= day


def _first(coming: Sequence[Post]) -> list[Post]:
    """Of posts to come, those of the first day."""
    day = min((one.start for one in coming), default=None)
    return [one for one in coming if one.start == day]


def principal(posts: Sequence[Post]) -> Post:
    """The main one of several posts: the greatest quota, then the longest held."""
    if len(posts) == 1:
        return posts[0]
    return min(posts, key=lambda one: (-one.quota, one.start, one.number))


# Attributes


def _work(view: _View, reference: Reference, attributes: dict[str, tuple[str, ...]]) -> Post:
    """Fill in what follows from the posts; the principal one."""
    shown, standing = view.shown, view.standing
    main = principal(shown)
    attributes["supannEntiteAffectation"] = _distinct(one.structure for one in shown)
    attributes["supannEntiteAffectationPrincipale"] = (main.structure,)
    ends = [one.end for one in view.ahead] or [one.end for one in shown]
    if None not in ends:
        last = max(one for one in ends if one is not None)
        attributes["supannEmpDateFin"] = (f"{last.year:04}{last.month:02}{last.day:02}000000Z",)
    label = reference.policy.corps_nomenclature
    corps = _distinct(one.corps for one in shown if one.corps)
    if corps:
        attributes["supannEmpCorps"] = tuple(f"{{{label}}}{one}" for one in corps)
    female = attributes.get("supannCivilite") == ("Mme",)
    if main.corps and (called := _title(main.corps, reference, female)):
        attributes["title"] = (called,)
    if reference.policy.establishment and standing.presence is Presence.PRESENT:
        attributes["supannEmpProfil"] = _distinct(
            f"[etab={reference.policy.establishment}][affil={one.kind}]"
            + (f"[corps={{{label}}}{one.corps}]" if one.corps else "")
            + f"[affect={one.structure}]"
            for one in shown
        )
    return main


def _title(corps: str, reference: Reference, female: bool) -> str:
    """The public function of somebody of this corps."""
    wanted = reference.policy.titles.get(corps)
    if wanted is not None:
        return wanted.feminine if female else wanted.masculine
    row = reference.corps[corps]
    try:
        label = clean(row.ll_corps or row.lc_corps or "")
    except BadText:
        return ""
    return label.capitalize() if label.isupper() else label


def _affiliations(posts: Sequence[Post]) -> tuple[str, ...]:
    if len(posts) == 1:
        return AFFILIATIONS[posts[0].kind]
    return _distinct(value for one in posts for value in AFFILIATIONS[one.kind])


def _identity(
    individu: Individu,
    today: date,
    attributes: dict[str, tuple[str, ...]],
    rejects: list[Reject],
) -> tuple[str, str]:
    """Fill in names, civility and birth date, or say what is wrong; given name and surname."""

    def reject(column: str, value: object, reason: Text) -> None:
        code = str(individu.no_individu)
        key = f"NO_INDIVIDU={code}"
        rejects.append(Reject(code, "INDIVIDU", key, column, _shown(value), reason))

    def named(column: str, value: str | None) -> str:
        try:
            return name(value)
        except BadText as error:
            reject(column, value, error.reason)
            return "?"

    usual = named("NOM_USUEL", individu.nom_usuel)
    at_birth = named("NOM_PATRONYMIQUE", individu.nom_patronymique)
    given = named("PRENOM", individu.prenom)
    surname = usual or at_birth
    if not surname:
        reject("NOM_USUEL", individu.nom_usuel, tell(_NO_NAME))
    if individu.prenom is None:
        reject("PRENOM", None, tell(_NO_GIVEN_NAME))
    born, died = individu.d_naissance, individu.d_deces
    if born is None:
        reject("D_NAISSANCE", None, tell(_NO_BIRTH_DATE))
    elif (today - born).days // 365 not in AGES:
        reject("D_NAISSANCE", born, tell(_BIRTH_DATE, least=AGES[0], most=AGES[-1]))
    else:
        attributes["supannOIDCDateDeNaissance"] = (born.isoformat(),)
    if died is not None and not _credible(individu, today):
        reject("D_DECES", died, tell(_DEATH_DATE))
    if individu.c_civilite is not None:
        known = _CIVILITIES.get(individu.c_civilite.upper())
        if known is None:
            reject("C_CIVILITE", individu.c_civilite, tell(_CIVILITY))
        else:
            attributes["supannCivilite"], attributes["supannOIDCGenre"] = (known[0],), (known[1],)
    attributes["sn"] = (surname,)
    attributes["supannNomDeNaissance"] = (at_birth or surname,)
    if given:
        attributes["givenName"] = attributes["supannPrenomsEtatCivil"] = (given,)
        attributes["cn"] = (f"{surname} {given}",)
        attributes["displayName"] = (f"{given} {surname}",)
    else:
        attributes["cn"] = attributes["displayName"] = (surname,)
    return given, surname


def _credible(individu: Individu, today: date) -> bool:
    """Whether D_DECES can be true: a typing error closes no account."""
    born, died = individu.d_naissance, individu.d_deces
    return died is not None and _FIRST_DEATH <= died <= today and (born is None or born <= died)


def _not_one(dossier: Dossier, code: str) -> Reject:
    """What to say of a number that INDIVIDU has not exactly once."""
    if dossier.individus:
        value = " / ".join(
            f"{one.prenom or '?'} {one.nom_usuel or one.nom_patronymique or '?'}"
            for one in dossier.individus
        )
        reason = tell(_TWICE, number=len(dossier.individus))
        key = f"NO_INDIVIDU={code}"
        return Reject(code, "INDIVIDU", key, "NO_INDIVIDU", _shown(value), reason)
    key = f"NO_DOSSIER_PERS={code}"
    return Reject(code, "PERSONNEL", key, "NO_DOSSIER_PERS", code, tell(_NOT_IN_INDIVIDU))


def _untyped(code: str, one: Untyped) -> Reject:
    return Reject(code, one.table, one.key, one.column, _shown(one.value), expected(one))


def expected(one: Untyped) -> Text:
    """Why a value that its column's type forbids is not taken."""
    return tell(_EXPECTED.get(one.expected, _NO_KEY))


def _shown(value: object) -> str:
    """A value for a report: what it takes to find it."""
    shown = "" if value is None else str(value)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def _once(rejects: Iterable[Reject]) -> list[Reject]:
    """One reject a value: what could not be read is not also missing."""
    found: dict[tuple[str, str, str], Reject] = {}
    for one in rejects:
        found.setdefault((one.table, one.key, one.column), one)
    return list(found.values())


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Sorted, each once; values that the directory calls equal count as one."""
    values = tuple(values)
    if len(values) < 2:
        return values
    return tuple(sorted({one.lower(): one for one in values}.values()))


_UNKNOWN = mark("n’existe pas dans la table correspondante")
_NO_STRUCTURE = mark("structure inconnue, ou au code refusé (STRUCTURE)")
_MISSING_DATE = mark("date absente")
_ENDS_BEFORE = mark("se termine avant de commencer ({start})")
_QUOTA = mark("quotité impossible")
_NO_NAME = mark("ni nom usuel ni nom patronymique")
_NO_GIVEN_NAME = mark("prénom absent ; pour qui n’en a pas, saisir « - »")
_NO_BIRTH_DATE = mark("date de naissance absente")
_BIRTH_DATE = mark("date de naissance impossible : un agent a entre {least} et {most} ans")
_DEATH_DATE = mark("date de décès impossible")
_CIVILITY = mark("civilité inconnue ; attendu : M., MME ou MLLE")
_TWICE = mark("{number} personnes portent ce numéro")
_NOT_IN_INDIVIDU = mark("a un dossier mais n’est pas dans INDIVIDU")
_NO_DATE = mark("n’est pas une date")
_NO_NUMBER = mark("n’est pas un nombre")
_NO_KEY = mark("numéro ou code absent ou illisible")
_GIVEN_BEFORE = mark("code donné plusieurs fois ; une seule de ces lignes compte")
_EXPECTED = {"date": _NO_DATE, "number": _NO_NUMBER, "once": _GIVEN_BEFORE}
