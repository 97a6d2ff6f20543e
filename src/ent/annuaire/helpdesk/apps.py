"""Registration of the help desk with Django."""

from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings
from django.utils import timezone


class HelpdeskAppConfig(AppConfig):
    """Help desk: pages, codes, audit trail, and what each process may do with these tables."""

    name = "ent.annuaire.helpdesk"
    label = "helpdesk"
    # role -> table -> rights (ent.annuaire.database); the trail is written and read, never altered
    database_grants: dict[str, dict[str, str]] = {  # noqa: RUF012
        "helpdesk": {
            "helpdesk_onetimecode": "SELECT, INSERT, UPDATE, DELETE",
            "helpdesk_trailline": "SELECT, INSERT",
        }
    }

    def clean(self) -> int:
        """Remove dead codes, and lines that were kept for long enough; how many rows."""
        from ent.annuaire.helpdesk.storage import DatabaseStore  # noqa: PLC0415 - needs the apps

        store = DatabaseStore()
        days = settings.ANNUAIRE.helpdesk.audit_days
        return store.clear_codes(timezone.now() - timedelta(days=1)) + store.expire(days)
