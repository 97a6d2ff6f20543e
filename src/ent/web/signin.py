"""The pages of signing in and out with CAS, the same in every application.

An application includes `ent.web.signin_urls` and has a page named "home".
"""

import functools
import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ent.web import cas
from ent.web.cas_http import CasUnavailable, Probe
from ent.web.pages import Action, message

log = logging.getLogger(__name__)


@functools.cache
def cas_probe() -> Probe:
    """The process's knowledge of whether the CAS server answers."""
    return Probe(f"{settings.CAS_SERVER_URL}login", settings.CAS_VERIFY_SSL_CERTIFICATE)


@csrf_exempt  # CAS posts its single logout here, to the service it gave a ticket for
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """To CAS, back with a ticket, and on to the page that was asked for."""
    if request.method == "POST":
        return _single_logout(request)
    next_page = cas.safe_next(request)
    state = request.COOKIES.get(cas.state_cookie(), "")
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
        cas.state_cookie(),
        state,
        path=settings.SESSION_COOKIE_PATH,
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
    response.delete_cookie(cas.state_cookie(), path=settings.SESSION_COOKIE_PATH, samesite="Lax")
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
            _("Votre session est terminée ici, mais peut-être pas dans les autres services."),
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
    return render(request, "ent/signed_out.html", {"sign_in_url": reverse("sign-in")})
