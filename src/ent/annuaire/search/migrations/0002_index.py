"""What PostgreSQL can do better than other databases.

Beginnings of words are found by trigrams; names are sorted byte by byte, folded as they are; counts
of an hour need not survive a crash, and so no search waits for the disk.
"""

from typing import Any

from django.db import migrations

FORWARD = (
    'ALTER TABLE search_person ALTER COLUMN sort TYPE text COLLATE "C"',
    "CREATE INDEX search_person_words ON search_person USING gin (words gin_trgm_ops)",
    "ALTER TABLE search_allowance SET UNLOGGED",
)
BACKWARD = (
    "ALTER TABLE search_allowance SET LOGGED",
    "DROP INDEX search_person_words",
    'ALTER TABLE search_person ALTER COLUMN sort TYPE text COLLATE "default"',
)


def _run(*statements: str) -> Any:
    def run(_: Any, editor: Any) -> None:
        if editor.connection.vendor == "postgresql":
            for statement in statements:
                editor.execute(statement)

    return run


class Migration(migrations.Migration):
    """Indexes of PostgreSQL's own."""

    dependencies = [("search", "0001_initial")]
    operations = [migrations.RunPython(_run(*FORWARD), _run(*BACKWARD))]
