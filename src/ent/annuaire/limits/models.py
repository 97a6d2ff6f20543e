"""The table of counts."""

from datetime import datetime

from django.db import models


class Count(models.Model):
    """Failures of one subject at one task.

    task: what was tried, such as "activation"; "network" for all tasks of a network.
    subject: a login, or a network (`network_of`).
    failures: since the count began; an attempt under way counts as one.
    last: when the last attempt began.
    free_at: nothing is tried before; null: at once.
    locked_at: since when nothing is tried until somebody lifts the lock.
    """

    task: "models.CharField[str, str]" = models.CharField(max_length=16)
    subject: "models.CharField[str, str]" = models.CharField(max_length=64)
    failures: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField(default=0)
    last: "models.DateTimeField[datetime, datetime]" = models.DateTimeField()
    free_at: "models.DateTimeField[datetime | None, datetime | None]" = models.DateTimeField(
        null=True
    )
    locked_at: "models.DateTimeField[datetime | None, datetime | None]" = models.DateTimeField(
        null=True
    )

    class Meta:
        """One row for a subject at a task."""

        constraints = (
            models.UniqueConstraint(fields=("task", "subject"), name="annuaire_limits_one_count"),
        )

    def __str__(self) -> str:
        return f"{self.task} {self.subject}: {self.failures}"
