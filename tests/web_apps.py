"""The web applications in this process: each with its own settings, on one SQLite database.

Django is set up once in a process, with the tables of all applications. Tests
of one application run inside `serving(...)`, which puts its settings in force
as they are in its own process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.test.utils import override_settings

# Not switched: the one database; and logging, which pytest captures.
_COMMON = {"DATABASES", "DATABASE_ROUTERS", "LOGGING"}
SITE = {
    "university": "Université de Provence",
    "support_phone": "04 65 71 00 10",
    "support_mail": "assistance@univ-provence.fr",
}
CAS = "https://cas.univ-provence.fr/cas/"
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


def web_settings(url: str, **more: Any) -> dict[str, Any]:
    """What every settings file holds (ent.web.config.WebConfig)."""
    return {
        "url": url,
        "secret_key": "k" * 50,
        "cas_url": CAS,
        "ca_file": CA_FILE,
        "session_hours": 10,
        "site": SITE,
        "database": {"name": ":memory:"},
    } | more


def ldap_settings(identity: str) -> dict[str, Any]:
    """A directory that no test reaches."""
    return {
        "uri": "ldaps://ldap.invalid",
        "suffix": "dc=univ-provence,dc=fr",
        "bind_dn": f"cn={identity},ou=system,dc=univ-provence,dc=fr",
        "password": "secret",
        "ca_file": CA_FILE,
        "connect_timeout": 1,
        "timeout": 1,
    }


def settings_of(module: str, variable: str, content: dict[str, Any]) -> dict[str, Any]:
    """The Django settings that `module` makes of a settings file named by `variable`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(content))
        os.environ[variable] = str(path)
        try:
            sys.modules.pop(module, None)
            loaded = importlib.import_module(module)
        finally:
            del os.environ[variable]
    return {name: getattr(loaded, name) for name in dir(loaded) if name.isupper()}


def start() -> None:
    """Set Django up, once in the process, with the tables of every application."""
    if settings.configured:
        return
    import annuaire_app  # noqa: PLC0415
    import portal_app  # noqa: PLC0415

    values = portal_app.django_settings()
    installed = dict.fromkeys(values["INSTALLED_APPS"])
    for other in (annuaire_app.public_settings(), annuaire_app.helpdesk_settings()):
        installed |= dict.fromkeys(other["INSTALLED_APPS"])
    values["INSTALLED_APPS"] = list(installed)
    settings.configure(**values)
    django.setup()
    call_command("migrate", verbosity=0)


@contextmanager
def serving(values: dict[str, Any]) -> Iterator[None]:
    """Put an application's settings in force."""
    start()
    changed = {name: value for name, value in values.items() if name not in _COMMON}
    with override_settings(**changed):
        yield
