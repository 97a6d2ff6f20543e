"""Every French text of the own page has its English one, and no English one is left over."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

import annuaire_app
import ent
import portal_app

SOURCES = Path(ent.__file__).parent / "annuaire" / "account"


def test_catalog_is_complete() -> None:
    annuaire_app.start()
    wanted = portal_app.messages_of(SOURCES)
    with (SOURCES / "locale/en/LC_MESSAGES/django.po").open("rb") as text:
        catalog = {str(one.id): str(one.string) for one in read_po(text) if one.id}
    missing = {f"{where}: {one}" for one, where in wanted.items() if not catalog.get(one)}
    assert missing == set()
    assert catalog.keys() - wanted.keys() == set()
    for french, english in catalog.items():
        parts = [sorted(re.findall(r"%\(\w+\)s|\{\w+\}", one)) for one in (french, english)]
        assert parts[0] == parts[1], french


def test_typography() -> None:
    """Typographic apostrophes in all that staff see."""
    annuaire_app.start()
    assert [one for one in portal_app.messages_of(SOURCES) if "'" in one] == []
