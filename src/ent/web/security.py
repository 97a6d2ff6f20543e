"""Security settings every web application starts from, and the middleware behind them.

The applications run behind nginx on a Unix socket: nginx ends TLS, so what it
says about the original scheme can be believed. HSTS is nginx's as well (role
`nginx`, snippets/ent-tls.conf), since it concerns the name and not the pages.
"""

import re
from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]

# django.contrib.sessions makes them so, of lower-case letters and digits.
_SESSION_KEY = re.compile(r"[a-z0-9]{32}")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "ent.web.security.personal_pages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ent.web.security.sound_session_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ent.web.language.chosen_language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def settings(application: str, *, https: bool = True, path: str = "/") -> dict[str, Any]:
    """Django settings about security, for `globals().update()`.

    application: goes into the names of cookies, e.g. "ent".
    https: False only for a developer's own machine without TLS; it loosens the
        cookies and nothing else.
    path: the part of the host to which browsers send the cookies of session and
        forms. The prefix __Host- demands the whole host, so a part gets __Secure-.
    """
    prefix = f"{_cookie_prefix(path) if https else ''}{application}"
    return {
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "X_FRAME_OPTIONS": "DENY",
        "SESSION_COOKIE_NAME": f"{prefix}-session",
        "SESSION_COOKIE_PATH": path,
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        # Lax, not Strict: the person comes back from the CAS server's site with a ticket
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_COOKIE_NAME": f"{prefix}-csrf",
        "CSRF_COOKIE_PATH": path,
        "CSRF_COOKIE_SECURE": https,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "LANGUAGE_COOKIE_NAME": f"{prefix}-langue",
        "LANGUAGE_COOKIE_PATH": path,
        "LANGUAGE_COOKIE_SECURE": https,
        "LANGUAGE_COOKIE_HTTPONLY": True,
        "LANGUAGE_COOKIE_SAMESITE": "Lax",
        "LANGUAGE_COOKIE_AGE": 365 * 24 * 3600,
        # nothing of these applications takes more than a form
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 64 * 1024,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 50,
    }


def _cookie_prefix(path: str) -> str:
    # RFC 6265bis, 4.1.3: what the prefixes promise, browsers enforce
    return "__Host-" if path == "/" else "__Secure-"


def content_security_policy(*form_targets: str) -> dict[str, Any]:
    """The strictest policy the pages work with: own style sheet and pictures, no script at all.

    form_targets: origins to which the answer to a form may redirect, besides
        the application itself (browsers follow form-action through redirects).
    """
    return {
        "DIRECTIVES": {
            "default-src": [NONE],
            "style-src": [SELF],
            "img-src": [SELF],
            "form-action": [SELF, *form_targets],
            "frame-ancestors": [NONE],
            "base-uri": [NONE],
        }
    }


def personal_pages(get_response: GetResponse) -> GetResponse:
    """Middleware: pages are one person's; no cache keeps them and no browser feature is granted."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Cache-Control", "no-store, private")
        response.setdefault(
            "Permissions-Policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
        )
        return response

    return middleware


def sound_session_cookies(get_response: GetResponse) -> GetResponse:
    """Middleware: what cannot be the key of a session is not looked for.

    A quoted cookie can hold a null (RFC 2109 escapes), which PostgreSQL takes in no text.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        name = django_settings.SESSION_COOKIE_NAME
        if not _SESSION_KEY.fullmatch(request.COOKIES.get(name, "")):
            request.COOKIES.pop(name, None)
        return get_response(request)

    return middleware
