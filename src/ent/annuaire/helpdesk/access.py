"""Who may use which pages: the directory's groups, asked at every request."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ent.annuaire.directory import directory_as
from ent.annuaire.helpdesk.accounts import find_account, is_member
from ent.annuaire.helpdesk.desk import Actor, Desk, OwnAttempts
from ent.annuaire.helpdesk.moves import DatabaseMoves
from ent.annuaire.helpdesk.signon import DatabaseSignOn
from ent.annuaire.helpdesk.storage import DatabaseStore
from ent.annuaire.helpdesk.trail import Action as Did
from ent.annuaire.helpdesk.trail import Outcome
from ent.directory import DirectoryUnavailable
from ent.web import cas
from ent.web.network import client_address
from ent.web.pages import Action, message

log = logging.getLogger(__name__)
Parameters = ParamSpec("Parameters")
View = Callable[Concatenate[HttpRequest, Parameters], HttpResponse]
StaffView = Callable[Concatenate[HttpRequest, Desk, Actor, Parameters], HttpResponse]


@functools.cache
def desk() -> Desk:
    """The process's desk."""
    config = settings.ANNUAIRE.helpdesk
    return Desk(
        directory=directory_as("helpdesk"),
        store=DatabaseStore(),
        sign_on=DatabaseSignOn(config.sign_on.failures_key),
        attempts=OwnAttempts(),
        config=config,
        moves=DatabaseMoves() if config.moves.name else None,
    )


def staff_only(view: StaffView[Parameters]) -> View[Parameters]:
    """For members of the help desk's group."""
    return _members_only(view, "staff_group")


def auditors_only(view: StaffView[Parameters]) -> View[Parameters]:
    """For members of the auditors' group."""
    return _members_only(view, "auditors_group")


def actor_of(request: HttpRequest) -> Actor:
    """Who acts, and from where."""
    return Actor(request.user.get_username(), client_address(request))


def is_staff(login: str) -> bool:
    """Whether this login is staff of the help desk. Raises DirectoryUnavailable."""
    return _is_member(login, "staff_group")


def is_auditor(login: str) -> bool:
    """Whether this login may read the trail. Raises DirectoryUnavailable."""
    return _is_member(login, "auditors_group")


def _is_member(login: str, group: str) -> bool:
    here = desk()
    account = find_account(here.directory, login)
    return (
        account is not None
        and account.may_sign_in
        and is_member(here.directory, getattr(here.config, group), account)
    )


def _members_only(view: StaffView[Parameters], group: str) -> View[Parameters]:
    @functools.wraps(view)
    @login_required
    def wrapped(
        request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        actor = actor_of(request)
        if not _fresh(request):
            cas.sign_out(request)
            return redirect(reverse("sign-in", query={"next": _again_path(request)}))
        try:
            if _is_member(actor.login, group):
                return view(request, desk(), actor, *args, **kwargs)
        except DirectoryUnavailable as error:
            log.error("directory: %s", error)
            return directory_down(request)
        log.warning("%s is not in %s", actor.login, group)
        desk().record(actor, Did.ACCESS, Outcome.REFUSED, detail="group")
        return message(
            request,
            403,
            _("Cette page ne vous est pas ouverte"),
            _("Elle est réservée à un groupe de l’annuaire dont vous ne faites pas partie."),
            _("Si vous devez y avoir accès, adressez-vous au responsable de l’assistance."),
            actions=(
                Action(_("Revenir à l’accueil"), reverse("home")),
                Action(_("Se déconnecter"), reverse("sign-out"), post=True),
            ),
        )

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the ParamSpec


def _fresh(request: HttpRequest) -> bool:
    """Whether the session was begun with a password, and has been used of late.

    The single sign-on lasts a day: without the password again, an idle limit
    would only cost whoever sits down at the desk a click.
    """
    released = request.session.get("attributes") or {}
    now = time.time()
    last = request.session.get("seen", now)
    request.session["seen"] = now
    return released.get("isFromNewLogin") == "true" and now - last < desk().config.idle_minutes * 60


def _again_path(request: HttpRequest) -> str:
    # a form that was sent into an ended session is not sent again by a sign-in
    return request.get_full_path() if request.method == "GET" else reverse("home")


def directory_down(request: HttpRequest) -> HttpResponse:
    """What staff are told while the directory is away."""
    return message(
        request,
        503,
        _("L’annuaire ne répond pas"),
        _("Aucun compte ne peut être consulté. Ce que vous demandiez n’a pas été fait."),
        _("Proposez à la personne de rappeler dans quelques minutes."),
        actions=(Action(_("Réessayer"), reverse("home")),),
    )
