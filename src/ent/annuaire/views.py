"""The health pages of the two processes; nginx lets this host and monitoring ask."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ent.annuaire.directory import directory_as
from ent.web.health import NotWell, database_answers, health_report


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Say ok or ko of what the public process needs."""
    return health_report(
        {
            "base": database_answers,
            "annuaire": lambda: directory_as("search").ping(),
            "index": _index_follows,
        }
    )


def _index_follows() -> None:
    # only the public process has these tables
    from ent.annuaire.search.models import Progress  # noqa: PLC0415

    checked = Progress.objects.values_list("checked_at", flat=True).first()
    patience = timedelta(seconds=max(600, 10 * settings.ANNUAIRE.search.index_seconds))
    if checked is None or timezone.now() - checked > patience:
        raise NotWell(f"the index was last brought up to date at {checked}: ent-annuaire-index")


@require_safe
def health_helpdesk(request: HttpRequest) -> HttpResponse:
    """Say ok or ko of what the help desk needs."""
    return health_report(
        {"base": database_answers, "annuaire": lambda: directory_as("helpdesk").ping()}
    )
