"""Every French text of the own page has its English one, and no English one is left over."""

from __future__ import annotations

from pathlib import Path

import annuaire_app
import catalogs
import ent

SOURCES = Path(ent.__file__).parent / "annuaire" / "account"


def test_catalog_is_complete() -> None:
    annuaire_app.start()
    catalogs.assert_complete(SOURCES)


def test_typography() -> None:
    """Typographic apostrophes in all that staff see."""
    annuaire_app.start()
    assert [one for one in catalogs.messages_of(SOURCES) if "'" in one] == []
