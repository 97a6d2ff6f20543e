"""Registration of what the annuaire's apps have in common with Django."""

from django.apps import AppConfig


class AnnuaireConfig(AppConfig):
    """Frame of the pages, and the grants on the tables of the framework."""

    name = "ent.annuaire"
    label = "ent_annuaire"
