"""Registration of the own page with Django."""

from django.apps import AppConfig


class AccountAppConfig(AppConfig):
    """Pages only: what people change is in the directory, tries are counted by the limits."""

    name = "ent.annuaire.account"
    label = "annuaire_account"
    # role -> table -> rights (ent.annuaire.database)
    database_grants: dict[str, dict[str, str]] = {}  # noqa: RUF012
