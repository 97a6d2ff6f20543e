"""The help desk's pages. Thin: what happens is in the business steps beside this module."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ent.annuaire.helpdesk import audit, texts
from ent.annuaire.helpdesk.access import (
    auditors_only,
    desk,
    directory_down,
    is_auditor,
    is_staff,
    staff_only,
)
from ent.annuaire.helpdesk.accounts import Account, find_account
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.diagnosis import Diagnosis, examine
from ent.annuaire.helpdesk.forms import ProofsForm, RedeemForm, SearchForm, SelectionForm
from ent.annuaire.helpdesk.issuing import NotOpen, NotVerified, issue
from ent.annuaire.helpdesk.lookup import find
from ent.annuaire.helpdesk.moves import SHOWN
from ent.annuaire.helpdesk.redemption import (
    AccountClosed,
    CodeRefused,
    NotChanged,
    OutcomeUnknown,
    PasswordNotTaken,
    redeem,
)
from ent.annuaire.helpdesk.trail import Action as Did
from ent.annuaire.helpdesk.trail import Outcome
from ent.annuaire.helpdesk.unlocking import lift
from ent.annuaire.helpdesk.verification import TooManyVerifications, verify
from ent.annuaire.limits.attempts import TooManyAttempts
from ent.directory import AccountState, DirectoryUnavailable
from ent.web.affiliations import affiliation_label
from ent.web.network import client_address
from ent.web.pages import Action, message
from ent.web.texts import in_language

log = logging.getLogger(__name__)
_NOTICE = "helpdesk-notice"
_REDEEMED = "helpdesk-redeemed"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Callers to their form, staff to their search, auditors to the trail."""
    if not request.user.is_authenticated:
        return render(request, "helpdesk/welcome.html", {"sign_in_url": reverse("sign-in")})
    login = request.user.get_username()
    try:
        if is_auditor(login) and not is_staff(login):
            return redirect("trail")
    except DirectoryUnavailable as error:
        log.error("directory: %s", error)
        return directory_down(request)
    return search(request)


# Staff


@require_safe
@staff_only
def search(request: HttpRequest, here: Desk, actor: Actor) -> HttpResponse:
    """Find the caller."""
    form = SearchForm(request.GET if "q" in request.GET else None)
    context: dict[str, object] = {"form": form, "section": "search"}
    if form.is_bound and form.is_valid():
        found = find(here.directory, form.cleaned_data["q"])
        here.record(actor, Did.SEARCH, Outcome.DONE, detail=f"found:{found.count}")
        language = get_language() or settings.LANGUAGE_CODE
        context |= {
            "typed": form.cleaned_data["q"],
            "found": found,
            "exact": [_row(one) for one in found.exact],
            "near": [_row(one) for one in found.near],
            "not_found": [in_language(one, language) for one in here.config.not_found],
        }
    return render(request, "helpdesk/search.html", context)


def _row(account: Account) -> dict[str, object]:
    return {
        "account": account,
        "affiliation": affiliation_label(account.affiliation),
        "state": texts.state(account.state),
    }


@require_safe
@staff_only
def person(request: HttpRequest, here: Desk, actor: Actor, uid: str) -> HttpResponse:
    """Why this person cannot sign in, and what can be done."""
    diagnosis = examine(here, actor, uid)
    if diagnosis is None:
        return _no_such_person(request)
    notice = request.session.pop(_NOTICE, None)
    return _person_page(request, diagnosis, ProofsForm(), notice=notice)


def _person_page(
    request: HttpRequest,
    diagnosis: Diagnosis,
    form: ProofsForm,
    *,
    notice: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    account = diagnosis.account
    structure = desk().directory.structure(account.structure) if account.structure else None
    context = {
        "section": "search",
        "account": account,
        "affiliation": affiliation_label(account.affiliation),
        "structure": structure.name if structure else account.structure,
        "findings": [texts.explain(one) for one in diagnosis.findings],
        "liftable": diagnosis.liftable,
        "moves": [
            {"move": one, "role": texts.role(one.role), "became": texts.became(one)}
            for one in diagnosis.moves or ()
        ],
        "moves_unknown": diagnosis.moves is None,
        "moves_capped": len(diagnosis.moves or ()) >= SHOWN,
        "pending": diagnosis.code,
        "verified_until": diagnosis.verified_until,
        "not_activated": account.state is AccountState.PRE_CREATED,
        "form": form,
        "notice": notice,
    }
    return render(request, "helpdesk/person.html", context, status=status)


def _no_such_person(request: HttpRequest) -> HttpResponse:
    return message(
        request,
        404,
        _("Cette personne n’est pas dans l’annuaire"),
        _("Aucun compte ne porte cet identifiant."),
        actions=(Action(_("Chercher une personne"), reverse("home")),),
    )


def _back(request: HttpRequest, uid: str, kind: str, text: str) -> HttpResponse:
    # kept in the session until the page is shown: reloading it repeats no action
    request.session[_NOTICE] = {"kind": kind, "text": text}
    return redirect("person", uid)


@require_POST
@staff_only
def verify_caller(request: HttpRequest, here: Desk, actor: Actor, uid: str) -> HttpResponse:
    """Compare what the caller says."""
    form = ProofsForm(request.POST)
    account = find_account(here.directory, uid)
    if account is None:
        return _no_such_person(request)
    if not form.is_valid():
        diagnosis = examine(here, actor, uid)
        if diagnosis is None:
            return _no_such_person(request)
        return _person_page(request, diagnosis, form, status=422)
    try:
        right = verify(here, actor, account, form.cleaned_data["number"], form.cleaned_data["born"])
    except TooManyVerifications as limit:
        text = (
            _("Vous avez fait trop de vérifications fausses depuis une heure. Attendez un peu.")
            if limit.by_agent
            else _(
                "Trop de vérifications fausses pour cette personne depuis une heure. Demandez-lui"
                " de se présenter à l’assistance ou de rappeler plus tard."
            )
        )
        return _back(request, account.uid, "problem", text)
    if right:
        return _back(
            request, account.uid, "done", _("Les deux réponses sont exactes : identité vérifiée.")
        )
    return _back(
        request,
        account.uid,
        "problem",
        _(
            "Les réponses ne correspondent pas. Ne dites pas laquelle est inexacte. Faites répéter,"
            " puis orientez la personne vers la division du personnel."
        ),
    )


@require_POST
@staff_only
def issue_code(request: HttpRequest, here: Desk, actor: Actor, uid: str) -> HttpResponse:
    """Show a new code, once."""
    try:
        issued = issue(here, actor, uid)
    except NotVerified:
        return _back(
            request, uid, "problem", _("Vérifiez d’abord l’identité de la personne qui appelle.")
        )
    except NotOpen as refusal:
        if refusal.state is None and find_account(here.directory, uid) is None:
            return _no_such_person(request)
        return _back(
            request, uid, "problem", _("Ce compte ne peut pas recevoir de code : voyez pourquoi.")
        )
    return render(
        request,
        "helpdesk/code.html",
        {
            "section": "search",
            "account": issued.account,
            "groups": issued.code.groups,
            "minutes": here.config.code_minutes,
            "expires_at": issued.expires_at,
            "redeem_url": request.build_absolute_uri(reverse("redeem")),
        },
    )


@require_POST
@staff_only
def unlock(request: HttpRequest, here: Desk, actor: Actor, uid: str) -> HttpResponse:
    """Lift the person's locks."""
    account = find_account(here.directory, uid)
    if account is None:
        return _no_such_person(request)
    lifted = lift(here, actor, account)
    if lifted.failed:
        names = ", ".join(str(texts.PLACES[one]) for one in lifted.failed)
        text = _("Pas levé, faute de réponse : %(names)s. Réessayez dans quelques minutes.")
        return _back(request, account.uid, "problem", text % {"names": names})
    return _back(request, account.uid, "done", _("Les blocages sont levés."))


# The caller


@require_http_methods(["GET", "HEAD", "POST"])
def redeem_code(request: HttpRequest) -> HttpResponse:
    """The public page: a code and a new password."""
    form = RedeemForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _redeem_page(request, form)
    if not form.is_valid():
        return _redeem_page(request, form, 422)
    values = form.cleaned_data
    try:
        done = redeem(
            desk(), values["login"], values["code"], values["password"], client_address(request)
        )
    except CodeRefused:
        form.add_error(
            None,
            _(
                "Cet identifiant et ce code ne vont pas ensemble, ou le code n’est plus valable."
                " Vérifiez les deux ; au besoin, demandez un nouveau code à l’assistance."
            ),
        )
        return _redeem_page(request, form, 403)
    except PasswordNotTaken:
        form.add_error(
            "password",
            _(
                "L’annuaire refuse ce mot de passe : choisissez-en un autre. Votre code reste"
                " valable."
            ),
        )
        return _redeem_page(request, form, 422)
    except TooManyAttempts as limit:
        return _too_many(request, limit.wait)
    except AccountClosed as closed:
        return _account_closed(request, closed.state)
    except NotChanged as kept:
        return _not_changed(request, texts.day(kept.expires_at))
    except OutcomeUnknown as kept:
        return _outcome_unknown(request, texts.day(kept.expires_at))
    except DatabaseError as error:
        log.error("database: %s", error)
        return _not_changed(request, "")
    request.session[_REDEEMED] = {"uid": done.uid, "name": done.name}
    return redirect("redeemed")


def _redeem_page(request: HttpRequest, form: RedeemForm, status: int = 200) -> HttpResponse:
    return render(request, "helpdesk/redeem.html", {"form": form}, status=status)


@require_safe
def redeemed(request: HttpRequest) -> HttpResponse:
    """The last page; it says the login, and only to the browser that has chosen the password."""
    done = request.session.get(_REDEEMED)
    if not done:
        return redirect("redeem")
    return render(
        request,
        "helpdesk/redeemed.html",
        {"uid": done["uid"], "name": done["name"], "portal_url": desk().config.portal_url},
    )


def _too_many(request: HttpRequest, wait: int | None) -> HttpResponse:
    when = (
        _("Appelez l’assistance, qui peut lever ce blocage.")
        if wait is None
        else _("Réessayez dans %(seconds)d secondes.") % {"seconds": wait}
    )
    response = message(
        request,
        429,
        _("Trop d’essais"),
        _("Il y a eu trop d’essais faux avec cet identifiant ou depuis votre réseau."),
        when,
        actions=(Action(_("Revenir au formulaire"), reverse("redeem")),),
    )
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def _account_closed(request: HttpRequest, state: AccountState | None) -> HttpResponse:
    return message(
        request,
        403,
        _("Votre compte a été fermé entre-temps"),
        _("Votre code est exact, mais votre compte n’est pas, ou n’est plus, ouvert."),
        _("Votre mot de passe n’a pas été changé. Rappelez l’assistance."),
    )


def _not_changed(request: HttpRequest, until: str) -> HttpResponse:
    return message(
        request,
        503,
        _("Mot de passe inchangé"),
        _("Un service de l’université ne répond pas. Rien n’a été changé."),
        _("Votre code n’a pas servi : il reste valable jusqu’au %(until)s.") % {"until": until}
        if until
        else _("Réessayez avec le même code : il reste valable pour la durée annoncée."),
        actions=(Action(_("Réessayer"), reverse("redeem")),),
    )


def _outcome_unknown(request: HttpRequest, until: str) -> HttpResponse:
    return message(
        request,
        503,
        _("Mot de passe peut-être changé"),
        _("L’annuaire de l’université a cessé de répondre pendant l’opération."),
        _("Dans quelques minutes, essayez de vous connecter avec le nouveau mot de passe."),
        _("S’il est refusé, recommencez avec le même code, valable jusqu’au %(until)s.")
        % {"until": until},
        actions=(Action(_("Recommencer"), reverse("redeem")),),
    )


# Auditors


@require_safe
@auditors_only
def trail(request: HttpRequest, here: Desk, actor: Actor) -> HttpResponse:
    """Read the trail."""
    form = SelectionForm(request.GET)
    if not form.is_valid():
        return render(
            request, "helpdesk/trail.html", {"form": form, "section": "trail"}, status=422
        )
    below = request.GET.get("avant", "")
    selection = form.selection()
    if below.isascii() and below.isdigit() and len(below) < 19:
        selection = replace(selection, below=int(below))
    page = audit.read(here, actor, selection)
    query = request.GET.copy()
    query.pop("avant", None)
    context = {
        "form": form,
        "section": "trail",
        "lines": [
            {
                "line": line,
                "action": texts.action(line.action),
                "outcome": texts.outcome(line.outcome),
                "detail": texts.detail(line.detail),
            }
            for line in page.lines
        ],
        "newest": "avant" not in request.GET,
        "query": query.urlencode(),
        "older": page.older,
    }
    return render(request, "helpdesk/trail.html", context)


@require_safe
@auditors_only
def export(request: HttpRequest, here: Desk, actor: Actor) -> HttpResponse:
    """Take the selected lines away as a table."""
    form = SelectionForm(request.GET)
    if not form.is_valid():
        return redirect("trail")
    lines = audit.export(here, actor, form.selection(), timezone.get_current_timezone())
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"assistance-{timezone.localdate():%Y%m%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response  # type: ignore[return-value]  # both are HttpResponseBase


@require_POST
@auditors_only
def check(request: HttpRequest, here: Desk, actor: Actor) -> HttpResponse:
    """Check that the trail is whole."""
    verdict = audit.inspect(here, actor)
    return render(request, "helpdesk/check.html", {"verdict": verdict, "section": "trail"})
