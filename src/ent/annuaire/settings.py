"""Django settings of the public process: search, activation, own page."""

from ent.annuaire.config import public_config
from ent.web import project, security

ANNUAIRE = public_config()
globals().update(
    project.settings(
        ANNUAIRE,
        "annuaire",
        [
            "ent.annuaire.search",
            "ent.annuaire.activation",
            "ent.annuaire.account",
            "ent.annuaire.limits",
            "ent.annuaire",
        ],
        "ent.annuaire.urls",
        # public holds the extension pg_trgm
        search_path=["annuaire", "public"],
    )
)
WSGI_APPLICATION = "ent.annuaire.wsgi.application"
DATABASE_ROUTERS = ["ent.annuaire.database.Router"]
MIDDLEWARE = [*security.MIDDLEWARE, "ent.annuaire.robots.keep_out"]
