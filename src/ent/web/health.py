"""What an application says about its own health (`/sante`)."""

import logging
from collections.abc import Callable, Mapping

from django.db import DatabaseError, connection
from django.http import HttpResponse, JsonResponse

from ent.directory import DirectoryUnavailable

log = logging.getLogger(__name__)


class NotWell(Exception):  # noqa: N818
    """Something an application needs is not as it should be; the message is for the log."""


def database_answers() -> None:
    """Return when the database answers and holds the application's tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_session LIMIT 1")


def health_report(checks: Mapping[str, Callable[[], object]]) -> HttpResponse:
    """Answer `{"name": "ok" or "ko", …}`, with status 503 when something is ko.

    checks: one function for each thing the application needs; it raises
        DatabaseError, DirectoryUnavailable or NotWell when that is not there. Why it is
        not goes to the log, not into the answer.
    """
    state = {}
    for name, check in checks.items():
        try:
            check()
        except (DatabaseError, DirectoryUnavailable, NotWell) as error:
            log.error("health: %s: %s", name, error)
            state[name] = "ko"
        else:
            state[name] = "ok"
    return JsonResponse(state, status=200 if set(state.values()) <= {"ok"} else 503)
