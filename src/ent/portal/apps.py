"""Registration of the portal with Django."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Templates and messages of the portal."""

    name = "ent.portal"
    label = "ent_portal"
