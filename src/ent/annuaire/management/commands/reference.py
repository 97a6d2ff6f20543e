"""`ent-annuaire public reference LOGIN`: the address of a person's page."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from ent.annuaire.references import reference_of


class Command(BaseCommand):
    """For administrators who read a login in a log, and for tests."""

    help = "Print the address of a person's page."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The login."""
        parser.add_argument("login")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        path = reverse("person", args=[reference_of(options["login"])])
        self.stdout.write(f"{settings.ANNUAIRE.url}{path}")
