"""Django settings of the portal, derived from its settings file."""

from ent.portal.config import portal_config
from ent.web import project

PORTAL = portal_config()
globals().update(project.settings(PORTAL, "ent", ["ent.portal"], "ent.portal.urls"))
WSGI_APPLICATION = "ent.portal.wsgi.application"
