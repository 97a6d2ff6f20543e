"""`ent-annuaire public index`: keep the index of the search."""

import logging
import signal
import threading
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from ent.annuaire.directory import directory_as
from ent.annuaire.search import indexing
from ent.annuaire.search.models import Progress
from ent.directory import DirectoryUnavailable

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Once, or for ever (the service ent-annuaire-index)."""

    help = "Compare the index with the whole directory; or follow the directory with --follow."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--if-empty, --follow."""
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--if-empty", action="store_true", help="only if that was never done")
        way.add_argument("--follow", action="store_true", help="until told to stop")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        if options["follow"]:
            self._follow()
            return
        if options["if_empty"] and indexing.is_whole():
            return
        try:
            with indexing.alone() as mine:
                if not mine:
                    self.stdout.write("Another process is at it")
                    return
                changed, gone = indexing.compare_whole(directory_as("search"))
        except (DirectoryUnavailable, indexing.NobodyShown, DatabaseError) as error:
            raise CommandError(f"The index could not be filled: {error}") from error
        self.stdout.write(f"Changed: {changed} people indexed, {gone} taken out")

    def _follow(self) -> None:
        """Take over changes, until SIGTERM; what fails is tried again the next time."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        config = settings.ANNUAIRE.search
        while not stop.is_set():
            try:
                with indexing.alone() as mine:
                    if mine:
                        self._step(timedelta(hours=config.index_full_hours))
            except (DirectoryUnavailable, indexing.NobodyShown, DatabaseError) as error:
                log.error("the index does not follow the directory: %s", error)
                connection.close()
            stop.wait(config.index_seconds)

    def _step(self, full_after: timedelta) -> None:
        directory = directory_as("search")
        progress = Progress.objects.filter(pk=1).first()
        if not progress or not progress.full_at or timezone.now() - progress.full_at > full_after:
            changed, gone = indexing.compare_whole(directory)
            log.info("compared with the whole directory: %d changed, %d taken out", changed, gone)
            return
        changed = indexing.take_over_changes(directory)
        if changed:
            log.info("%d changed", changed)
