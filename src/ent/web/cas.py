"""Signing in and out with CAS: what happens, without the pages.

django-cas-ng gives the backend, the link from ticket to session and its
clean-up; its views are not used, for three reasons: they redirect to any
address that merely looks local, sign out on GET, and accept a ticket in a
browser that never asked for one.
"""

import logging
import re
import secrets
from urllib.parse import urlencode
from xml.etree import ElementTree

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_cas_ng.backends import CASBackend
from django_cas_ng.models import SessionTicket
from django_cas_ng.utils import get_cas_client

from ent.web.cas_http import CasUnavailable

log = logging.getLogger(__name__)

_SESSION_INDEX = "{urn:oasis:names:tc:SAML:2.0:protocol}SessionIndex"
_STATE = re.compile(r"[A-Za-z0-9_-]{32}")
_TICKET = re.compile(r"ST-[A-Za-z0-9._-]{1,250}")


class TicketRefused(Exception):  # noqa: N818
    """The CAS server does not vouch for this ticket."""


class NotALogoutRequest(ValueError):  # noqa: N818
    """What was posted is not a CAS single logout request."""


class Backend(CASBackend):
    """Accounts of the application's own database: the login and nothing else, no password."""

    def clean_username(self, username: str) -> str:
        """Write the login one way."""
        # logins compare without case in LDAP; two accounts for one person must not arise
        return username.strip().lower()

    def configure_user(self, user: User) -> User:
        """Finish an account that was made just now."""
        user.set_unusable_password()
        user.save(update_fields=["password"])
        return user


def state_cookie() -> str:
    """Name of the cookie with the secret of this browser, see service_url."""
    return f"{settings.SESSION_COOKIE_NAME.removesuffix('-session')}-etat"


def safe_next(request: HttpRequest) -> str:
    """The page to return to after signing in: a path of this site, else the first page."""
    asked = request.GET.get("next", "")
    if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return reverse("home")


def state_for(request: HttpRequest) -> str:
    """Return the secret of this browser, see service_url.

    The one it has, if a sign-in is under way: in two tabs both then come to an end.
    """
    present = request.COOKIES.get(state_cookie(), "")
    return present if _STATE.fullmatch(present) else secrets.token_urlsafe(24)


def service_url(next_page: str, state: str) -> str:
    """The address to which CAS sends the browser back.

    `state` is a secret of this browser (cookie state_cookie). A ticket is valid
    for the exact service it was made for, so a ticket that somebody else
    obtained and slipped into a link does not validate here.
    """
    query = urlencode({"next": next_page, "etat": state})
    return f"{settings.CAS_ROOT_PROXIED_AS}{reverse('sign-in')}?{query}"


def login_url(next_page: str, state: str) -> str:
    """CAS's form, which sends the browser back to service_url."""
    return str(get_cas_client(service_url=service_url(next_page, state)).get_login_url())


def logout_url() -> str:
    """CAS's logout, which ends the single sign-on and every service that takes part in it."""
    return str(
        get_cas_client().get_logout_url(f"{settings.CAS_ROOT_PROXIED_AS}{reverse('signed-out')}")
    )


def sign_in(request: HttpRequest, ticket: str, next_page: str, state: str) -> str:
    """Have the ticket validated and open a session; return the login.

    Raises TicketRefused, or CasUnavailable when there was no answer to tell.
    """
    if not _TICKET.fullmatch(ticket):
        raise TicketRefused("not the form of a service ticket")
    try:
        user = authenticate(request, ticket=ticket, service=service_url(next_page, state))
    except ElementTree.ParseError as error:
        raise CasUnavailable(f"the CAS server's answer is not XML: {error}") from error
    if user is None:
        raise TicketRefused("the CAS server refused the ticket")
    attributes = request.session.get("attributes")
    login(request, user)  # with a new session key
    request.session["attributes"] = attributes
    request.session.save()
    SessionTicket.objects.update_or_create(
        session_key=request.session.session_key, defaults={"ticket": ticket}
    )
    log.info("signed in: %s", user.get_username())
    return user.get_username()


def sign_out(request: HttpRequest) -> None:
    """End this browser's session here."""
    if request.session.session_key:
        SessionTicket.objects.filter(session_key=request.session.session_key).delete()
    who = request.user.get_username()
    logout(request)
    if who:
        log.info("signed out: %s", who)


def single_logout(text: str) -> int:
    """End the sessions that a back-channel logout request of CAS names; return how many.

    Knowing a ticket is what entitles to it: tickets are secrets between CAS
    and this service.
    """
    try:
        # expat fetches nothing and bounds entity expansion; Django bounds the size
        root = ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        raise NotALogoutRequest(str(error)) from error
    tickets = [
        ticket for element in root.iter(_SESSION_INDEX) if (ticket := (element.text or "").strip())
    ]
    if not tickets:
        raise NotALogoutRequest("no SessionIndex")
    ended = 0
    for known in SessionTicket.objects.filter(ticket__in=tickets):
        SessionStore(known.session_key).delete()
        known.delete()
        ended += 1
    log.info("single logout: %d session(s) ended", ended)
    return ended
