"""`ent-annuaire PROCESS clean`: what the nightly timer removes."""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Expired sessions, and what each app says is of no use any more."""

    help = "Remove expired sessions; then call clean() of every AppConfig that has it."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        call_command("clearsessions")
        call_command("django_cas_ng_clean_sessions")
        for app in apps.get_app_configs():
            clean = getattr(app, "clean", None)
            if clean is not None:
                removed = clean()
                if removed:
                    self.stdout.write(f"{app.label}: {removed} row(s) removed")
