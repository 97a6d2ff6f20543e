"""The portal's pages. Thin: what happens is in profile and services, and in ent.web."""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ent.portal import charter
from ent.portal.profile import NotAllowed, Profile, directory, profile_of
from ent.portal.services import cards_for
from ent.web.health import database_answers, health_report
from ent.web.pages import Action, message

log = logging.getLogger(__name__)
Parameters = ParamSpec("Parameters")

_CHARTER = "charter"  # in the session: the version that the person has accepted


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


def page(
    request: HttpRequest,
    profile: Profile,
    section: str,
    template: str,
    context: Mapping[str, object] | None = None,
) -> HttpResponse:
    """A page of somebody who is signed in; section: where it is in the navigation."""
    shared = {
        "profile": profile,
        "section": section,
        "has_lists": bool(settings.PORTAL.lists.url),
    }
    return render(request, template, {**shared, **(context or {})})


@with_profile
def _services(request: HttpRequest, profile: Profile) -> HttpResponse:
    config = settings.PORTAL
    # a card that leads to the page of lists is none where there is no such page
    there = [one for one in config.services if config.lists.url or one.url != reverse("lists")]
    cards = cards_for(there, profile.affiliations, get_language() or settings.LANGUAGE_CODE)
    context = {
        "cards": cards,
        "charter_url": config.charter_url if _asks_for_charter(request) else "",
    }
    return page(request, profile, "home", "portal/home.html", context)


def _asks_for_charter(request: HttpRequest) -> bool:
    """Whether the person is to accept the charter; once they have, the session remembers it."""
    version = settings.PORTAL.charter_version
    if not version or request.session.get(_CHARTER) == version:
        return False
    due = charter.is_due(directory(), request.user.get_username(), version)
    if due is False:
        request.session[_CHARTER] = version
    return bool(due)


@require_safe
@login_required
@with_profile
def my_record(request: HttpRequest, profile: Profile) -> HttpResponse:
    """What the directory tells about the person."""
    return page(request, profile, "record", "portal/record.html")


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Say ok or ko of what the portal needs; nginx lets this host and monitoring ask."""
    return health_report({"base": database_answers, "annuaire": lambda: directory().ping()})
