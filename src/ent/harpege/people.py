"""A person of the directory, as far as the feed owns them, and the difference to Harpège.

The feed writes the attributes of `OWNED` and of a new entry its login; the access rules of
the directory (roles/openldap/files/acl.yml, identity `feed`) give it no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from ent.directory import AccountState, Change, Entry
from ent.harpege.account import Decision, Presence, Standing, StateDate, created, decide
from ent.harpege.config import Policy
from ent.harpege.messages import Text, mark, tell
from ent.harpege.rules import AFFILIATIONS, Person

#: What follows from the rows of Harpège alone.
FROM_HARPEGE: tuple[str, ...] = (
    "cn",
    "displayName",
    "givenName",
    "sn",
    "supannCivilite",
    "supannEmpCorps",
    "supannEmpDateFin",
    "supannEmpId",
    "supannEmpProfil",
    "supannEntiteAffectation",
    "supannEntiteAffectationPrincipale",
    "supannNomDeNaissance",
    "supannOIDCDateDeNaissance",
    "supannOIDCGenre",
    "supannPrenomsEtatCivil",
    "title",
)
#: What follows from these and from the state of the account.
FROM_STATE: tuple[str, ...] = (
    "eduPersonAffiliation",
    "eduPersonPrimaryAffiliation",
    "supannRessourceEtat",
    "supannRessourceEtatDate",
)
#: Given once, with the login, and never changed.
ONCE = ("eduPersonPrincipalName",)
#: Every attribute that the feed writes on an entry it did not just make.
OWNED = (*FROM_HARPEGE, *FROM_STATE, *ONCE)
#: What it reads to compare.
ATTRIBUTES = ("uid", *OWNED)
OBJECT_CLASSES = ("inetOrgPerson", "eduPerson", "supannPerson", "entPerson")
#: Affiliations the feed gives and takes. Others (student, emeritus …) belong to others.
OUR_AFFILIATIONS = frozenset(
    {"affiliate", *(value for values in AFFILIATIONS.values() for value in values)}
)
_FORMER: tuple[str, ...] = ("affiliate",)


class Known(NamedTuple):
    """What is kept of an entry while a run compares: a hundred thousand of these fit in memory.

    digest: of the owned attributes, as `digest` makes it; good for this process only.
    dated: since when the state holds, and `dated_as` the value that says so.
    others: affiliations of the entry that are not ours.
    """

    uid: str
    digest: int
    state: AccountState | None
    dated: StateDate | None
    dated_as: str
    others: tuple[str, ...]


class Wish(NamedTuple):
    """What an entry should say.

    attributes: by name; one of `names` that is missing should have no value.
    names: the attributes that are compared at all.
    """

    attributes: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...]
    decision: Decision | None


def known(entry: Entry) -> Known:
    """What to keep of an entry that was read with ATTRIBUTES."""
    dated = first(entry, "supannressourceetatdate")
    parsed = _parsed(dated) if dated else None
    return Known(
        first(entry, "uid"),
        _digest_entry(entry),
        _state(entry.attributes.get("supannressourceetat", ())),
        parsed,
        _shared(dated) if parsed else "",
        _others(entry.attributes.get("edupersonaffiliation", ())),
    )


def first(entry: Entry, attribute: str) -> str:
    """The first value of an attribute, whose name is in lower case; "" when there is none."""
    values = entry.attributes.get(attribute)
    return values[0].decode("utf-8", "replace") if values else ""


def wish(person: Person, before: Known, policy: Policy, today: date) -> Wish:
    """What the entry of `person` should say, whose state and affiliations are as `before`."""
    if before.state is None:
        # nobody knows what became of this account: only the names of the living follow Harpège
        return Wish(person.attributes, FROM_HARPEGE if person.attributes else (), None)
    decision = decide(before.state, before.dated, person.standing, policy, today)
    attributes = dict(person.attributes)
    names: tuple[str, ...] = FROM_HARPEGE if person.attributes else ()
    attributes["supannRessourceEtat"] = (decision.state.value,)
    dated = str(decision.dated) if decision.dated else before.dated_as
    if dated:
        attributes["supannRessourceEtatDate"] = (dated,)
    names += ("supannRessourceEtat", "supannRessourceEtatDate")
    if decision.state in (AccountState.DEPARTED, AccountState.EXPIRED):
        ours, primary = _FORMER, _FORMER[0]
    else:
        ours, primary = person.affiliations, person.primary
    if ours:
        names += ("eduPersonAffiliation", "eduPersonPrimaryAffiliation")
        attributes["eduPersonAffiliation"], attributes["eduPersonPrimaryAffiliation"] = _merged(
            ours, primary, before.others
        )
    return Wish(attributes, names, decision)


def new_entry(person: Person, login: str, domain: str, today: date) -> dict[str, tuple[str, ...]]:
    """The entry of somebody who arrives: pre-created, without password and without address."""
    decision = created(today)
    return {
        "objectClass": OBJECT_CLASSES,
        "uid": (login,),
        **person.attributes,
        "eduPersonAffiliation": person.affiliations,
        "eduPersonPrimaryAffiliation": (person.primary,),
        "eduPersonPrincipalName": (f"{login}@{domain}",),
        "supannRessourceEtat": (decision.state.value,),
        "supannRessourceEtatDate": (str(decision.dated),),
    }


def digest(wanted: Wish) -> int:
    """Equal to the digest of an entry that already says what it should."""
    get = wanted.attributes.get
    return hash(
        "\0".join(
            [
                name + (values[0] if len(values) == 1 else "\1".join(sorted(values)))
                for name in _ORDER
                if (values := get(name))
            ]
        ).encode()
    )


def difference(entry: Entry, wanted: Wish, domain: str) -> list[Change]:
    """The changes that make the entry say what it should, each with the values it replaces.

    In one modify operation: when somebody else changed one of these values in between, the
    directory refuses all of it (StaleEntry).
    """
    changes: list[Change] = []
    for name in wanted.names:
        old, new = set(entry.texts(name)), set(wanted.attributes.get(name, ()))
        if removed := sorted(old - new):
            changes.append(Change.delete(name, *removed))
        if added := sorted(new - old):
            changes.append(Change.add(name, *added))
    if not entry.attributes.get("edupersonprincipalname") and wanted.names:
        changes.append(Change.add("eduPersonPrincipalName", f"{entry.text('uid')}@{domain}"))
    return changes


def reasons(entry: Entry, wanted: Wish, standing: Standing) -> list[Text]:
    """Why an entry changes, in sentences. Birth dates are not told."""
    said: dict[str, Text] = {}
    for name, sentence in _SENTENCES.items():
        old, new = entry.texts(name), wanted.attributes.get(name, ())
        if name in wanted.names and set(old) != set(new) and sentence not in said:
            said[sentence] = tell(sentence, old=_told(name, old), new=_told(name, new))
    lines = list(said.values())
    decision = wanted.decision
    if decision is not None and entry.texts("supannRessourceEtat") != (decision.state.value,):
        until = decision.dated.until if decision.dated else None
        lines[:0] = [_why(standing), tell(_STATES_SAID[decision.state], until=until or "–")]
    return lines


def _told(name: str, values: Sequence[str]) -> str:
    if name == "supannEmpDateFin":
        values = [f"{one[:4]}-{one[4:6]}-{one[6:8]}" for one in values]
    return ", ".join(sorted(values)) or "–"


def _why(standing: Standing) -> Text:
    sentence = {
        Presence.PRESENT: mark("présent dans Harpège"),
        Presence.LEFT: mark("dernier jour : {day}"),
        Presence.DEAD: mark("décès le {day}"),
        Presence.VANISHED: mark("n’est plus dans Harpège comme personnel"),
    }[standing.presence]
    return tell(sentence, day=standing.day or "–")


def announced(entry: Entry, today: date) -> bool:
    """Whether the directory knew that this person's last day would be before `today`."""
    last = entry.text("supannEmpDateFin")[:8]
    return bool(last) and last < today.strftime("%Y%m%d")


def leaves(before: Known, presence: Presence) -> bool:
    """Whether somebody who was at work, or about to be, is so no longer."""
    return presence is not Presence.PRESENT and before.state in (
        AccountState.ACTIVE,
        AccountState.PRE_CREATED,
    )


# Entries as bytes: a run looks at each of a hundred thousand.

_ORDER = tuple(sorted((*FROM_HARPEGE, *FROM_STATE)))
_READ = tuple((name.lower(), name.encode()) for name in _ORDER)
_STATES = {state.value.lower().encode(): state for state in AccountState}
_OURS = frozenset(value.encode() for value in OUR_AFFILIATIONS)


def _digest_entry(entry: Entry) -> int:
    get = entry.attributes.get
    return hash(
        b"\0".join(
            [
                written + (values[0] if len(values) == 1 else b"\1".join(sorted(values)))
                for name, written in _READ
                if (values := get(name))
            ]
        )
    )


def _state(values: Sequence[bytes]) -> AccountState | None:
    if len(values) == 1:
        return _STATES.get(values[0].lower())
    return AccountState.of(tuple(value.decode("utf-8", "replace") for value in values))


@lru_cache(maxsize=4096)
def _parsed(value: str) -> StateDate | None:
    return StateDate.parse(value)


@lru_cache(maxsize=4096)
def _shared(value: str) -> str:
    """The same object for equal values: many people arrived on the same day."""
    return value


def _others(values: Iterable[bytes]) -> tuple[str, ...]:
    if _OURS.issuperset(values):
        return ()
    # the directory does not tell Staff from staff, and takes no value twice
    others = [value.decode("utf-8", "replace") for value in values if value.lower() not in _OURS]
    return tuple(sorted(others))


def _merged(
    ours: tuple[str, ...], primary: str, others: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Our affiliations beside those of others: a former member of staff may be a student."""
    if not others:
        return ours, (primary,)
    if ours == _FORMER:
        main = "student" if "student" in others else others[0]
        return tuple(sorted({"member", *others})), (main,)
    return tuple(sorted({*ours, *others})), (primary,)


_NAME = mark("nom : {old} → {new}")
_PLACE = mark("affectation : {old} → {new}")
_FUNCTION = mark("corps ou fonction : {old} → {new}")
_BIRTH = mark("état civil mis à jour")
_SENTENCES = {
    "displayName": _NAME,
    "sn": _NAME,
    "givenName": _NAME,
    "supannCivilite": mark("civilité : {old} → {new}"),
    "title": _FUNCTION,
    "supannEmpCorps": _FUNCTION,
    "supannEntiteAffectationPrincipale": mark("affectation principale : {old} → {new}"),
    "supannEntiteAffectation": _PLACE,
    "supannEmpDateFin": mark("fin : {old} → {new}"),
    "supannNomDeNaissance": _BIRTH,
    "supannPrenomsEtatCivil": _BIRTH,
    "supannOIDCDateDeNaissance": _BIRTH,
    "supannOIDCGenre": _BIRTH,
    "supannEmpProfil": mark("profil : {old} → {new}"),
    "eduPersonAffiliation": mark("population : {old} → {new}"),
    "eduPersonPrimaryAffiliation": mark("population principale : {old} → {new}"),
}
_STATES_SAID = {
    AccountState.PRE_CREATED: mark("compte à activer (de nouveau)"),
    AccountState.ACTIVE: mark("compte de nouveau actif"),
    AccountState.GRACE: mark("compte en sursis jusqu’au {until}"),
    AccountState.DEPARTED: mark("compte suspendu jusqu’au {until}"),
    AccountState.EXPIRED: mark("compte expiré"),
    AccountState.SUSPENDED: mark("compte suspendu par l’administration"),
}
