"""The portal's addresses."""

from django.urls import include, path

from ent.portal import views
from ent.portal.lists import views as lists
from ent.web.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", views.home, name="home"),
    path("mes-informations", views.my_record, name="record"),
    path("mes-listes", lists.mine, name="lists"),
    path("mes-listes/abonnement", lists.join, name="lists-join"),
    path("mes-listes/desabonnement", lists.leave, name="lists-leave"),
    path("sante", views.health, name="health"),
    path("", include("ent.web.signin_urls")),
    path("", include("ent.web.urls")),
]
