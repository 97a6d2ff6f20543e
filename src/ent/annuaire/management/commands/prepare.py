"""`ent-annuaire owner prepare`: bring the database to this release."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from ent.annuaire.database import prepare_schemas, reconcile_grants


class Command(BaseCommand):
    """Schemas, tables, rights; prints a line with "Changed:" or "Applying" for each change."""

    help = "Create schemas, migrate the tables of both processes, and give them their rights."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a second time changes nothing."""
        if "helpdesk" not in settings.DATABASES:
            raise CommandError("this is for the owner of the tables: ent-annuaire owner prepare")
        try:
            self._prepare()
        except DatabaseError as error:
            at = settings.DATABASES["default"]
            raise CommandError(
                f"{str(error).strip()}\n"
                f"Database {at['NAME']} at {at['HOST']}, role {at['USER']} (owner.json). "
                "What this host is allowed there: postgresql_clients, nftables on that host."
            ) from error

    def _prepare(self) -> None:
        for change in prepare_schemas():
            self.stdout.write(f"Changed: {change}")
        for database in ("default", "helpdesk"):
            call_command("migrate", database=database, interactive=False, stdout=self.stdout)
        for change in reconcile_grants():
            self.stdout.write(f"Changed: {change}")
