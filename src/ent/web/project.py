"""The Django settings that the web applications have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ent.web import security
from ent.web.cas_http import CasSession
from ent.web.config import Database, WebConfig

LANGUAGES = [("fr", "Français"), ("en", "English")]

# Django's own, and what signing in with CAS needs.
FRAMEWORK = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "django_cas_ng",
]


def settings(
    config: WebConfig,
    application: str,
    apps: Sequence[str],
    root_urlconf: str,
    *,
    path: str = "/",
    search_path: Sequence[str] = (),
) -> dict[str, Any]:
    """Django settings of an application behind CAS, for `globals().update()`.

    config: its settings file.
    application: goes into the names of cookies, e.g. "ent".
    apps: its own Django apps, the one whose templates win first.
    root_urlconf: module of its addresses.
    path: where on its host it lives, with slashes around; its session and form
        cookies are sent to nothing above it.
    search_path: schemas of its database; none: the one of the role.
    """
    url, cas = urlsplit(config.url), urlsplit(config.cas_url)
    # In an artefact the collected files lie beside the code (lib/ent/web/ -> static/).
    collected = Path(__file__).resolve().parents[3] / "static"
    static: dict[str, Any] = {
        "STATIC_ROOT": None,
        "WHITENOISE_USE_FINDERS": True,
        "STORAGES": {
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        },
    }
    if (collected / "staticfiles.json").exists():
        storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
        static = {"STATIC_ROOT": collected, "STORAGES": {"staticfiles": {"BACKEND": storage}}}
    return {
        "DEBUG": False,
        "SECRET_KEY": config.secret_key,
        "ALLOWED_HOSTS": [url.hostname or ""],
        "ROOT_URLCONF": root_urlconf,
        "INSTALLED_APPS": [*FRAMEWORK, *apps, "ent.web"],
        "MIDDLEWARE": security.MIDDLEWARE,
        **security.settings(application, https=url.scheme == "https", path=path),
        "CONTENT_SECURITY_POLICY": security.content_security_policy(f"{cas.scheme}://{cas.netloc}"),
        "CSRF_FAILURE_VIEW": "ent.web.pages.form_expired",
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "SESSION_COOKIE_AGE": config.session_hours * 3600,
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "ent.web.pages.site",
                    ]
                },
            }
        ],
        "ENT_SITE": config.site,
        "LANGUAGE_CODE": "fr",
        "LANGUAGES": LANGUAGES,
        "TIME_ZONE": "Europe/Paris",
        "USE_TZ": True,
        "STATIC_URL": f"{path}static/",
        **static,
        "DATABASES": {"default": database(config.database, search_path)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "AUTHENTICATION_BACKENDS": ["ent.web.cas.Backend"],
        "LOGIN_URL": "sign-in",
        "CAS_SERVER_URL": config.cas_url,
        "CAS_VERSION": "3",
        "CAS_ROOT_PROXIED_AS": config.url,
        "CAS_REDIRECT_URL": path,
        "CAS_IGNORE_REFERER": True,
        "CAS_SESSION_FACTORY": CasSession,
        # requests takes the name of a bundle for "verify"
        "CAS_VERIFY_SSL_CERTIFICATE": config.ca_file,
        "CAS_LOGIN_MSG": None,
        "CAS_LOGGED_MSG": None,
        "LOGGING": LOGGING,
    }


def database(config: Database, search_path: Sequence[str] = ()) -> dict[str, Any]:
    """One entry of Django's DATABASES."""
    if not config.host:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": config.name}
    options = "-c statement_timeout=10s"
    if search_path:
        options += f" -c search_path={','.join(search_path)}"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": config.name,
        "USER": config.user,
        "PASSWORD": config.password,
        "HOST": config.host,
        "PORT": config.port,
        # threads of gunicorn keep their connection, and check it before use
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            "sslmode": "verify-full",
            "sslrootcert": config.ca_file,
            "options": options,
        },
    }


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"journal": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"journal": {"class": "logging.StreamHandler", "formatter": "journal"}},
    "root": {"handlers": ["journal"], "level": "INFO"},
    # Django's own handlers write to a console in DEBUG and to ADMINS by mail: neither is wanted
    "loggers": {"django": {"handlers": [], "level": "INFO", "propagate": True}},
}
