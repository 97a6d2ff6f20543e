"""Addresses of the public process."""

from django.urls import include, path

from ent.annuaire import views
from ent.web.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("ent.annuaire.search.urls")),
    path("activer/", include("ent.annuaire.activation.urls")),
    path("compte/", include("ent.annuaire.account.urls")),
    path("sante", views.health, name="health"),
    path("", include("ent.web.signin_urls")),
    path("", include("ent.web.urls")),
]
