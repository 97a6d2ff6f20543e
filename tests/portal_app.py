"""The portal in this process: settings, an SQLite database, a directory that tests control."""

from __future__ import annotations

from typing import Any

import web_apps
from ent.directory import AccountState, Directory, DirectoryUnavailable, Person, Structure

URL = "https://ent.univ-provence.fr"
CAS = web_apps.CAS
SERVICES = [
    {"name": {"fr": "Pour tous", "en": "For all"}, "url": "/x", "description": "Un"},
    {
        "name": "Paie",
        "url": "https://paie.example/",
        "description": "Deux",
        "affiliations": ["employee"],
        "icon": "payslip",
    },
    {
        "name": "Crous",
        "url": "https://crous.example/",
        "description": "Trois",
        "affiliations": ["student"],
    },
]


def settings(**changes: Any) -> dict[str, Any]:
    """Content of a settings file."""
    own = {"ldap": web_apps.ldap_settings("portal"), "services": SERVICES}
    return web_apps.web_settings(URL, **own) | changes


def django_settings() -> dict[str, Any]:
    """The portal's Django settings."""
    return web_apps.settings_of("ent.portal.settings", "ENT_PORTAL_SETTINGS", settings())


def start() -> None:
    """Set Django up, once in the process, with tables."""
    web_apps.start()


class FakeDirectory(Directory):
    """People and structures given by the test; `down` makes it silent."""

    def __init__(self, *people: Person, structures: dict[str, str] | None = None) -> None:
        self.people = {person.uid: person for person in people}
        self.structures = structures or {}
        self.down = False

    def person(self, uid: str) -> Person | None:
        if self.down:
            raise DirectoryUnavailable("down")
        return self.people.get(uid)

    def structure(self, code: str) -> Structure | None:
        if self.down:
            raise DirectoryUnavailable("down")
        name = self.structures.get(code)
        return Structure(f"supannCodeEntite={code}", code, name, "") if name else None

    def ping(self) -> None:
        if self.down:
            raise DirectoryUnavailable("down")


def person(uid: str = "jmartin", **changes: Any) -> Person:
    """Jeanne Martin, or somebody near."""
    values: dict[str, Any] = {
        "dn": f"uid={uid},ou=people,dc=univ-provence,dc=fr",
        "uid": uid,
        "display_name": "Jeanne Martin",
        "given_name": "Jeanne",
        "surname": "Martin",
        "mail": "jeanne.martin@univ-provence.fr",
        "primary_affiliation": "staff",
        "affiliations": ("employee", "staff", "member"),
        "main_structure": "DSI",
        "state": AccountState.ACTIVE,
    }
    return Person(**(values | changes))
