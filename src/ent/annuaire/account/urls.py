"""Addresses of the own page, under /compte/. None names a person: the session does."""

from django.urls import path

from ent.annuaire.account import views

app_name = "account"
urlpatterns = [
    path("", views.home, name="home"),
    path("charte", views.charter, name="charter"),
    path("affichage", views.display, name="display"),
    path("adresse-personnelle", views.recovery, name="recovery"),
    path("mot-de-passe", views.password, name="password"),
]
