"""The WSGI application: `gunicorn ent.portal.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ent.portal.settings")
application = get_wsgi_application()
