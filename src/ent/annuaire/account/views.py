"""The own page. Thin: what happens is in choices, password, consent and record."""

import logging
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from ent.annuaire.account import consent, messages, moving
from ent.annuaire.account.choices import (
    RECOVERY,
    RED_LIST,
    TELEPHONE_HIDDEN,
    ChangedMeanwhile,
    Wanted,
    fingerprint,
    flag,
)
from ent.annuaire.account.forms import (
    ConsentForm,
    DisplayForm,
    PasswordForm,
    RecoveryForm,
    RemovalForm,
    wrong_password,
)
from ent.annuaire.account.journal import Action, Outcome
from ent.annuaire.account.password import PasswordChange
from ent.annuaire.account.record import record
from ent.annuaire.account.visit import Visit, end_other_sessions, own_page
from ent.annuaire.activation.messages import in_words
from ent.annuaire.activation.service import charter as present_charter
from ent.annuaire.limits.attempts import PASSWORD, TooManyAttempts, limits
from ent.annuaire.uncertain import OutcomeUnknown
from ent.directory import (
    AccountLocked,
    Conflict,
    DirectoryRefused,
    DirectoryUnavailable,
    PasswordRefused,
    WrongPassword,
)

log = logging.getLogger(__name__)

_DONE = "account-done"
_STUDENT = "student"
_STAFF = frozenset({"employee", "staff", "faculty", "teacher", "researcher"})


@require_safe
@own_page
def home(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What the directory says about the person, and the ways to what they may change."""
    charter = present_charter()
    due = consent.is_due(visit.own, charter)
    if due and not consent.is_put_off(request.session, charter):
        return HttpResponseRedirect(reverse("account:charter"))
    affiliations = {one.lower() for one in visit.own.texts("eduPersonAffiliation")}
    return _page(
        request,
        visit,
        "account/home.html",
        done=_done_text(request.session.pop(_DONE, "")),
        move=moving.told(visit.own),
        mail=visit.own.text("mail"),
        former=moving.has_former_address(visit.own),
        lists_url=settings.ANNUAIRE.activation.lists_url,
        sections=record(visit.own, visit.directory),
        red_list=visit.own.is_true(RED_LIST),
        telephone_hidden=visit.own.is_true(TELEPHONE_HIDDEN),
        recovery=visit.own.texts(RECOVERY),
        acceptances=consent.acceptances(visit.own),
        charter_due=due,
        charter=charter,
        is_staff=not affiliations.isdisjoint(_STAFF),
        is_student=_STUDENT in affiliations,
        personnel_phone=settings.ANNUAIRE.activation.personnel_phone,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def charter(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The charter in force: to accept if that was not done, else to read again."""
    present = present_charter()
    due = consent.is_due(visit.own, present)
    if request.method == "POST" and "later" in request.POST:
        consent.put_off(request.session, present)
        return HttpResponseRedirect(reverse("account:home"))
    form = ConsentForm(_posted(request), present.version)
    if form.is_valid():
        try:
            consent.accept(visit.choices, visit.own, present, timezone.now())
        except OutcomeUnknown:
            visit.record(Action.CHARTER, Outcome.UNCERTAIN, present.version)
            return messages.outcome_unknown(request)
        visit.record(Action.CHARTER, Outcome.DONE, present.version)
        return _back(request, "charter")
    return _page(
        request,
        visit,
        "account/charter.html",
        form=form,
        charter=present,
        due=due,
        changes=consent.changes_since(visit.own, present) if due else None,
        first=not consent.acceptances(visit.own),
        acceptances=consent.acceptances(visit.own),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def display(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Red list, and display of the telephone."""
    seen = fingerprint(visit.own, RED_LIST, TELEPHONE_HIDDEN)
    shown = {
        "red_list": visit.own.is_true(RED_LIST),
        "telephone_hidden": visit.own.is_true(TELEPHONE_HIDDEN),
        "seen": seen,
    }
    form = DisplayForm(_posted(request), initial=shown)
    if form.is_valid():
        data = form.cleaned_data
        wanted = {
            RED_LIST: flag(data["red_list"]),
            TELEPHONE_HIDDEN: flag(data["telephone_hidden"]),
        }
        detail = f"red list {wanted[RED_LIST][0]}, telephone hidden {wanted[TELEPHONE_HIDDEN][0]}"
        answer = _change(request, visit, Action.DISPLAY, wanted, seen=data["seen"], detail=detail)
        if answer:
            return answer
        # changed meanwhile: what is there now, to be looked at again
        form = DisplayForm(initial=shown)
    return _page(
        request,
        visit,
        "account/display.html",
        status=409 if request.method == "POST" and not form.is_bound else 200,
        form=form,
        stale=request.method == "POST" and not form.is_bound,
        telephones=(*visit.own.texts("telephoneNumber"), *visit.own.texts("supannAutreTelephone")),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def recovery(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The personal address at which the university reaches somebody without their mailbox."""
    seen = {"seen": fingerprint(visit.own, RECOVERY)}
    posted = _posted(request)
    removal = posted is not None and "remove" in posted
    form = RecoveryForm(None if removal else posted, initial=seen, own_domains=visit.own_domains)
    stale = False
    if removal:
        data = RemovalForm(posted)
        data.is_valid()
        given = data.cleaned_data.get("seen", "")
        answer = _change(
            request, visit, Action.RECOVERY, {RECOVERY: ()}, seen=given, detail="removed"
        )
        if answer:
            return answer
        stale = True
    elif form.is_valid():
        wanted = {RECOVERY: (form.cleaned_data["address"],)}
        try:
            answer = _change(
                request,
                visit,
                Action.RECOVERY,
                wanted,
                seen=form.cleaned_data["seen"],
                detail="set",
            )
        except Conflict as error:
            log.warning("recovery address of %s refused: %s", visit.own.uid, error)
            visit.record(Action.RECOVERY, Outcome.REFUSED, "rule")
            form.add_error("address", _("L’annuaire refuse cette adresse. Vérifiez-la."))
        else:
            if answer:
                return answer
            stale = True
            form = RecoveryForm(initial=seen, own_domains=visit.own_domains)
    return _page(
        request,
        visit,
        "account/recovery.html",
        status=409 if stale else 200,
        form=form,
        removal=RemovalForm(initial=seen, auto_id=False),
        stale=stale,
        addresses=visit.own.texts(RECOVERY),
    )


@sensitive_post_parameters("present", "password", "confirmation")
@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def password(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Change of password."""
    try:
        limits().check(PASSWORD, visit.own.uid, visit.address)
        form = PasswordForm(_posted(request), login=visit.own.uid)
        if form.is_valid():
            answer = _change_password(request, visit, form)
            if answer:
                return answer
    except TooManyAttempts as refusal:
        visit.record(Action.PASSWORD, Outcome.REFUSED, str(refusal))
        return messages.wait(request, refusal)
    return _page(request, visit, "account/password.html", form=form)


@sensitive_variables("form", "data")
def _change_password(request: HttpRequest, visit: Visit, form: PasswordForm) -> HttpResponse | None:
    """Ask the directory; None: the form says what is wrong. Raises TooManyAttempts."""
    data = form.cleaned_data
    try:
        PasswordChange(visit.directory, limits()).make(
            visit.own, data["present"], data["password"], visit.address
        )
    except AccountLocked:
        visit.record(Action.PASSWORD, Outcome.REFUSED, "locked by the directory")
        return messages.password_locked(request)
    except WrongPassword:
        visit.record(Action.PASSWORD, Outcome.REFUSED, "wrong present password")
        form.add_error("present", _wrong_present(visit))
        return None
    except PasswordRefused as error:
        visit.record(Action.PASSWORD, Outcome.REFUSED, error.reason or "rule")
        form.add_error("password", _refusal(error.reason))
        return None
    except DirectoryRefused as error:
        log.error("password of %s: %s", visit.own.uid, error)
        visit.record(Action.PASSWORD, Outcome.FAILED, type(error).__name__)
        return messages.directory_down(request)
    except OutcomeUnknown:
        visit.record(Action.PASSWORD, Outcome.UNCERTAIN)
        return messages.password_unknown(request)
    except DirectoryUnavailable:
        visit.record(Action.PASSWORD, Outcome.FAILED, "directory")
        raise
    visit.record(Action.PASSWORD, Outcome.DONE)
    try:
        request.session[_DONE] = "password"
        end_other_sessions(request)
    except (DatabaseError, ValueError) as error:
        # ValueError: UpdateError is not exported; the session has been removed meanwhile
        log.error("password of %s changed, other sessions stay: %s", visit.own.uid, error)
        request.session.modified = False
        return messages.password_changed(request)
    return HttpResponseRedirect(reverse("account:home"))


def _wrong_present(visit: Visit) -> str:
    """What is wrong; and when there is a delay now, how long it is. Raises TooManyAttempts."""
    text = wrong_password()
    try:
        limits().check(PASSWORD, visit.own.uid, visit.address)
    except TooManyAttempts as refusal:
        if refusal.wait is None:
            raise
        text += " " + _("Vous pourrez réessayer dans %(delay)s.") % {
            "delay": in_words(refusal.wait)
        }
    return text


def _refusal(reason: str) -> str:
    """Why the directory refuses a password, by the names of the password policy draft."""
    texts = {
        "passwordTooShort": _(
            "L’annuaire juge ce mot de passe trop court. Choisissez-en un plus long."
        ),
        "passwordInHistory": _("Ce mot de passe a déjà été le vôtre. Choisissez-en un autre."),
        "passwordTooYoung": _(
            "Votre mot de passe vient d’être changé : il ne peut pas encore l’être de nouveau."
        ),
        "passwordModNotAllowed": _(
            "Votre mot de passe ne peut pas être changé ici. Appelez l’assistance."
        ),
    }
    general = _("L’annuaire refuse ce mot de passe. Choisissez-en un autre, plus long.")
    return texts.get(reason, general)


def _change(
    request: HttpRequest, visit: Visit, action: Action, wanted: Wanted, *, seen: str, detail: str
) -> HttpResponse | None:
    """Make a change and go back to the page; None: it was changed meanwhile. Raises Conflict."""
    try:
        changed = visit.choices.change(visit.own, wanted, seen)
    except ChangedMeanwhile:
        visit.record(action, Outcome.REFUSED, "changed meanwhile")
        return None
    except OutcomeUnknown:
        visit.record(action, Outcome.UNCERTAIN, detail)
        return messages.outcome_unknown(request)
    except DirectoryUnavailable:
        visit.record(action, Outcome.FAILED, "directory")
        raise
    if changed:
        visit.record(action, Outcome.DONE, detail)
    return _back(request, action)


def _posted(request: HttpRequest) -> QueryDict | None:
    """What the form holds, if one was sent; an empty one is one."""
    return request.POST if request.method == "POST" else None


def _back(request: HttpRequest, what: str) -> HttpResponse:
    """To the first page, which says once what was done."""
    request.session[_DONE] = str(what)
    return HttpResponseRedirect(reverse("account:home"))


def _done_text(what: str) -> str:
    texts = {
        Action.DISPLAY.value: _("Vos choix d’affichage dans l’annuaire public sont enregistrés."),
        Action.RECOVERY.value: _("Votre adresse personnelle est enregistrée comme ci-dessous."),
        Action.PASSWORD.value: _(
            "Votre mot de passe est changé. Servez-vous dès maintenant du nouveau, partout où"
            " vous vous"
            " connectez ; pensez à votre téléphone et à votre logiciel de messagerie."
        ),
        Action.CHARTER.value: _("Votre acceptation de la charte est enregistrée."),
    }
    return texts.get(what, "")


def _page(
    request: HttpRequest, visit: Visit, template: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    return render(
        request,
        template,
        {
            "own": visit.own,
            "section": "account",
            # below the page that the navigation leads to
            "account_page": template != "account/home.html",
            **context,
        },
        status=status,
    )
