"""Which schema an app's tables are in, and what each process may do with them.

The database `annuaire` has two schemas, named after the role that works there.
Each has its own sessions, accounts and tickets (the framework's tables), so that
neither process can read or forge a sign-in of the other.

An app says what the processes need of its tables in an attribute of its AppConfig:

    database_grants = {
        "annuaire": {"search_person": "SELECT, INSERT, UPDATE, DELETE"},
        "helpdesk": {"annuaire_limits_count": "SELECT, DELETE"},
    }

role -> table -> rights. What is not named is refused: `ent-annuaire owner prepare`
grants and revokes until the database says the same.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction

# The schemas, and the roles that work in each one.
ROLES = ("annuaire", "helpdesk")
# Apps whose tables are in the schema helpdesk; all others of ours are in annuaire.
HELPDESK_APPS = frozenset({"helpdesk"})
# Apps whose tables each schema has for itself, and what its role does with them.
FRAMEWORK_APPS = frozenset({"auth", "contenttypes", "django_cas_ng", "sessions"})
FRAMEWORK_GRANTS = {
    "django_session": "SELECT, INSERT, UPDATE, DELETE",
    "django_cas_ng_sessionticket": "SELECT, INSERT, UPDATE, DELETE",
    "django_cas_ng_proxygrantingticket": "SELECT, INSERT, UPDATE, DELETE",
    "auth_user": "SELECT, INSERT, UPDATE",
}
# Schemas besides its own in which a role may look up tables.
SEES = {"annuaire": ("annuaire",), "helpdesk": ("helpdesk", "annuaire")}

Grants = dict[tuple[str, str, str], set[str]]


class Router:
    """Where migrations make tables. At run time each process has one connection."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Whether the tables of `app_label` are in the schema of the connection `db`."""
        if len(settings.DATABASES) == 1 or app_label in FRAMEWORK_APPS:
            return True  # one database: development and tests, where everything is together
        return (app_label in HELPDESK_APPS) == (db == "helpdesk")


def prepare_schemas() -> Iterator[str]:
    """Create what migrations presuppose; yield what was not there."""
    with connections["default"].cursor() as cursor:
        for schema in ROLES:
            cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
            if not cursor.fetchone():
                cursor.execute(f"CREATE SCHEMA {schema}")
                yield f"schema {schema}"
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        if not cursor.fetchone():
            # "trusted": the owner of a database may, since PostgreSQL 13
            cursor.execute("CREATE EXTENSION pg_trgm SCHEMA public")
            yield "extension pg_trgm"


def wanted_grants() -> Grants:
    """(role, schema, table) -> rights, as the apps declare them; a table "" is the schema."""
    wanted: Grants = defaultdict(set)
    for role in ROLES:
        for schema in SEES[role]:
            wanted[role, schema, ""] = {"USAGE"}
        for table, rights in FRAMEWORK_GRANTS.items():
            wanted[role, role, table] |= _rights(rights)
    for app in apps.get_app_configs():
        schema = "helpdesk" if app.label in HELPDESK_APPS else "annuaire"
        for role, tables in getattr(app, "database_grants", {}).items():
            for table, rights in tables.items():
                wanted[role, schema, table] |= _rights(rights)
    return wanted


def reconcile_grants() -> Iterator[str]:
    """Grant what is declared, revoke what is not; yield each change."""
    wanted = wanted_grants()
    with transaction.atomic("default"), connections["default"].cursor() as cursor:
        present: Grants = defaultdict(set)
        cursor.execute(_PRESENT, {"roles": list(ROLES), "schemas": list(ROLES)})
        for role, schema, table, right in cursor.fetchall():
            present[role, schema, table].add(right)
        for key in sorted(wanted.keys() | present.keys()):
            role, schema, table = key
            on = f'TABLE "{schema}"."{table}"' if table else f'SCHEMA "{schema}"'
            for verb, preposition, rights in (
                ("GRANT", "TO", wanted[key] - present[key]),
                ("REVOKE", "FROM", present[key] - wanted[key]),
            ):
                if rights:
                    statement = f'{verb} {", ".join(sorted(rights))} ON {on} {preposition} "{role}"'
                    cursor.execute(statement)
                    yield statement


def _rights(text: str) -> set[str]:
    return {right.strip().upper() for right in text.split(",")}


_PRESENT = """
SELECT pg_get_userbyid(grantee), nspname, relname, privilege_type
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, aclexplode(relacl)
 WHERE nspname = ANY(%(schemas)s) AND pg_get_userbyid(grantee) = ANY(%(roles)s)
   AND relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT pg_get_userbyid(grantee), nspname, '', privilege_type
  FROM pg_namespace, aclexplode(nspacl)
 WHERE nspname = ANY(%(schemas)s) AND pg_get_userbyid(grantee) = ANY(%(roles)s)
"""
