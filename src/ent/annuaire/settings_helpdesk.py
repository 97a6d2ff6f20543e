"""Django settings of the help desk's process, under /assistance/."""

from ent.annuaire.config import helpdesk_config
from ent.web import project, security

ANNUAIRE = helpdesk_config()
_settings = project.settings(
    ANNUAIRE,
    "helpdesk",
    ["ent.annuaire.helpdesk", "ent.annuaire.limits", "ent.annuaire"],
    "ent.annuaire.urls_helpdesk",
    path="/assistance/",
    # its own tables first; of the public ones it sees what it was granted
    search_path=["helpdesk", "annuaire"],
)
# the sign-on's database, for its two functions: ent.annuaire.helpdesk.signon
_settings["DATABASES"]["signon"] = project.database(ANNUAIRE.helpdesk.sign_on.database)
globals().update(_settings)
# the password again, whatever the single sign-on knows: ent.annuaire.helpdesk.access
CAS_RENEW = True
WSGI_APPLICATION = "ent.annuaire.wsgi.application"
DATABASE_ROUTERS = ["ent.annuaire.database.Router"]
MIDDLEWARE = [*security.MIDDLEWARE, "ent.annuaire.robots.keep_out"]
