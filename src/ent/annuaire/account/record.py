"""What the directory says about a person, as sections of labelled lines in plain words.

Only lines with something in them are there. Where a value is a code of a
nomenclature, the code is shown: its owner can tell the personnel division.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ent.annuaire.account.person import Own
from ent.directory import AccountState, Directory, DirectoryUnavailable, day
from ent.web.affiliations import affiliation_label

_STATES: dict[AccountState, Promise] = {
    AccountState.ACTIVE: gettext_lazy("Actif"),
    AccountState.GRACE: gettext_lazy("Actif, après votre départ, pour un temps limité"),
}
_GENDERS: dict[str, Promise] = {
    "female": gettext_lazy("Féminin"),
    "male": gettext_lazy("Masculin"),
}
# Keys of SupAnn's composite values, as in [etab={UAI}0131842G][corps={NCORPS}301].
_KEYS: dict[str, Promise] = {
    "affect": gettext_lazy("structure"),
    "affil": gettext_lazy("population"),
    "anneeinsc": gettext_lazy("année"),
    "corps": gettext_lazy("corps"),
    "cursusann": gettext_lazy("année du cursus"),
    "datefin": gettext_lazy("jusqu’au"),
    "diplome": gettext_lazy("diplôme"),
    "eltpedago": gettext_lazy("élément pédagogique"),
    "etab": gettext_lazy("établissement"),
    "etape": gettext_lazy("étape"),
    "population": gettext_lazy("population"),
    "quotite": gettext_lazy("quotité"),
    "regimeinsc": gettext_lazy("régime"),
    "role": gettext_lazy("rôle"),
    "sect-disc": gettext_lazy("secteur disciplinaire"),
    "type": gettext_lazy("type"),
    "typedip": gettext_lazy("type de diplôme"),
}
_PAIR = re.compile(r"\[([A-Za-z0-9_-]+)=([^\[\]]*)\]")
_CODE = re.compile(r"\{([^{}]+)\}(.+)")

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing and its values."""

    label: str | Promise
    values: Values


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that belong together. key: for the page's anchors."""

    key: str
    title: str | Promise
    lines: tuple[Line, ...]


@dataclass
class Names:
    """Names of structures and people, asked of the directory once each."""

    directory: Directory
    known: dict[str, str] = field(default_factory=dict)

    def structure(self, code: str) -> str:
        """The structure's name; its code while the directory does not tell."""
        if code not in self.known:
            try:
                found = self.directory.structure(code)
            except DirectoryUnavailable:
                return code
            self.known[code] = found.name if found else code
        return self.known[code]


Reader = Callable[[Own, Names], Values]


def record(own: Own, directory: Directory) -> list[Section]:
    """The sections that have something in them."""
    names = Names(directory)
    sections = []
    for key, title, lines in _SECTIONS:
        present = tuple(
            Line(label, values) for label, read in lines if (values := _distinct(read(own, names)))
        )
        if present:
            sections.append(Section(key, title, present))
    return sections


def state_in_words(own: Own) -> str:
    """The state of the account, with its end if that is known."""
    text = str(_STATES[own.state]) if own.state in _STATES else ""
    until = own.state_dates.until
    if text and until:
        return _("%(state)s : jusqu’au %(day)s inclus") % {"state": text, "day": _day(until)}
    return text


def _distinct(values: Values) -> Values:
    return tuple(dict.fromkeys(one.strip() for one in values if one.strip()))


def _day(value: date) -> str:
    return date_format(value, "DATE_FORMAT")


# Readers


def _plain(*attributes: str) -> Reader:
    return lambda own, _names: tuple(one for name in attributes for one in own.texts(name))


def _address(*attributes: str) -> Reader:
    """Postal addresses (RFC 4517, 3.3.28): $ ends a line; $ and backslash come as hex codes."""

    def read(own: Own, _names: Names) -> Values:
        return tuple(
            ", ".join(
                line.replace("\\24", "$").replace("\\5C", "\\").replace("\\5c", "\\").strip()
                for line in one.split("$")
                if line.strip()
            )
            for name in attributes
            for one in own.texts(name)
        )

    return read


def _dates(*attributes: str) -> Reader:
    def read(own: Own, _names: Names) -> Values:
        texts = (one for name in attributes for one in own.texts(name))
        return tuple(_day(found) if (found := day(one)) else one for one in texts)

    return read


def _codes(*attributes: str) -> Reader:
    """Values of nomenclatures and composite values, each in words as far as it has any."""
    return lambda own, names: tuple(
        _in_words(one, names) for name in attributes for one in own.texts(name)
    )


def _in_words(value: str, names: Names) -> str:
    pairs = _PAIR.findall(value)
    if not pairs:
        return _code(value)
    return ", ".join(
        _("%(what)s : %(value)s")
        % {"what": _KEYS.get(key.lower(), key), "value": _part(key.lower(), text, names)}
        for key, text in pairs
    )


def _part(key: str, text: str, names: Names) -> str:
    if key == "affect":
        return names.structure(text)
    if key == "affil":
        return affiliation_label(text)
    if key == "datefin" and (found := day(text)):
        return _day(found)
    return _code(text)


def _code(text: str) -> str:
    match = _CODE.fullmatch(text)
    return f"{match[2]} ({match[1]})" if match else text


def _gender(own: Own, _names: Names) -> Values:
    return tuple(str(_GENDERS.get(one.lower(), one)) for one in own.texts("supannOIDCGenre"))


def _affiliations(own: Own, _names: Names) -> Values:
    scoped = (one.partition("@")[0] for one in own.texts("eduPersonScopedAffiliation"))
    every = (*own.texts("eduPersonPrimaryAffiliation"), *own.texts("eduPersonAffiliation"), *scoped)
    return tuple(affiliation_label(one) for one in every)


def _main_structure(own: Own, names: Names) -> Values:
    return tuple(names.structure(one) for one in own.texts("supannEntiteAffectationPrincipale"))


def _other_structures(own: Own, names: Names) -> Values:
    main = {one.lower() for one in own.texts("supannEntiteAffectationPrincipale")}
    others = (one for one in own.texts("supannEntiteAffectation") if one.lower() not in main)
    return (*(names.structure(one) for one in others), *own.texts("supannAffectation"))


def _sponsor(own: Own, _names: Names) -> Values:
    # the login in a name such as uid=jmartin,ou=people,…
    return tuple(
        one.partition(",")[0].partition("=")[2] or one for one in own.texts("supannParrainDN")
    )


def _state(own: Own, _names: Names) -> Values:
    return (state_in_words(own),)


def _since(own: Own, _names: Names) -> Values:
    since = own.state_dates.since
    return (_day(since),) if since else ()


def _former(own: Own, _names: Names) -> Values:
    present = own.text("mail").lower()
    return tuple(sorted(one for one in own.texts("supannAutreMail") if one.lower() != present))


_Lines = tuple[tuple[Promise, Reader], ...]
_SECTIONS: tuple[tuple[str, Promise, _Lines], ...] = (
    (
        "identite",
        gettext_lazy("Votre identité"),
        (
            (gettext_lazy("Nom affiché"), _plain("displayName")),
            (gettext_lazy("Civilité"), _plain("supannCivilite")),
            (gettext_lazy("Prénom"), _plain("givenName")),
            (gettext_lazy("Nom"), _plain("sn")),
            (gettext_lazy("Nom de naissance"), _plain("supannNomDeNaissance")),
            (gettext_lazy("Prénoms à l’état civil"), _plain("supannPrenomsEtatCivil")),
            (gettext_lazy("Surnom"), _plain("eduPersonNickname")),
            (gettext_lazy("Sexe à l’état civil"), _gender),
            (
                gettext_lazy("Commune de naissance (code Insee)"),
                _codes("supannCodeINSEEVilleDeNaissance"),
            ),
            (
                gettext_lazy("Pays de naissance (code Insee)"),
                _codes("supannCodeINSEEPaysDeNaissance"),
            ),
            (gettext_lazy("Langue préférée"), _plain("preferredLanguage")),
        ),
    ),
    (
        "universite",
        gettext_lazy("Vous à l’université"),
        (
            (gettext_lazy("Qualité"), _affiliations),
            (
                gettext_lazy("Fonction"),
                _codes("title", "supannActivite", "supannRole", "supannRoleGenerique"),
            ),
            (gettext_lazy("Rôle dans une structure"), _codes("supannRoleEntite")),
            (gettext_lazy("Structure principale"), _main_structure),
            (gettext_lazy("Autres structures"), _other_structures),
            (gettext_lazy("Type de structure"), _codes("supannTypeEntiteAffectation")),
            (gettext_lazy("Établissement"), _codes("supannEtablissement", "supannOrganisme")),
        ),
    ),
    (
        "carriere",
        gettext_lazy("Votre carrière"),
        (
            (gettext_lazy("Corps"), _codes("supannEmpCorps")),
            (gettext_lazy("Situation"), _codes("supannEmpProfil", "supannExtProfil")),
            (gettext_lazy("Population"), _codes("supannCodePopulation")),
            (gettext_lazy("Dernier jour connu"), _dates("supannEmpDateFin", "supannExtDateFin")),
            (gettext_lazy("Personne référente"), _sponsor),
        ),
    ),
    (
        "etudes",
        gettext_lazy("Vos études"),
        (
            (gettext_lazy("Année universitaire"), _plain("supannEtuAnneeInscription")),
            (gettext_lazy("Inscription"), _codes("supannEtuInscription")),
            (
                gettext_lazy("Diplôme"),
                _codes("supannEtuTypeDiplome", "supannEtuDiplome"),
            ),
            (gettext_lazy("Étape"), _codes("supannEtuEtape", "supannEtuCursusAnnee")),
            (gettext_lazy("Éléments pédagogiques"), _codes("supannEtuElementPedagogique")),
            (gettext_lazy("Secteur disciplinaire"), _codes("supannEtuSecteurDisciplinaire")),
            (gettext_lazy("Régime d’inscription"), _codes("supannEtuRegimeInscription")),
            (gettext_lazy("Fin de l’inscription"), _dates("supannEtuDateFin")),
        ),
    ),
    (
        "coordonnees",
        gettext_lazy("Vos coordonnées"),
        (
            (gettext_lazy("Téléphone"), _plain("telephoneNumber", "supannAutreTelephone")),
            (gettext_lazy("Télécopie"), _plain("facsimileTelephoneNumber")),
            (gettext_lazy("Bureau"), _plain("roomNumber", "physicalDeliveryOfficeName")),
            (gettext_lazy("Adresse professionnelle"), _address("postalAddress")),
            (gettext_lazy("Page sur le web"), _plain("labeledURI")),
            (gettext_lazy("Téléphone privé"), _plain("supannTelephonePrive", "mobile")),
            (gettext_lazy("Adresse électronique privée"), _plain("supannMailPrive")),
            (gettext_lazy("Adresse postale privée"), _address("supannAdressePostalePrivee")),
        ),
    ),
    (
        "compte",
        gettext_lazy("Votre compte"),
        (
            (gettext_lazy("Identifiant"), _plain("uid")),
            (gettext_lazy("État du compte"), _state),
            (gettext_lazy("Dans cet état depuis le"), _since),
            (gettext_lazy("Adresse électronique"), _plain("mail")),
            (gettext_lazy("Anciennes et autres adresses"), _former),
        ),
    ),
)
