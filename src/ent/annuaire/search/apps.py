"""Registration of the search with Django."""

from django.apps import AppConfig


class SearchAppConfig(AppConfig):
    """Search: pages, index, and what the public process may do with its tables."""

    name = "ent.annuaire.search"
    label = "search"
    # role -> table -> rights (ent.annuaire.database)
    database_grants: dict[str, dict[str, str]] = {  # noqa: RUF012
        "annuaire": {
            f"search_{table}": "SELECT, INSERT, UPDATE, DELETE"
            for table in ("person", "membership", "misspelling", "progress", "allowance")
        }
    }

    def clean(self) -> int:
        """What the nightly timer removes (`ent-annuaire public clean`)."""
        from ent.annuaire.search.allowance import clear  # noqa: PLC0415

        return clear()
