"""Addresses of the search."""

from django.urls import path

from ent.annuaire.search import views

urlpatterns = [
    path("", views.home, name="home"),
    path("recherche", views.results, name="search"),
    path("personne/<str:reference>", views.person, name="person"),
    path("structures", views.structure_list, name="structures"),
    path("structure/<path:code>", views.structure, name="structure"),
    path("robots.txt", views.robots, name="robots"),
]
