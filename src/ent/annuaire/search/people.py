"""People as the public sees them, read from the directory at each page.

The identity annuaire-search gets nothing else from the directory: red list,
closed accounts and hidden telephones are its access rules, so they count from
the moment they are written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ent.annuaire.references import reference_of
from ent.directory import AccountState, Directory, Entry, Scope, any_of, equals
from ent.web.affiliations import affiliation_label

ATTRIBUTES = (
    "uid",
    "displayName",
    "givenName",
    "sn",
    "cn",
    "title",
    "eduPersonPrimaryAffiliation",
    "supannEntiteAffectation",
    "supannEntiteAffectationPrincipale",
)
# What only the page of a person shows.
DETAILS = (*ATTRIBUTES, "telephoneNumber", "mail", "labeledURI")
_TELEPHONE = re.compile(r"\+?[0-9 .()/-]{4,30}")


@dataclass(frozen=True, slots=True)
class Link:
    """A page on the web that somebody names as theirs."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class PublicPerson:
    """What pages may show.

    reference: stands for the login in addresses (`ent.annuaire.references`).
    function: the title, or the affiliation in words.
    structures: codes, the main one first.
    mail: the address in the directory; pages show it once the account is active.
    """

    reference: str
    uid: str
    name: str
    function: str
    structures: tuple[str, ...]
    telephones: tuple[str, ...]
    mail: str
    links: tuple[Link, ...]


def read(directory: Directory, uids: Iterable[str]) -> dict[str, PublicPerson]:
    """Those of these people whom the directory shows, by login. Raises DirectoryUnavailable."""
    asked = list(uids)
    if not asked:
        return {}
    entries = directory.search(
        _base(directory),
        any_of(*(equals("uid", uid) for uid in asked)),
        ATTRIBUTES,
        Scope.CHILDREN,
    )
    people = [person_of(entry) for entry in entries]
    return {person.uid: person for person in people}


def read_one(directory: Directory, uid: str) -> PublicPerson | None:
    """Everything public about a person; None when the directory shows no such person."""
    entry = directory.one(_base(directory), equals("uid", uid), DETAILS, Scope.CHILDREN)
    return person_of(entry) if entry else None


def account_state(directory: Directory, uid: str) -> AccountState | None:
    """The state of an account, as the identity annuaire-activation sees it.

    annuaire-search does not read states. Ask for people only whom it has shown.
    """
    entry = directory.one(
        _base(directory), equals("uid", uid), ("supannRessourceEtat",), Scope.CHILDREN
    )
    return AccountState.of(entry.texts("supannRessourceEtat")) if entry else None


def person_of(entry: Entry) -> PublicPerson:
    """From an entry read with ATTRIBUTES or DETAILS."""
    main = entry.texts("supannEntiteAffectationPrincipale")
    uid = entry.text("uid").lower()
    return PublicPerson(
        reference=reference_of(uid),
        uid=uid,
        name=entry.name,
        function=", ".join(entry.texts("title"))
        or affiliation_label(entry.text("eduPersonPrimaryAffiliation")),
        structures=tuple(dict.fromkeys(main + entry.texts("supannEntiteAffectation"))),
        telephones=tuple(
            one for one in entry.texts("telephoneNumber") if _TELEPHONE.fullmatch(one)
        ),
        mail=entry.text("mail"),
        links=tuple(link for text in entry.texts("labeledURI") if (link := link_of(text))),
    )


def link_of(text: str) -> Link | None:
    """A value of labeledURI (RFC 2079: address, space, label); None unless it is https."""
    address, _, label = text.strip().partition(" ")
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme != "https" or not host or not address.isprintable():
        return None
    return Link(address, label.strip() or host)


def _base(directory: Directory) -> str:
    return f"ou=people,{directory.settings.suffix}"
