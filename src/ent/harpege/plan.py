"""The difference between Harpège and the directory, for a whole run.

People of the directory are kept as a login and a digest each; people of Harpège are judged
one at a time; the entries that may differ are read again and compared. What is to be
done goes to a temporary file, so that memory does not grow with it, and nothing is
written to the directory before all is known: the safeguards see the whole.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from types import TracebackType
from typing import Any, NamedTuple, Self

from ent.directory import (
    AccountState,
    Change,
    Directory,
    Entry,
    Scope,
    any_of,
    equals,
    present,
)
from ent.harpege import people, structures
from ent.harpege.account import Presence, Standing, decide
from ent.harpege.ahead import ahead
from ent.harpege.config import FeedConfig
from ent.harpege.messages import Text, mark, tell, text_from
from ent.harpege.people import Known
from ent.harpege.records import Snapshot
from ent.harpege.rules import Person, Reference, Reject, Rejected, expected, judge
from ent.harpege.structures import Unit
from ent.naming import first_free, login_candidates

# Entries that are read again with one search.
_BATCH = 100
# Tables without a row of which nothing can be right. What AMUE calls a view may be cut short.
_NEVER_EMPTY = (
    "INDIVIDU",
    "PERSONNEL",
    "AFFECTATION",
    "OCCUPATION",
    "STRUCTURE",
    "CORPS",
    "TYPE_POPULATION",
)

# Accounts of people whose first day was put off: they wait for it as they are.
_WAITING = (AccountState.PRE_CREATED, AccountState.ACTIVE)

Progress = Callable[[int, int], None]


class Action(NamedTuple):
    """One operation on the directory.

    kind: create, change (people); add, alter (structures).
    code, login: Harpège number or structure code; login of the person.
    label: how the entry is called on pages.
    person, unit: what it should say, to decide anew when it changed meanwhile.
    changes: of `change` and `alter`.
    """

    kind: str
    code: str
    login: str
    label: str
    reasons: tuple[Text, ...]
    changes: tuple[Change, ...] = ()
    person: Person | None = None
    unit: Unit | None = None

    def to_json(self) -> dict[str, Any]:
        """For the temporary file."""
        person = self.person
        return {
            "kind": self.kind,
            "code": self.code,
            "login": self.login,
            "label": self.label,
            "reasons": [one.to_json() for one in self.reasons],
            "changes": changes_to_json(self.changes),
            "person": None
            if person is None
            else {
                **person._asdict(),
                "standing": [
                    person.standing.presence.value,
                    person.standing.day.isoformat() if person.standing.day else None,
                ],
            },
            "unit": self.unit and list(self.unit),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        person = unit = None
        if data["person"] is not None:
            presence, day = data["person"]["standing"]
            person = Person(
                **{
                    **data["person"],
                    "standing": Standing(Presence(presence), day and date.fromisoformat(day)),
                    "attributes": {
                        name: tuple(values) for name, values in data["person"]["attributes"].items()
                    },
                    "affiliations": tuple(data["person"]["affiliations"]),
                }
            )
        if data["unit"]:
            unit = Unit(*data["unit"])
        return cls(
            data["kind"],
            data["code"],
            data["login"],
            data["label"],
            tuple(text_from(one) for one in data["reasons"]),
            tuple(
                getattr(Change, one["operation"])(one["attribute"], *one["values"])
                for one in data["changes"]
            ),
            person,
            unit,
        )


def changes_to_json(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """Changes as `plan --json` shows them."""
    return [
        {
            "operation": one.operation.name.lower(),
            "attribute": one.attribute,
            "values": list(one.values),
        }
        for one in changes
    ]


class Note(NamedTuple):
    """Something a person should know of somebody."""

    code: str
    login: str
    message: Text

    def to_json(self) -> dict[str, Any]:
        """For run records and `plan --json`."""
        return {**self._asdict(), "message": self.message.to_json()}


@dataclass
class Plan:
    """What a run would do. A context: the temporary file goes with it.

    counts: people by what happens to them (see `SUMMARY`), rows read by table.
    departures: people who leave without having been announced; `allowed` at most.
    kept: people of the directory whose rows are rejected.
    refusal: why nothing may be written, or None.
    folder: where the temporary file is (it has no name, and goes with the process);
        one that is not there yet: the system's.
    """

    today: date
    folder: str = ""
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    rows: Mapping[str, int] = field(default_factory=dict)
    departures: int = 0
    allowed: int = 0
    kept: int = 0
    refusal: Text | None = None
    taken: set[str] = field(default_factory=set)
    size: int = 0

    def __post_init__(self) -> None:
        folder = self.folder if os.access(self.folder, os.W_OK) else None
        self._spool = tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder)  # noqa: SIM115 - closed by exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.close()

    def add(self, action: Action) -> None:
        """Note an operation."""
        self._spool.write(json.dumps(action.to_json(), separators=(",", ":")) + "\n")
        self.size += 1

    def actions(self) -> Iterator[Action]:
        """The operations in the order in which they are to be done."""
        self._spool.seek(0)
        for line in self._spool:
            yield Action.from_json(json.loads(line))


#: What `counts` counts of people and structures, in the order of reports.
SUMMARY = (
    "created",
    "returned",
    "left",
    "suspended",
    "expired",
    "changed",
    "unchanged",
    "rejected",
    "elsewhere",
    "structures",
)


def make_plan(
    snapshot: Snapshot,
    directory: Directory,
    config: FeedConfig,
    today: date,
    *,
    accepted: int = 0,
    progress: Progress | None = None,
) -> Plan:
    """Compare everything. accepted: departures that a person has looked at.

    Raises DirectoryUnavailable and SourceError; nothing is written here.
    """
    plan = Plan(today, config.state_directory, rows=snapshot.counts)
    empty = [one for one in _NEVER_EMPTY if not snapshot.counts.get(one)]
    if snapshot.counts.get("CARRIERE") and not snapshot.counts.get("ELEMENT_CARRIERE"):
        empty.append("ELEMENT_CARRIERE")  # in a small university `few` would let them all go
    if empty:
        plan.refusal = tell(_EMPTY, tables=", ".join(empty))
        return plan
    try:
        with _rarely_collected():
            _Planner(plan, snapshot, directory, config).run(progress or (lambda done, total: None))
    except BaseException:
        plan.__exit__(None, None, None)
        raise
    present_now, limit = plan.counts["present"], max(plan.allowed, accepted)
    if plan.kept > max(config.limits.few, present_now // 2):
        plan.refusal = tell(_REJECTED, number=plan.kept, present=present_now)
    elif plan.departures > limit:
        plan.refusal = tell(
            _TOO_MANY,
            number=plan.departures,
            present=present_now,
            allowed=limit,
            rows=snapshot.counts["INDIVIDU"],
        )
    return plan


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Look for reference cycles less often: rows make none, and looking costs a tenth of a run."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Planner:
    def __init__(
        self, plan: Plan, snapshot: Snapshot, directory: Directory, config: FeedConfig
    ) -> None:
        self.plan, self.snapshot, self.directory, self.config = plan, snapshot, directory, config
        self.people_base = f"ou=people,{config.ldap.suffix}"
        self.reference = Reference(
            plan.today,
            config.policy,
            structures.usable(snapshot.structures),
            snapshot.corps,
            snapshot.types_population,
            snapshot.types_contrat,
        )
        self.known: dict[str, Known] = {}
        self.waiting: list[tuple[Person, Known]] = []

    def run(self, progress: Progress) -> None:
        self._structures()
        self._read_people()
        plan, known = self.plan, self.known
        plan.counts["present"] = sum(
            one.state in (AccountState.ACTIVE, AccountState.PRE_CREATED) for one in known.values()
        )
        plan.allowed = self.config.limits.allowed(plan.counts["present"])
        total = self.snapshot.counts.get("INDIVIDU", 0)
        for number, dossier in enumerate(self.snapshot.dossiers):
            if number % 500 == 0:
                progress(number, total)
            verdict = judge(dossier, self.reference)
            before = known.get(verdict.code)
            if isinstance(verdict, Person):
                self._person(verdict, before)
            elif isinstance(verdict, Rejected):
                self._rejected(verdict, before)
            elif verdict.coming and before is not None and before.state in _WAITING:
                del known[verdict.code]
                plan.counts["unchanged"] += 1
            # who is nobody any more stays in `known`: vanished
        self._flush()
        for code, before in known.items():
            self._vanished(code, before)
        self._flush()
        plan.rejects += [
            Reject("", one.table, one.key, one.column, one.value[:80], expected(one))
            for one in self.snapshot.untyped
        ]
        plan.counts["rejected"] = len({one.code for one in plan.rejects})
        progress(total, total)

    def _structures(self) -> None:
        """First those above, so that no entry ever names one that is not there."""
        suffix = self.config.ldap.suffix
        entries = {
            one.text("supannCodeEntite").lower(): one
            for one in self.directory.paged(
                f"ou=structures,{suffix}",
                present("supannCodeEntite"),
                structures.ATTRIBUTES,
                Scope.CHILDREN,
            )
        }
        units, rejects = structures.judge_structures(self.snapshot.structures, self.plan.today)
        self.plan.rejects += rejects
        for unit in structures.needed(units, entries):
            entry = entries.get(unit.code.lower())
            if entry is None:
                self._add(Action("add", unit.code, "", unit.name, (), unit=unit), "structures")
            elif changes := structures.difference(entry, unit):
                why = (tell(_RENAMED, old=entry.text("ou"), new=unit.name),)
                if entry.texts("ou") == (unit.name,):
                    why = (tell(_MOVED, parent=unit.parent or "–"),)
                action = Action("alter", unit.code, "", unit.name, why, tuple(changes), unit=unit)
                self._add(action, "structures")

    def _read_people(self) -> None:
        doubtful: set[str] = set()
        pages = self.directory.paged(
            self.people_base, present("uid"), people.ATTRIBUTES, Scope.CHILDREN, page_size=1000
        )
        for entry in ahead(pages):
            one = people.known(entry)
            self.plan.taken.add(one.uid.lower())
            values = entry.attributes.get("supannempid", ())
            if len(values) == 1:
                self.known[values[0].decode("utf-8", "replace")] = one
            elif values:
                codes = entry.texts("supannEmpId")
                doubtful.update(codes)
                codes_shown = ", ".join(codes)
                self.plan.notes.append(Note(codes[0], one.uid, tell(_SEVERAL, codes=codes_shown)))
        self.doubtful = frozenset(doubtful)

    def _person(self, person: Person, before: Known | None) -> None:
        if before is None:
            self._arrival(person)
            return
        del self.known[person.code]
        wanted = people.wish(person, before, self.config.policy, self.plan.today)
        if wanted.decision is None:
            self.plan.notes.append(Note(person.code, before.uid, tell(_NO_STATE)))
        elif wanted.decision.note is not None:
            self.plan.notes.append(Note(person.code, before.uid, wanted.decision.note))
        if people.digest(wanted) == before.digest:
            self.plan.counts["unchanged"] += 1
            return
        self._wait(person, before)

    def _arrival(self, person: Person) -> None:
        if person.code in self.doubtful or person.standing.presence is not Presence.PRESENT:
            self.plan.counts["elsewhere"] += 1
            return
        login = first_free(login_candidates(person.given_name, person.surname), self.plan.taken)
        self.plan.taken.add(login)
        label = person.attributes["displayName"][0]
        self._add(Action("create", person.code, login, label, (), person=person), "created")

    def _rejected(self, verdict: Rejected, before: Known | None) -> None:
        gone = verdict.standing is not None and verdict.standing.presence is not Presence.PRESENT
        if before is None:
            # of somebody who left before the feed knew them, nothing needs mending
            if not gone:
                self.plan.rejects += verdict.rejects
            return
        self.plan.rejects += verdict.rejects
        self.plan.kept += before.state in _WAITING
        del self.known[verdict.code]
        if verdict.standing is not None and gone:
            # a wrong birth date keeps nobody's account open
            self._wait(Person(verdict.code, verdict.standing, {}), before)

    def _vanished(self, code: str, before: Known) -> None:
        person = Person(code, Standing(Presence.VANISHED), {})
        if before.state is None:
            self.plan.notes.append(Note(code, before.uid, tell(_NO_STATE)))
            return
        decision = decide(
            before.state, before.dated, person.standing, self.config.policy, self.plan.today
        )
        if decision.note is not None:
            self.plan.notes.append(Note(code, before.uid, decision.note))
        if decision.state is before.state and decision.dated is None:
            self.plan.counts["elsewhere"] += 1
            return
        self._wait(person, before)

    def _wait(self, person: Person, before: Known) -> None:
        self.waiting.append((person, before))
        if len(self.waiting) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        """Read the entries that may differ, and compare for good."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        entries = {
            entry.text("supannEmpId"): entry
            for entry in self.directory.search(
                self.people_base,
                any_of(*(equals("supannEmpId", person.code) for person, _ in waiting)),
                people.ATTRIBUTES,
                Scope.CHILDREN,
            )
        }
        for person, before in waiting:
            entry = entries.get(person.code)
            if entry is not None:
                self._compare(person, people.known(entry), entry)
            else:
                self.plan.notes.append(Note(person.code, before.uid, tell(_GONE_MEANWHILE)))

    def _compare(self, person: Person, before: Known, entry: Entry) -> None:
        plan = self.plan
        wanted = people.wish(person, before, self.config.policy, plan.today)
        changes = people.difference(entry, wanted, self.config.domain)
        if not changes:
            plan.counts["unchanged"] += 1
            return
        if people.leaves(before, person.standing.presence) and not people.announced(
            entry, plan.today
        ):
            plan.departures += 1
        action = Action(
            "change",
            person.code,
            before.uid,
            entry.text("displayName") or entry.text("cn"),
            tuple(people.reasons(entry, wanted, person.standing)),
            tuple(changes),
            person,
        )
        after = wanted.decision.state if wanted.decision else before.state
        self._add(action, _outcome(before.state, after))

    def _add(self, action: Action, counted: str) -> None:
        self.plan.add(action)
        self.plan.counts[counted] += 1


def _outcome(before: AccountState | None, after: AccountState | None) -> str:
    """How a change is counted."""
    if after is before or after is None:
        return "changed"
    return {
        AccountState.GRACE: "left",
        AccountState.DEPARTED: "suspended",
        AccountState.EXPIRED: "expired",
    }.get(after, "returned")


_EMPTY = mark(
    "Harpège est vide ou tronqué : aucune ligne dans {tables}. Rien n’a été écrit. "
    "Vérifier l’alimentation de ces tables ou vues ; aucune option ne passe outre."
)
_TOO_MANY = mark(
    "{number} départs non annoncés d’un coup, pour {present} personnes présentes dans l’annuaire "
    "et {rows} lignes dans INDIVIDU ; au plus {allowed} sont admis. Rien n’a été écrit. "
    "Regarder `ent-harpege plan`, puis si c’est vrai : "
    "`ent-harpege apply --accept-departures {number}`."
)
_REJECTED = mark(
    "Harpège est tronqué ou abîmé : des {present} personnes présentes dans l’annuaire, {number} "
    "ont des lignes rejetées. Rien n’a été écrit. Vérifier les tables que nomment les rejets ; "
    "aucune option ne passe outre."
)
_RENAMED = mark("libellé : {old} → {new}")
_MOVED = mark("structure mère : {parent}")
_SEVERAL = mark(
    "La fiche a plusieurs numéros Harpège ({codes}) : laissée telle quelle, à corriger."
)
_NO_STATE = mark("La fiche n’a pas d’état de compte connu : état laissé tel quel, à corriger.")
_GONE_MEANWHILE = mark("La fiche a disparu de l’annuaire pendant le passage.")
