"""The portal in this process: settings, an SQLite database, a directory that tests control."""

from __future__ import annotations

import json
import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import django
from babel.messages.extract import extract_python
from django.core.management import call_command

from ent.directory import AccountState, Directory, DirectoryUnavailable, Person, Structure

URL = "https://ent.univ-provence.fr"
CAS = "https://cas.univ-provence.fr/cas/"
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
    return {
        "url": URL,
        "secret_key": "k" * 50,
        "cas_url": CAS,
        "ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "session_hours": 10,
        "site": {
            "university": "Université de Provence",
            "support_phone": "04 65 71 00 10",
            "support_mail": "assistance@univ-provence.fr",
        },
        "ldap": {
            "uri": "ldaps://ldap.invalid",
            "suffix": "dc=univ-provence,dc=fr",
            "bind_dn": "cn=portal,ou=system,dc=univ-provence,dc=fr",
            "password": "secret",
            "ca_file": "/etc/ssl/certs/ca-certificates.crt",
            "connect_timeout": 1,
            "timeout": 1,
        },
        "database": {"name": ":memory:"},
        "services": SERVICES,
    } | changes


def start() -> None:
    """Set Django up, once in the process, with tables."""
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(settings()))
        os.environ["ENT_PORTAL_SETTINGS"] = str(path)
        os.environ["DJANGO_SETTINGS_MODULE"] = "ent.portal.settings"
        django.setup()
        call_command("migrate", verbosity=0)


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


def messages_of(package: Path) -> dict[str, str]:
    """Every translatable text in the sources under `package`, and a file it is in."""
    from django.utils.translation.template import templatize  # noqa: PLC0415

    found: dict[str, str] = {}
    keywords = {"gettext": None, "gettext_lazy": None, "_": None}
    for path in [*package.rglob("*.html"), *package.rglob("*.py")]:
        text = path.read_text()
        if path.suffix == ".html":
            text = templatize(text, origin=str(path))
        for _, _, texts, _ in extract_python(BytesIO(text.encode()), keywords, [], {}):
            for one in [texts] if isinstance(texts, str) else texts:
                if one:
                    found[one] = path.name
    return found
