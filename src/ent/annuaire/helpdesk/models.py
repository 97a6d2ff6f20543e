"""Tables of the help desk. The trail's triggers are in migration 0001."""

from django.db import models


class OneTimeCode(models.Model):
    """The one code that a person has, or had last.

    person: login. digest: `codes.Code.digest`. failures: wrong tries.
    used_at: when a password was chosen with it; null: not yet.
    """

    person = models.CharField(max_length=64, primary_key=True)
    digest = models.BinaryField()
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    issued_by = models.CharField(max_length=64)
    failures = models.PositiveIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"code of {self.person}"


class TrailLine(models.Model):
    """A line of the trail (`trail.Line`). The database gives number, at, previous and hash."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    agent = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=16)
    person = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=16)
    operation = models.CharField(max_length=32, blank=True)
    detail = models.CharField(max_length=120, blank=True)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        """What auditors search by."""

        indexes = (
            models.Index(fields=("person", "number"), name="helpdesk_trail_person"),
            models.Index(fields=("agent", "number"), name="helpdesk_trail_agent"),
            models.Index(fields=("operation",), name="helpdesk_trail_operation"),
            models.Index(fields=("at",), name="helpdesk_trail_at"),
        )

    def __str__(self) -> str:
        return f"line {self.number}"
