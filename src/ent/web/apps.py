"""Registration of the shared part with Django."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Templates, static files and messages that all applications share."""

    name = "ent.web"
    label = "ent_web"
