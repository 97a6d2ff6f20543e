"""The handlers and addresses every application includes."""

from django.urls import path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

handler400 = "ent.web.pages.bad_request"
handler403 = "ent.web.pages.forbidden"
handler404 = "ent.web.pages.not_found"
handler500 = "ent.web.pages.failure"

urlpatterns = [path("langue", require_POST(set_language), name="language")]
