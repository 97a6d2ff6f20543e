"""Who is signed in, as the pages show it: from the directory, or from CAS while that is down."""

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from ent.directory import Directory, DirectoryUnavailable, Person
from ent.web.affiliations import affiliation_label
from ent.web.directory import directory_of

log = logging.getLogger(__name__)


class NotAllowed(Exception):  # noqa: N818
    """A person who is who they say has no business in the portal; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the pages show of a person. `complete` is False when the directory did not answer."""

    uid: str
    name: str
    given_name: str
    mail: str
    affiliation: str
    structure: str
    affiliations: tuple[str, ...]
    complete: bool


@functools.cache
def directory() -> Directory:
    """The process's connections to the directory."""
    return directory_of(settings.PORTAL.ldap)


def profile_of(source: Directory, uid: str, released: Mapping[str, Any]) -> Profile:
    """The profile of the person with login `uid`.

    released: the attributes CAS gave at sign-in, used while the directory is down.
    Raises NotAllowed when the directory says there is no such person, or that
    their account may not sign in (any more).
    """
    try:
        person = source.person(uid)
    except DirectoryUnavailable as error:
        log.warning("directory: %s", error)
        return _from_cas(uid, released)
    if person is None:
        raise NotAllowed(f"{uid} has no entry in the directory")
    if person.state is None or not person.state.may_sign_in:
        state = person.state.name if person.state else "in an unknown state"
        raise NotAllowed(f"the account of {uid} is {state}")
    return _from_directory(source, person)


def _from_directory(source: Directory, person: Person) -> Profile:
    structure, complete = person.main_structure, True
    if person.main_structure:
        try:
            found = source.structure(person.main_structure)
            structure = found.name if found else person.main_structure
        except DirectoryUnavailable as error:
            log.warning("directory: %s", error)
            complete = False
    return Profile(
        uid=person.uid,
        name=person.display_name,
        given_name=person.given_name,
        mail=person.mail,
        affiliation=affiliation_label(person.primary_affiliation),
        structure=structure,
        affiliations=person.affiliations,
        complete=complete,
    )


def _from_cas(uid: str, released: Mapping[str, Any]) -> Profile:
    def texts(name: str) -> tuple[str, ...]:
        value = released.get(name)
        return (
            tuple(value)
            if isinstance(value, list)
            else (value,)
            if isinstance(value, str) and value
            else ()
        )

    def text(name: str) -> str:
        return next(iter(texts(name)), "")

    return Profile(
        uid=uid,
        name=text("displayName") or f"{text('givenName')} {text('sn')}".strip() or uid,
        given_name=text("givenName"),
        mail=text("mail"),
        affiliation=affiliation_label(text("eduPersonPrimaryAffiliation")),
        structure=text("supannEntiteAffectationPrincipale"),
        affiliations=texts("eduPersonAffiliation"),
        complete=False,
    )
