"""Addresses of the help desk's process. nginx sends it what is under /assistance/."""

from django.urls import include, path

from ent.annuaire import views
from ent.web.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path(
        "assistance/",
        include(
            [
                path("", include("ent.annuaire.helpdesk.urls")),
                path("sante", views.health_helpdesk, name="health"),
                path("", include("ent.web.signin_urls")),
                path("", include("ent.web.urls")),
            ]
        ),
    ),
]
