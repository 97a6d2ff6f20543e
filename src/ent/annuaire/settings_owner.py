"""Django settings with which the owner of the tables migrates them; nothing is served.

One database, two schemas, each with its own sessions, accounts and tickets:
neither process can read, or forge, a session of the other.
"""

from ent.annuaire.config import owner_config
from ent.web import project

_database = owner_config().database

SECRET_KEY = "no form is signed by this process"  # noqa: S105
INSTALLED_APPS = [
    *project.FRAMEWORK,
    "ent.annuaire.search",
    "ent.annuaire.activation",
    "ent.annuaire.helpdesk",
    "ent.annuaire.limits",
    "ent.annuaire",
    "ent.web",
]
DATABASES = {
    "default": project.database(_database, ["annuaire", "public"]),
    "helpdesk": project.database(_database, ["helpdesk"]),
}
DATABASE_ROUTERS = ["ent.annuaire.database.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING = project.LOGGING
