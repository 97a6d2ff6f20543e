"""Addresses of the help desk, under /assistance/; the first page is named "home"."""

from django.urls import path

from ent.annuaire.helpdesk import views

urlpatterns = [
    path("", views.home, name="home"),
    path("code", views.redeem_code, name="redeem"),
    path("code/fait", views.redeemed, name="redeemed"),
    path("personne/<str:uid>", views.person, name="person"),
    path("personne/<str:uid>/verifier", views.verify_caller, name="verify"),
    path("personne/<str:uid>/code", views.issue_code, name="issue"),
    path("personne/<str:uid>/debloquer", views.unlock, name="unlock"),
    path("journal", views.trail, name="trail"),
    path("journal/export.csv", views.export, name="export"),
    path("journal/controle", views.check, name="check"),
]
