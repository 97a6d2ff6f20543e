"""The portal's addresses."""

from django.urls import include, path

from ent.portal import views
from ent.web.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", views.home, name="home"),
    path("mes-informations", views.my_record, name="record"),
    path("sante", views.health, name="health"),
    path("", include("ent.web.signin_urls")),
    path("", include("ent.web.urls")),
]
