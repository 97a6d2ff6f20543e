"""Addresses of signing in and out, for applications behind CAS."""

from django.urls import path

from ent.web import signin

urlpatterns = [
    path("connexion", signin.sign_in, name="sign-in"),
    path("deconnexion", signin.sign_out, name="sign-out"),
    path("au-revoir", signin.signed_out, name="signed-out"),
]
