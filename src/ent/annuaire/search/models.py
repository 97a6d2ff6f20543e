"""The index: where the words of names lead. It is never shown to anybody.

What pages show is read from the directory each time (`ent.annuaire.search.people`),
so the index only decides whom to ask for.
"""

from django.db import models


class Person(models.Model):
    """Somebody whom the directory shows to the public.

    words: the folded words of the names, each between spaces: " de dupont jean ".
    sort: surname, then given names, folded.
    staff, student: the profiles to which the person belongs.
    seen: modifyTimestamp of the entry that was read.
    """

    uid = models.CharField(max_length=64, primary_key=True)
    words = models.TextField()
    sort = models.TextField()
    staff = models.BooleanField()
    student = models.BooleanField()
    seen = models.CharField(max_length=32)

    def __str__(self) -> str:
        return str(self.uid)


class Membership(models.Model):
    """A structure to which a person belongs, by its supannCodeEntite."""

    person = models.ForeignKey(Person, models.CASCADE, db_index=False)
    code = models.CharField(max_length=128, db_index=True)

    class Meta:
        """One row for a person in a structure."""

        constraints = (
            models.UniqueConstraint(fields=("person", "code"), name="search_one_membership"),
        )

    def __str__(self) -> str:
        return f"{self.person} {self.code}"


class Misspelling(models.Model):
    """A word of a name with one letter left out (`ent.annuaire.search.spelling`)."""

    variant = models.CharField(max_length=64, db_index=True)
    word = models.CharField(max_length=64)

    class Meta:
        """One row for a variant of a word."""

        constraints = (
            models.UniqueConstraint(fields=("word", "variant"), name="search_one_misspelling"),
        )

    def __str__(self) -> str:
        return f"{self.variant} {self.word}"


class Progress(models.Model):
    """How far the index follows the directory; one row.

    changed: modifyTimestamp of the newest entry that was read.
    checked_at: when the directory was last asked for changes.
    full_at: when the index was last compared with the whole directory.
    """

    changed = models.CharField(max_length=32, default="")
    checked_at = models.DateTimeField(null=True)
    full_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"up to {self.changed}"


class Allowance(models.Model):
    """How many people a network address was shown in an hour.

    network: ent.web.network.client_network.
    hour: hours since the epoch.
    """

    network = models.CharField(max_length=64)
    hour = models.IntegerField()
    shown = models.IntegerField()

    class Meta:
        """One row for a network and an hour."""

        constraints = (
            models.UniqueConstraint(fields=("network", "hour"), name="search_one_allowance"),
        )

    def __str__(self) -> str:
        return f"{self.network}: {self.shown}"
