"""The pages of the activation. Thin: what happens is in flow, limits and progress."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from ent.annuaire.activation import messages
from ent.annuaire.activation.flow import Activated, Candidate, NotOffered
from ent.annuaire.activation.forms import FAULTS, CharterForm, DetailsForm
from ent.annuaire.activation.password import Fault, faults
from ent.annuaire.activation.progress import Progress
from ent.annuaire.activation.service import activation, charter
from ent.annuaire.limits.attempts import ACTIVATION, Limits, TooManyAttempts, limits
from ent.annuaire.references import NotAReference, uid_of
from ent.annuaire.uncertain import OutcomeUnknown
from ent.directory import DirectoryUnavailable, PasswordRefused
from ent.web.network import client_address
from ent.web.texts import in_language

log = logging.getLogger(__name__)
_WRONG_PROOFS = "wrong-proofs"


@dataclass(frozen=True, slots=True)
class Step:
    """What every step knows.

    reference: the person in addresses.
    candidate: the person in the directory, a moment ago.
    address: network address of the browser.
    """

    reference: str
    candidate: Candidate
    address: str
    progress: Progress
    limits: Limits

    @property
    def uid(self) -> str:
        """The login."""
        return self.candidate.uid

    def to(self, name: str) -> HttpResponse:
        """Go to another step."""
        return HttpResponseRedirect(reverse(f"activation:{name}", args=[self.reference]))


def step(
    view: Callable[[HttpRequest, Step], HttpResponse],
) -> Callable[[HttpRequest, str], HttpResponse]:
    """Give a view the person whom the address names; the same refusals at every step."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, reference: str) -> HttpResponse:
        try:
            candidate = activation().find(uid_of(reference))
        except NotAReference:
            return messages.nobody(request)
        except DirectoryUnavailable as error:
            log.error("activation: directory: %s", error)
            return messages.directory_down(request)
        if candidate is None:
            return messages.nobody(request)
        now = Step(
            reference=reference,
            candidate=candidate,
            address=client_address(request),
            progress=Progress(
                request.session, settings.ANNUAIRE.activation.minutes, timezone.now()
            ),
            limits=limits(),
        )
        try:
            return view(request, now)
        except TooManyAttempts as refusal:
            log.warning("activation of %s from %s: %s", now.uid, now.address, refusal)
            return messages.wait(request, refusal)

    return wrapped


@require_safe
def charter_text(request: HttpRequest) -> HttpResponse:
    """The charter by itself, to read and to print."""
    return render(request, "activation/charter.html", {"charter": charter()})


@require_http_methods(["GET", "HEAD", "POST"])
@step
def start(request: HttpRequest, now: Step) -> HttpResponse:
    """« activer mon compte »: the charter, to be accepted (guide, G6c and G6d)."""
    if not now.candidate.offered:
        return _not_offered(request, now)
    now.limits.check(ACTIVATION, now.uid, now.address)
    form = CharterForm(_posted(request), charter().version)
    if form.is_valid():
        now.progress.accept(now.uid, charter().version)
        return now.to("details")
    return _page(request, now, "activation/start.html", 1, form=form, charter=charter())


@sensitive_post_parameters("code", "birth_date", "password", "confirmation")
@require_http_methods(["GET", "HEAD", "POST"])
# The rule is checked as one types; nothing depends on it.
@csp_update({"script-src": [SELF]})  # type: ignore[arg-type]  # its type knows no other arguments
@step
def details(request: HttpRequest, now: Step) -> HttpResponse:
    """« Renseignez les informations demandées », « Valider » (guide, G6e and G6f)."""
    accepted = now.progress.acceptance(now.uid)
    if accepted is None or accepted.version != charter().version:
        if now.progress.finished(now.uid):
            return now.to("done")  # back button, reload, second tab
        if not now.candidate.offered:
            return messages.not_offered(request, now.candidate.state)
        return messages.begin_again(request, now.reference)
    state = now.candidate.state
    # an account that was activated meanwhile may have been activated by the first of two clicks
    if not now.candidate.offered and (
        request.method != "POST" or state is None or not state.may_sign_in
    ):
        return messages.not_offered(request, state)
    now.limits.check(ACTIVATION, now.uid, now.address)
    form = DetailsForm(_posted(request))
    if form.is_valid():
        try:
            activated = _activate(now, form, accepted)
        except NotOffered as reason:
            return messages.not_offered(request, reason.state)
        except OutcomeUnknown as error:
            log.error("activation of %s: %s", now.uid, error.__cause__)
            return messages.outcome_unknown(request, now.reference)
        except DirectoryUnavailable as error:
            log.error("activation of %s: %s", now.uid, error)
            return messages.directory_down(request)
        if activated:
            return _finish(request, now, activated)
    config = settings.ANNUAIRE.activation
    language = get_language() or settings.LANGUAGE_CODE
    return _page(
        request,
        now,
        "activation/details.html",
        2,
        form=form,
        wrong_proofs=form.has_error("code", _WRONG_PROOFS),
        no_code=[in_language(text, language) for text in config.no_code],
        personnel_phone=config.personnel_phone,
    )


@require_safe
@step
def done(request: HttpRequest, now: Step) -> HttpResponse:
    """« Votre compte est activé. »: the login, the address, and where to go (guide, G6f, G7b)."""
    activated = now.progress.finished(now.uid)
    if activated:
        return _last_page(request, now, activated)
    if now.candidate.offered:
        return now.to("start")
    return messages.not_offered(request, now.candidate.state)


@sensitive_variables("form", "data")
def _activate(now: Step, form: DetailsForm, accepted: Any) -> Activated | None:
    """Try the proofs, then activate; None: the form says what is wrong.

    Raises what flow raises, and TooManyAttempts.
    """
    data = form.cleaned_data
    attempt = now.limits.begin(ACTIVATION, now.uid, now.address)
    try:
        proved = activation().proves(now.candidate, data["code"], data["birth_date"])
    except DirectoryUnavailable:
        attempt.not_made()
        raise
    if not proved:
        log.warning("activation of %s from %s: wrong proofs", now.uid, now.address)
        # a lock that this attempt has brought about is said at once
        _wrong_proofs(now, form)
        return None
    attempt.succeeded()
    # only now: before, it would tell anybody the login of this person
    if Fault.LOGIN in faults(data["password"], now.uid):
        form.add_error("password", str(FAULTS[Fault.LOGIN]))
        return None
    try:
        return activation().activate(now.uid, data["password"], accepted)
    except PasswordRefused as error:
        log.warning(
            "activation of %s: the directory refuses the password: %s", now.uid, error.reason
        )
        form.add_error(
            "password",
            _("L’annuaire refuse ce mot de passe. Choisissez-en un autre."),
        )
        return None


def _wrong_proofs(now: Step, form: DetailsForm) -> None:
    """One text for every cause: a wrong code, a wrong date, somebody without a code."""
    text = _(
        "Le code Harpège et la date de naissance ne correspondent pas, ensemble, à cette personne."
        " Vérifiez-les, ainsi que le nom ci-dessus."
    )
    try:
        now.limits.check(ACTIVATION, now.uid, now.address)
    except TooManyAttempts as refusal:
        if refusal.wait is None:
            raise
        text += " " + _("Vous pourrez réessayer dans %(delay)s.") % {
            "delay": messages.in_words(refusal.wait)
        }
    form.add_error("code", ValidationError(text, _WRONG_PROOFS))
    form.fields["birth_date"].widget.attrs["aria-invalid"] = "true"


def _finish(request: HttpRequest, now: Step, activated: Activated) -> HttpResponse:
    """Show the last page, at an address that can be loaded again if sessions can be kept."""
    now.progress.finish(activated)
    try:
        request.session.save()
    except (UpdateError, DatabaseError) as error:
        log.error("activation of %s: the session is not kept: %r", now.uid, error)
        request.session.modified = False  # or the middleware tries again, and says so instead
        return _last_page(request, now, activated)
    return now.to("done")


def _last_page(request: HttpRequest, now: Step, activated: Activated) -> HttpResponse:
    return _page(
        request,
        now,
        "activation/done.html",
        3,
        activated=activated,
        portal_url=settings.ANNUAIRE.activation.portal_url,
        lists_url=settings.ANNUAIRE.activation.lists_url,
    )


def _posted(request: HttpRequest) -> QueryDict | None:
    # an empty form that was sent is one with errors, not one that nobody has filled in yet
    return request.POST if request.method == "POST" else None


def _not_offered(request: HttpRequest, now: Step) -> HttpResponse:
    if now.progress.finished(now.uid):
        return now.to("done")
    return messages.not_offered(request, now.candidate.state)


def _page(
    request: HttpRequest, now: Step, template: str, current: int, **context: Any
) -> HttpResponse:
    steps = [_("La charte"), _("Vos informations"), _("Votre compte est activé")]
    return render(
        request,
        template,
        {
            "steps": steps,
            "current": current,
            "name": now.candidate.name,
            "reference": now.reference,
            **context,
        },
    )
