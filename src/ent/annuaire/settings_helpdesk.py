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
if ANNUAIRE.helpdesk.moves.name:
    # read beside the rest of a page, which does not wait long for it: ent.annuaire.helpdesk.moves
    _moves = project.database(ANNUAIRE.helpdesk.moves)
    if "OPTIONS" in _moves:
        _moves["OPTIONS"]["options"] = "-c statement_timeout=2s -c default_transaction_read_only=on"
    _settings["DATABASES"]["listmove"] = _moves
globals().update(_settings)
# the password again, whatever the single sign-on knows: ent.annuaire.helpdesk.access
CAS_RENEW = True
WSGI_APPLICATION = "ent.annuaire.wsgi.application"
DATABASE_ROUTERS = ["ent.annuaire.database.Router"]
MIDDLEWARE = [*security.MIDDLEWARE, "ent.annuaire.robots.keep_out"]
