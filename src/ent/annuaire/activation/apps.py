"""Registration of the activation with Django."""

from django.apps import AppConfig


class ActivationAppConfig(AppConfig):
    """Activation: pages, tables of its limits, and what each process may do with them."""

    name = "ent.annuaire.activation"
    label = "activation"
    # role -> table -> rights (ent.annuaire.database)
    database_grants: dict[str, dict[str, str]] = {}  # noqa: RUF012
