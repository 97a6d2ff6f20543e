"""Addresses of the activation, under /activer/.

The person is named by the reference of their page (`ent.annuaire.references`), not by
their login: `reverse("activation:start", args=[reference_of(uid)])`.
"""

from django.urls import path

from ent.annuaire.activation import views

app_name = "activation"
urlpatterns = [
    path("charte", views.charter_text, name="charter"),
    path("<str:reference>", views.start, name="start"),
    path("<str:reference>/informations", views.details, name="details"),
    path("<str:reference>/termine", views.done, name="done"),
]
