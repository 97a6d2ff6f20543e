"""The portal's pages. Thin: what happens is in cas, profile and services."""

import functools
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import DatabaseError, connection
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ent.directory import DirectoryUnavailable
from ent.portal import cas
from ent.portal.cas_http import CasUnavailable, Probe
from ent.portal.profile import NotAllowed, Profile, directory, profile_of
from ent.portal.services import cards_for
from ent.web.pages import Action, message

log = logging.getLogger(__name__)
Parameters = ParamSpec("Parameters")


@functools.cache
def cas_probe() -> Probe:
    """The process's knowledge of whether the CAS server answers."""
    return Probe(f"{settings.CAS_SERVER_URL}login", settings.PORTAL.ca_file)


def with_profile(
    view: Callable[Concatenate[HttpRequest, Profile, Parameters], HttpResponse],
) -> Callable[Concatenate[HttpRequest, Parameters], HttpResponse]:
    """Give a view the profile of who is signed in; those not allowed get a page that says so."""

    @functools.wraps(view)
    def wrapped(
        request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        released = request.session.get("attributes") or {}
        try:
            profile = profile_of(directory(), request.user.get_username(), released)
        except NotAllowed as reason:
            log.warning("not allowed: %s", reason)
            return message(
                request,
                403,
                _("Votre compte n’ouvre pas l’ENT"),
                _("Votre compte n’est pas, ou n’est plus, actif dans l’annuaire de l’université."),
                _("Si vous pensez que c’est une erreur, contactez l’assistance."),
                actions=(Action(_("Se déconnecter"), reverse("sign-out"), post=True),),
            )
        return view(request, profile, *args, **kwargs)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the ParamSpec


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page: the person's services, or the way in."""
    if request.user.is_authenticated:
        return _services(request)
    return render(request, "portal/welcome.html", {"sign_in_url": reverse("sign-in")})


@with_profile
def _services(request: HttpRequest, profile: Profile) -> HttpResponse:
    cards = cards_for(
        settings.PORTAL.services, profile.affiliations, get_language() or settings.LANGUAGE_CODE
    )
    return render(
        request, "portal/home.html", {"profile": profile, "cards": cards, "section": "home"}
    )


@require_safe
@login_required
@with_profile
def my_record(request: HttpRequest, profile: Profile) -> HttpResponse:
    """What the directory tells about the person."""
    return render(request, "portal/record.html", {"profile": profile, "section": "record"})


@csrf_exempt  # CAS posts its single logout here, to the service it gave a ticket for
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """To CAS, back with a ticket, and on to the page that was asked for."""
    if request.method == "POST":
        return _single_logout(request)
    next_page = cas.safe_next(request)
    state = request.COOKIES.get(cas.STATE_COOKIE, "")
    ticket = request.GET.get("ticket")
    if ticket and state and request.GET.get("etat") == state:
        return _with_ticket(request, ticket, next_page, state)
    if request.user.is_authenticated:
        return HttpResponseRedirect(next_page)
    if ticket:
        # a link with somebody else's ticket, or a browser that keeps no cookies: do not loop
        return _try_again(request, next_page)
    if not cas_probe().answers():
        return _cas_down(request, next_page)
    state = cas.state_for(request)
    response = HttpResponseRedirect(cas.login_url(next_page, state))
    response.set_cookie(
        cas.STATE_COOKIE,
        state,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _with_ticket(request: HttpRequest, ticket: str, next_page: str, state: str) -> HttpResponse:
    try:
        cas.sign_in(request, ticket, next_page, state)
    except cas.TicketRefused as reason:
        log.warning("sign-in refused: %s", reason)
        response = _try_again(request, next_page)
    except CasUnavailable as error:
        log.error("%s", error)
        response = _cas_down(request, next_page)
    else:
        response = HttpResponseRedirect(next_page)
    response.delete_cookie(cas.STATE_COOKIE, samesite="Lax")
    return response


def _try_again(request: HttpRequest, next_page: str) -> HttpResponse:
    return message(
        request,
        403,
        _("La connexion n’a pas abouti"),
        _("Le serveur d’authentification n’a pas confirmé votre identité."),
        _("Le lien a pu expirer ou déjà servir."),
        _("Si le problème persiste, vérifiez que votre navigateur accepte les cookies."),
        actions=(Action(_("Recommencer"), _sign_in_url(next_page)),),
    )


def _cas_down(request: HttpRequest, next_page: str) -> HttpResponse:
    return message(
        request,
        503,
        _("Connexion momentanément impossible"),
        _("Le serveur d’authentification de l’université ne répond pas."),
        _("Votre mot de passe n’est pas en cause."),
        _("Réessayez dans quelques minutes."),
        actions=(Action(_("Réessayer"), _sign_in_url(next_page)),),
    )


def _sign_in_url(next_page: str) -> str:
    return reverse("sign-in", query={"next": next_page})


def _single_logout(request: HttpRequest) -> HttpResponse:
    try:
        cas.single_logout(request.POST.get("logoutRequest", ""))
    except cas.NotALogoutRequest as error:
        log.warning("not a single logout request: %s", error)
        return HttpResponseBadRequest("logoutRequest?\n", content_type="text/plain")
    return HttpResponse(status=204)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then the single sign-on at CAS."""
    cas.sign_out(request)
    if cas_probe().answers():
        response: HttpResponse = HttpResponseRedirect(cas.logout_url())
    else:
        response = message(
            request,
            503,
            _("Déconnexion incomplète"),
            _("Votre session de l’ENT est terminée, mais peut-être pas celle des autres services."),
            _("Fermez toutes les fenêtres du navigateur, surtout sur un ordinateur partagé."),
        )
    # nothing personal is left for the back button
    response["Clear-Site-Data"] = '"cache"'
    return response


@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Where CAS sends the browser after its logout."""
    if request.user.is_authenticated:
        return redirect("home")
    return render(request, "portal/signed_out.html", {"sign_in_url": reverse("sign-in")})


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Say ok or ko of what the portal needs; nginx lets this host and monitoring ask."""
    state = {"base": "ok", "annuaire": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_session LIMIT 1")
    except DatabaseError as error:
        log.error("health: database: %s", error)
        state["base"] = "ko"
    try:
        directory().ping()
    except DirectoryUnavailable as error:
        log.error("health: directory: %s", error)
        state["annuaire"] = "ko"
    return JsonResponse(state, status=200 if set(state.values()) == {"ok"} else 503)
