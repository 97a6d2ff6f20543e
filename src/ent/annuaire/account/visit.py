"""Who is here: the person of the session and nobody else, whatever is sent."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django_cas_ng.models import SessionTicket

from ent.annuaire.account import journal, messages
from ent.annuaire.account.choices import Choices
from ent.annuaire.account.journal import Action, Outcome
from ent.annuaire.account.person import Own, find
from ent.annuaire.directory import directory_as
from ent.directory import Directory, DirectoryRefused, DirectoryUnavailable
from ent.web import cas
from ent.web.network import client_address

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """What every page knows.

    own: the person's entry, read for this request.
    address: network address of the browser.
    """

    own: Own
    address: str
    directory: Directory

    @property
    def choices(self) -> Choices:
        """Changes of this person's entry."""
        return Choices(self.directory)

    @property
    def own_domains(self) -> tuple[str, ...]:
        """The university's domains of addresses, in lower case."""
        activation = settings.ANNUAIRE.activation
        return tuple(one.lower() for one in (activation.domain, *activation.legacy_domains))

    def record(self, action: Action, outcome: Outcome, detail: str = "") -> None:
        """Write a line of the journal."""
        journal.record(action, outcome, self.own.uid, self.address, detail)


def own_page(
    view: Callable[[HttpRequest, Visit], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Give a view the person who signed in.

    Whose account was closed since is signed out, and told so.
    """

    @functools.wraps(view)
    @login_required
    def wrapped(request: HttpRequest) -> HttpResponse:
        directory, uid = directory_as("account"), request.user.get_username()
        try:
            own = find(directory, uid)
        except DirectoryUnavailable as error:
            log.error("own page: directory: %s", error)
            return messages.directory_down(request)
        address = client_address(request)
        if own is None or not own.may_sign_in:
            state = own.state.name if own and own.state else "none"
            journal.record(Action.CLOSED, Outcome.DONE, uid, address, state)
            cas.sign_out(request)
            return messages.closed(request, own.state if own else None)
        try:
            return view(request, Visit(own, address, directory))
        except (DirectoryUnavailable, DirectoryRefused) as error:
            # a refusal that no view expects is a fault of rights or schema; nothing was changed
            log.error("own page of %s: directory: %s", uid, error)
            return messages.directory_down(request)

    return wrapped


def end_other_sessions(request: HttpRequest) -> None:
    """End every session of this person here but the present one, which gets another key.

    Each session holds a digest of the account's (unusable) password field, and Django
    ends those whose digest is not that of the present field. Raises DatabaseError.
    """
    user = request.user
    if not isinstance(user, User):
        raise TypeError("nobody signed in")
    before = request.session.session_key
    with transaction.atomic():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        update_session_auth_hash(request, user)
        # so that a single logout still finds the session under its new key
        SessionTicket.objects.filter(session_key=before).update(
            session_key=request.session.session_key
        )
        request.session.save()
