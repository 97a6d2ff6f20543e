"""Registration of the limits with Django."""

from django.apps import AppConfig


class LimitsConfig(AppConfig):
    """The table of counts."""

    name = "ent.annuaire.limits"
    label = "annuaire_limits"
    # role -> table -> rights (ent.annuaire.database)
    database_grants: dict[str, dict[str, str]] = {  # noqa: RUF012
        "annuaire": {"annuaire_limits_count": "SELECT, INSERT, UPDATE, DELETE"},
        # counts tries of codes, and lifts
        "helpdesk": {"annuaire_limits_count": "SELECT, INSERT, UPDATE, DELETE"},
    }

    def clean(self) -> int:
        """What the nightly timer removes (`ent-annuaire PROCESS clean`)."""
        from ent.annuaire.limits.attempts import limits  # noqa: PLC0415

        return limits().clear()
