"""The portal's addresses."""

from django.urls import include, path

from ent.portal import views
from ent.web.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", views.home, name="home"),
    path("mes-informations", views.my_record, name="record"),
    path("connexion", views.sign_in, name="sign-in"),
    path("deconnexion", views.sign_out, name="sign-out"),
    path("au-revoir", views.signed_out, name="signed-out"),
    path("sante", views.health, name="health"),
    path("", include("ent.web.urls")),
]
