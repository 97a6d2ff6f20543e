"""What is known of one person, for `ent-harpege person`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ent.directory import Directory, Entry, Scope, equals
from ent.harpege import people, report
from ent.harpege.account import Presence, Standing
from ent.harpege.config import FeedConfig
from ent.harpege.messages import Speaker, mark
from ent.harpege.records import Dossier, Snapshot
from ent.harpege.rules import Nobody, Person, Reference, Rejected, judge
from ent.harpege.structures import usable
from ent.naming import login_candidates

_TABLES = {
    "individus": "INDIVIDU",
    "personnels": "PERSONNEL",
    "affectations": "AFFECTATION",
    "occupations": "OCCUPATION",
    "carrieres": "CARRIERE",
    "elements": "ELEMENT_CARRIERE",
    "contrats": "CONTRAT_TRAVAIL",
    "untyped": "?",
}
_NO_ROWS = mark("rien sous ce numéro")
_NO_ENTRY = mark("aucune fiche avec ce numéro")
_REJECT = mark("Rejet :")
_NONE_MADE = mark("Pas de fiche, et aucune ne sera créée.")
_AS_IT_SHOULD = mark("L’annuaire dit ce qu’il doit : rien à changer.")
_PRESENCES = {
    Presence.PRESENT: mark("Présent aujourd’hui, ou bientôt."),
    Presence.LEFT: mark("Parti : dernier jour le {day}."),
    Presence.DEAD: mark("Décédé le {day}."),
    Presence.VANISHED: mark("N’est plus dans Harpège comme personnel."),
}


def explain(
    code: int,
    snapshot: Snapshot,
    directory: Directory,
    config: FeedConfig,
    today: date,
    *,
    say: Speaker,
) -> Iterator[str]:
    """Lines for a terminal: the rows, what follows from them, the entry, what would change."""
    dossier = next(iter(snapshot.dossiers), Dossier(code))
    entry = directory.one(
        f"ou=people,{config.ldap.suffix}",
        equals("supannEmpId", str(code)),
        (*people.ATTRIBUTES, "mail", "supannAutreMail"),
        Scope.CHILDREN,
    )
    yield say(mark("Harpège"))
    yield from _rows(dossier) or [f"  {say(_NO_ROWS)}"]
    yield ""
    yield say(mark("Annuaire"))
    yield from _entry(entry) if entry else [f"  {say(_NO_ENTRY)}"]
    yield ""
    yield say(mark("Règles, au {day}"), day=today)
    reference = Reference(
        today,
        config.policy,
        usable(snapshot.structures),
        snapshot.corps,
        snapshot.types_population,
        snapshot.types_contrat,
    )
    verdict = judge(dossier, reference)
    if isinstance(verdict, Nobody):
        yield f"  {say(verdict.why)}"
        if entry is not None and not verdict.coming:
            yield f"  {say(_PRESENCES[Presence.VANISHED])}"
            vanished = Person(str(code), Standing(Presence.VANISHED), {})
            yield from _outcome(vanished, entry, config, today, say)
    elif isinstance(verdict, Rejected):
        for one in verdict.rejects:
            yield f"  {say(_REJECT)} {report.reject_line(one.to_json(), say)}"
    else:
        yield f"  {say(_PRESENCES[verdict.standing.presence], day=verdict.standing.day or '')}"
        yield from _outcome(verdict, entry, config, today, say)


def _outcome(
    person: Person, entry: Entry | None, config: FeedConfig, today: date, say: Speaker
) -> Iterator[str]:
    if entry is None:
        if person.standing.presence is not Presence.PRESENT:
            yield f"  {say(_NONE_MADE)}"
            return
        login = next(login_candidates(person.given_name, person.surname))
        yield "  " + say(
            mark("Une fiche sera créée, à activer ; identifiant {login} s’il est libre."),
            login=login,
        )
        return
    wanted = people.wish(person, people.known(entry), config.policy, today)
    changes = people.difference(entry, wanted, config.domain)
    if wanted.decision is not None and wanted.decision.note is not None:
        yield f"  {say(wanted.decision.note)}"
    if not changes:
        yield f"  {say(_AS_IT_SHOULD)}"
        return
    for reason in people.reasons(entry, wanted, person.standing):
        yield f"  {say(reason)}"
    for change in changes:
        yield f"    {change.operation.name.lower()} {change.attribute}: {', '.join(change.values)}"


def _rows(dossier: Dossier) -> list[str]:
    lines = []
    for field, table in _TABLES.items():
        for row in getattr(dossier, field):
            shown = ", ".join(
                f"{name.upper()}={report.visible(str(value))}"
                for name, value in row._asdict().items()
                if value is not None
            )
            lines.append(f"  {table}: {shown}")
    return lines


def _entry(entry: Entry) -> Iterator[str]:
    yield f"  {entry.dn}"
    for name in (*people.ATTRIBUTES, "mail", "supannAutreMail"):
        if values := entry.texts(name):
            yield f"    {name}: {', '.join(values)}"
