"""The page « Mes listes ». Thin: what happens is in `mine` and `sympa`."""

import functools
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ent.portal.lists import sympa
from ent.portal.lists.mine import Lists, Outcome, matching
from ent.portal.lists.sympa import MailingList, Sympa, SympaUnavailable
from ent.portal.profile import Profile
from ent.portal.views import page, with_profile

_NOTICE = "lists-notice"  # in the session, until the page is shown
_ASKED = "lists-asked"  # in the session: lists whose owners are to decide
_ASKED_MOST = 50
_SEARCH_FROM = 8  # lists from which on it is offered to search
_SHOWN = 50  # lists to join that are shown at once
_LONGEST_SEARCH = 80

_DONE = (Outcome.JOINED, Outcome.ALREADY_ON, Outcome.LEFT, Outcome.ALREADY_OFF)
_ASKED_OF_OWNERS = (Outcome.ASKED_TO_JOIN, Outcome.ASKED_TO_LEAVE)
_SETTLED = (*_DONE, Outcome.NO_SUCH_LIST)


@functools.cache
def lists() -> Lists:
    """The process's knowledge of the list server."""
    config = settings.PORTAL.lists
    return Lists(Sympa(config, settings.PORTAL.ca_file), config.from_directory)


@require_safe
@login_required
@with_profile
def mine(request: HttpRequest, profile: Profile) -> HttpResponse:
    """The person's lists, and those that are open to them."""
    _there()
    typed = " ".join(request.GET.get("q", "")[:_LONGEST_SEARCH].split())
    context: dict[str, object] = {
        "typed": typed,
        "notice": request.session.pop(_NOTICE, None),
    }
    if not sympa.usable(profile.mail):
        return page(request, profile, "lists", "portal/lists.html", context | {"nobody": True})
    try:
        overview = lists().overview(profile.mail)
    except SympaUnavailable:
        context["down"] = True
    else:
        asked = request.session.get(_ASKED, [])
        open_lists = overview.open or ()
        found = matching(open_lists, typed)
        kept = {one.name for one in matching((one.list for one in overview.own), typed)}
        context |= {
            "own": [
                _own(one.list, fed=one.fed, asked=one.list.name in asked)
                for one in overview.own
                if one.list.name in kept
            ],
            "has_own": bool(overview.own),
            "open": [{"list": one, "asked": one.name in asked} for one in found[:_SHOWN]],
            "has_open": bool(open_lists),
            "open_unknown": overview.open is None,
            "more": len(found) > _SHOWN,
            "search": bool(typed) or len(overview.own) + len(open_lists) >= _SEARCH_FROM,
        }
    return page(request, profile, "lists", "portal/lists.html", context)


def _own(one: MailingList, *, fed: bool, asked: bool) -> dict[str, object]:
    roles = []
    if one.subscriber:
        roles.append(_("Abonné ou abonnée"))
    if one.owner:
        roles.append(_("Propriétaire"))
    if one.editor:
        roles.append(_("Modérateur ou modératrice"))
    return {"list": one, "roles": roles, "fed": fed, "asked": asked}


Step = Callable[[Profile, str], Outcome]


def _act(request: HttpRequest, profile: Profile, step: Step) -> HttpResponse:
    _there()
    if request.method != "POST":
        # back from signing in again: the page, and not an action that was not clicked
        return redirect("lists")
    name = request.POST.get("liste", "")
    known = sympa.is_name(name) and sympa.usable(profile.mail)
    outcome = step(profile, name) if known else Outcome.NO_SUCH_LIST
    asked = [one for one in request.session.get(_ASKED, []) if one != name]
    if outcome in _ASKED_OF_OWNERS:
        asked = [*asked, name][-_ASKED_MOST:]
    if outcome in _ASKED_OF_OWNERS or outcome in _SETTLED:
        request.session[_ASKED] = asked
    request.session[_NOTICE] = {
        "kind": "success" if outcome in (*_DONE, *_ASKED_OF_OWNERS) else "notice",
        "text": _text(outcome, name if known else ""),
    }
    typed = request.POST.get("q", "")[:_LONGEST_SEARCH]
    return redirect(reverse("lists", query={"q": typed} if typed else None))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@with_profile
def join(request: HttpRequest, profile: Profile) -> HttpResponse:
    """Subscribe the person, as themselves."""
    return _act(request, profile, lambda me, name: lists().join(me.mail, name, me.name))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@with_profile
def leave(request: HttpRequest, profile: Profile) -> HttpResponse:
    """Unsubscribe the person, as themselves."""
    return _act(request, profile, lambda me, name: lists().leave(me.mail, name))


def _there() -> None:
    if not settings.PORTAL.lists.url:
        raise Http404


def _text(outcome: Outcome, name: str) -> str:
    # each in full: a catalogue translates sentences
    texts = {
        Outcome.JOINED: _("Vous êtes maintenant sur la liste « %(name)s »."),
        Outcome.ALREADY_ON: _("Vous étiez déjà sur la liste « %(name)s »."),
        Outcome.ASKED_TO_JOIN: _(
            "L’abonnement à la liste « %(name)s » demande l’accord de ses propriétaires : votre"
            " demande leur a été transmise. Vous recevrez un message quand elle sera acceptée."
        ),
        Outcome.LEFT: _("Vous n’êtes plus sur la liste « %(name)s »."),
        Outcome.ALREADY_OFF: _("Vous n’étiez déjà plus sur la liste « %(name)s »."),
        Outcome.ASKED_TO_LEAVE: _(
            "Quitter la liste « %(name)s » demande l’accord de ses propriétaires : votre demande"
            " leur a été transmise. Vous recevrez un message quand elle sera acceptée."
        ),
        Outcome.NOT_OPEN: _(
            "La liste « %(name)s » n’accepte pas votre abonnement. Ses propriétaires peuvent vous"
            " dire pourquoi."
        ),
        Outcome.NOT_TO_LEAVE: _(
            "La liste « %(name)s » ne permet pas de se désabonner soi-même. Ses propriétaires"
            " peuvent vous dire pourquoi."
        ),
        Outcome.FROM_DIRECTORY: _(
            "Les membres de la liste « %(name)s » viennent de l’annuaire de l’université : on n’y"
            " entre et on n’en sort pas soi-même."
        ),
        Outcome.NO_SUCH_LIST: _("La liste demandée n’existe pas, ou n’existe plus."),
        Outcome.UNKNOWN: _(
            "Le serveur de listes n’a pas répondu comme prévu : votre demande n’a peut-être pas été"
            " prise en compte. Vérifiez-le sur cette page dans un moment, puis recommencez au"
            " besoin."
        ),
    }
    return texts[outcome] % {"name": name} if name else texts[outcome]
