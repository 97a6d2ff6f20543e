"""What the directory holds, as typed objects."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from ent.directory.filters import Filter, any_of, equals
from ent.directory.times import day


class AccountState(enum.Enum):
    """State of an account: the `{COMPTE}` value of supannRessourceEtat (SupAnn)."""

    PRE_CREATED = "{COMPTE}I:SupannPrecree"
    ACTIVE = "{COMPTE}A:SupannActif"
    GRACE = "{COMPTE}A:SupannSursis"
    # by the administration; only the administration ends it
    SUSPENDED = "{COMPTE}S:SupannVerrouAdministratif"
    # by the feed, when the grace period after a departure is over
    DEPARTED = "{COMPTE}S:SupannVerrouTechnique"
    EXPIRED = "{COMPTE}I:SupannExpire"

    @property
    def may_sign_in(self) -> bool:
        """Active accounts sign in, and those in the grace period after a departure."""
        return self in (AccountState.ACTIVE, AccountState.GRACE)

    @property
    def receives_mail(self) -> bool:
        """Suspended accounts still receive; pre-created and expired ones do not."""
        return self not in (AccountState.PRE_CREATED, AccountState.EXPIRED)

    @classmethod
    def sign_in_filter(cls) -> Filter:
        """Matches the accounts that may sign in (`ent_account_signin_filter`)."""
        return any_of(
            *(equals("supannRessourceEtat", state.value) for state in cls if state.may_sign_in)
        )

    @classmethod
    def of(cls, values: tuple[str, ...]) -> "AccountState | None":
        """Return the account's state among the values of supannRessourceEtat.

        The attribute also holds states of other resources ({MAIL}…). None when
        no account state is there, or one this software does not know: both
        count as "may not sign in".
        """
        found = [value for value in values if value.upper().startswith("{COMPTE}")]
        if len(found) != 1:
            return None
        by_value = {state.value.lower(): state for state in cls}
        return by_value.get(found[0].lower())

    def dates(self, values: tuple[str, ...]) -> tuple[date | None, date | None]:
        """Since when an account is in this state, and until when, as far as that is known.

        values: of supannRessourceEtatDate, `{COMPTE}A:SupannSursis:20260901:20261130`. They may
        be about another state: activation dates nothing, the feed will.
        """
        beginning = f"{self.value}:".lower()
        for value in values:
            if value.lower().startswith(beginning):
                since, _, until = value[len(beginning) :].partition(":")
                return day(since), day(until)
        return None, None


@dataclass(frozen=True, slots=True)
class Entry:
    """An LDAP entry: its name and values, attribute names without regard to case."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def from_ldap(cls, dn: str, attributes: Mapping[str, list[bytes]]) -> Self:
        """From what python-ldap returns."""
        return cls(dn, {name.lower(): tuple(values) for name, values in attributes.items()})

    def texts(self, attribute: str) -> tuple[str, ...]:
        """All values of `attribute` as text; empty when it is absent or unreadable."""
        return tuple(
            value.decode("utf-8", "replace") for value in self.attributes.get(attribute.lower(), ())
        )

    def text(self, attribute: str) -> str:
        """The first value of `attribute`, or "" when there is none."""
        return next(iter(self.texts(attribute)), "")

    @property
    def name(self) -> str:
        """What a person is called: displayName, else given name and surname, else cn."""
        return (
            self.text("displayName")
            or f"{self.text('givenName')} {self.text('sn')}".strip()
            or self.text("cn")
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A person of ou=people, as far as the reading identity may see."""

    dn: str
    uid: str
    display_name: str
    given_name: str
    surname: str
    mail: str
    primary_affiliation: str
    affiliations: tuple[str, ...]
    main_structure: str
    state: AccountState | None

    ATTRIBUTES = (
        "uid",
        "displayName",
        "cn",
        "givenName",
        "sn",
        "mail",
        "eduPersonPrimaryAffiliation",
        "eduPersonAffiliation",
        "supannEntiteAffectationPrincipale",
        "supannRessourceEtat",
    )

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """From an entry read with ATTRIBUTES."""
        return cls(
            dn=entry.dn,
            uid=entry.text("uid"),
            display_name=entry.name,
            given_name=entry.text("givenName"),
            surname=entry.text("sn"),
            mail=entry.text("mail"),
            primary_affiliation=entry.text("eduPersonPrimaryAffiliation"),
            affiliations=entry.texts("eduPersonAffiliation"),
            main_structure=entry.text("supannEntiteAffectationPrincipale"),
            state=AccountState.of(entry.texts("supannRessourceEtat")),
        )


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure of ou=structures: a faculty, a laboratory, a department."""

    dn: str
    code: str
    name: str
    parent: str

    ATTRIBUTES = ("supannCodeEntite", "ou", "description", "supannCodeEntiteParent")

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """From an entry read with ATTRIBUTES."""
        code = entry.text("supannCodeEntite")
        return cls(
            dn=entry.dn,
            code=code,
            # description is the name in full, ou often an acronym
            name=entry.text("description") or entry.text("ou") or code,
            parent=entry.text("supannCodeEntiteParent"),
        )
