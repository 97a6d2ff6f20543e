"""Pages that say one thing: what went wrong and what to do now."""

import logging
import sys
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from ent.directory import DirectoryUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Action:
    """What the person can do: a link, or a form that posts nothing but its CSRF token."""

    label: str
    url: str
    post: bool = False


def site(request: HttpRequest) -> dict[str, object]:
    """Context processor: what every page says about the university. Reads no database."""
    return {
        "site": settings.ENT_SITE,
        "languages": settings.LANGUAGES,
        "page_path": _path(request),
        "home_path": reverse("home"),
    }


def _path(request: HttpRequest) -> str:
    # where the language switch returns to: only pages that can be had again by GET
    try:
        again = request.method == "GET" and "ticket" not in request.GET
    except SuspiciousOperation:
        # more parameters than Django reads; this is asked for the page that says so, too
        again = False
    return request.get_full_path() if again else reverse("home")


def message(
    request: HttpRequest,
    status: int,
    title: str,
    *paragraphs: str,
    actions: tuple[Action, ...] = (),
) -> HttpResponse:
    """A whole page with one message, for any HTTP status."""
    response = render(
        request,
        "ent/message.html",
        {"title": title, "paragraphs": paragraphs, "actions": actions, "problem": status >= 400},
        status=status,
    )
    if status == 503:
        response["Retry-After"] = "60"
    return response


def _home() -> Action:
    return Action(_("Revenir à l’accueil"), reverse("home"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handler of 400."""
    return message(
        request,
        400,
        _("Demande incomprise"),
        _("Le serveur n’a pas compris la demande de votre navigateur."),
        actions=(_home(),),
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handler of 403."""
    return message(
        request,
        403,
        _("Accès refusé"),
        _("Vous n’avez pas accès à cette page."),
        actions=(_home(),),
    )


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF failure: nearly always a page that stayed open for long, or refused cookies."""
    log.info("form refused on %s: %s", request.path, reason)
    return message(
        request,
        403,
        _("Formulaire expiré"),
        _("La page est restée ouverte trop longtemps, ou votre navigateur refuse les cookies."),
        _("Revenez à l’accueil et recommencez."),
        actions=(_home(),),
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handler of 404."""
    return message(
        request,
        404,
        _("Page introuvable"),
        _("Cette adresse ne correspond à aucune page. Vérifiez-la, ou repartez de l’accueil."),
        actions=(_home(),),
    )


def failure(request: HttpRequest) -> HttpResponse:
    """Handler of uncaught errors; what is down is told apart from a fault of ours."""
    error = sys.exc_info()[1]
    if isinstance(error, DirectoryUnavailable):
        return message(
            request,
            503,
            _("Annuaire momentanément indisponible"),
            _("L’annuaire de l’université ne répond pas pour l’instant."),
            _("Réessayez dans quelques minutes."),
            actions=(Action(_("Réessayer"), _path(request)),),
        )
    if isinstance(error, OperationalError | InterfaceError):
        return message(
            request,
            503,
            _("Service momentanément indisponible"),
            _("Une partie de l’ENT ne répond pas pour l’instant. Votre compte n’est pas en cause."),
            _("Réessayez dans quelques minutes."),
            actions=(Action(_("Réessayer"), _path(request)),),
        )
    return message(
        request,
        500,
        _("Erreur de l’ENT"),
        _("Une erreur s’est produite de notre côté. Elle a été enregistrée."),
        _("Si elle se répète, prévenez l’assistance en donnant l’heure de l’erreur."),
        actions=(_home(),),
    )
