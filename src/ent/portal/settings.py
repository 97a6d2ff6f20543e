"""Django settings of the portal, derived from its settings file."""

from pathlib import Path
from urllib.parse import urlsplit

from ent.portal.cas_http import CasSession
from ent.portal.config import portal_config
from ent.web import security

PORTAL = portal_config()
_url = urlsplit(PORTAL.url)
_cas = urlsplit(PORTAL.cas_url)

DEBUG = False
SECRET_KEY = PORTAL.secret_key
ALLOWED_HOSTS = [_url.hostname or ""]
ROOT_URLCONF = "ent.portal.urls"
WSGI_APPLICATION = "ent.portal.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "django_cas_ng",
    "ent.web",
    "ent.portal",
]
MIDDLEWARE = security.MIDDLEWARE
globals().update(security.settings("ent", https=_url.scheme == "https"))
CONTENT_SECURITY_POLICY = security.content_security_policy(f"{_cas.scheme}://{_cas.netloc}")
CSRF_FAILURE_VIEW = "ent.web.pages.form_expired"

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = PORTAL.session_hours * 3600

TEMPLATES = [
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
]
ENT_SITE = PORTAL.site

LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", "Français"), ("en", "English")]
TIME_ZONE = "Europe/Paris"
USE_TZ = True

STATIC_URL = "/static/"
# In an artefact the collected files lie beside the code (lib/ent/portal/ -> static/).
_collected = Path(__file__).resolve().parents[3] / "static"
STATIC_ROOT = _collected if (_collected / "staticfiles.json").exists() else None
if STATIC_ROOT:
    STORAGES = {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
else:
    WHITENOISE_USE_FINDERS = True
    STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

_database = PORTAL.database
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.name,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "HOST": _database.host,
        "PORT": _database.port,
        # threads of gunicorn keep their connection, and check it before use
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            "sslmode": "verify-full",
            "sslrootcert": _database.ca_file,
            "options": "-c statement_timeout=10s",
        },
    }
    if _database.host
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": _database.name}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["ent.portal.cas.Backend"]
LOGIN_URL = "sign-in"
CAS_SERVER_URL = PORTAL.cas_url
CAS_VERSION = "3"
CAS_ROOT_PROXIED_AS = PORTAL.url
CAS_REDIRECT_URL = "/"
CAS_IGNORE_REFERER = True
CAS_SESSION_FACTORY = CasSession
CAS_VERIFY_SSL_CERTIFICATE = PORTAL.ca_file  # requests takes the name of a bundle for "verify"
CAS_LOGIN_MSG = None
CAS_LOGGED_MSG = None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"journal": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"journal": {"class": "logging.StreamHandler", "formatter": "journal"}},
    "root": {"handlers": ["journal"], "level": "INFO"},
    # Django's own handlers write to a console in DEBUG and to ADMINS by mail: neither is wanted
    "loggers": {"django": {"handlers": [], "level": "INFO", "propagate": True}},
}
