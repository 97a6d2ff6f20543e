"""The two processes of the annuaire in this process (see web_apps).

annuaire_app.start()          # at the head of a test module, before importing models

@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with annuaire_app.public():      # or helpdesk()
        yield
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import web_apps

URL = "https://annuaire.univ-provence.fr"
# What a browser's request looks like behind nginx: django.test.Client(headers=HEADERS).
HEADERS = {
    "host": "annuaire.univ-provence.fr",
    "x-forwarded-proto": "https",
    "x-forwarded-for": "192.0.2.7",
    "origin": URL,
}

SEARCH = {
    "not_found": [
        {
            "fr": "Vous venez d’arriver ? Demandez à la division du personnel.",
            "en": "New here? Ask the personnel division.",
        }
    ],
    "personnel_phone": "04 65 71 00 30",
    "page_size": 20,
    "result_limit": 100,
    "hourly_results": 300,
    "unlimited_networks": [],
    "index_seconds": 30,
    "index_full_hours": 24,
}
ACTIVATION = {
    "domain": "univ-provence.fr",
    "legacy_domains": ["up.univ-aix.fr", "up.univ-mrs.fr"],
    "portal_url": "https://ent.univ-provence.fr/",
    "lists_url": "https://ent.univ-provence.fr/mes-listes",
    "no_code": [{"fr": "Adressez-vous à la division du personnel.", "en": "Ask personnel."}],
    "personnel_phone": "04 65 71 00 30",
}
HELPDESK: dict[str, Any] = {
    "staff_group": "cn=helpdesk,ou=groups,dc=univ-provence,dc=fr",
    "auditors_group": "cn=auditors,ou=groups,dc=univ-provence,dc=fr",
    "code_key": "c" * 50,
    "portal_url": "https://ent.univ-provence.fr/",
    "sign_on": {"database": {"name": ":memory:"}, "failures_key": "f" * 50},
}


def settings(**changes: Any) -> dict[str, Any]:
    """Content of the public process's settings file."""
    ldap = {
        name: web_apps.ldap_settings(f"annuaire-{name}")
        for name in ("search", "activation", "account")
    }
    return web_apps.web_settings(URL, ldap=ldap, search=SEARCH, activation=ACTIVATION) | changes


def helpdesk_file(**changes: Any) -> dict[str, Any]:
    """Content of the help desk's settings file."""
    ldap = {"helpdesk": web_apps.ldap_settings("annuaire-helpdesk")}
    return web_apps.web_settings(URL, ldap=ldap, helpdesk=HELPDESK) | changes


def public_settings(**changes: Any) -> dict[str, Any]:
    """Django settings of the public process."""
    return web_apps.settings_of(
        "ent.annuaire.settings", "ENT_ANNUAIRE_SETTINGS", settings(**changes)
    )


def helpdesk_settings(**changes: Any) -> dict[str, Any]:
    """Django settings of the help desk's process."""
    return web_apps.settings_of(
        "ent.annuaire.settings_helpdesk", "ENT_HELPDESK_SETTINGS", helpdesk_file(**changes)
    )


def start() -> None:
    """Set Django up, once in the process, with tables."""
    web_apps.start()


def public(**changes: Any) -> AbstractContextManager[None]:
    """Serve as the public process does; changes: of its settings file."""
    return web_apps.serving(public_settings(**changes))


def helpdesk(**changes: Any) -> AbstractContextManager[None]:
    """Serve as the help desk's process does; changes: of its settings file."""
    return web_apps.serving(helpdesk_settings(**changes))
