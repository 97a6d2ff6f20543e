"""Every French text of the pages has its English one, and no English one is left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import ent
import portal_app

SOURCES = Path(ent.__file__).parent


@pytest.mark.parametrize("application", ["web", "portal"])
def test_catalog_is_complete(application: str) -> None:
    portal_app.start()
    wanted = portal_app.messages_of(SOURCES / application)
    with (SOURCES / application / "locale/en/LC_MESSAGES/django.po").open("rb") as text:
        catalog = {str(one.id): str(one.string) for one in read_po(text) if one.id}
    missing = {f"{where}: {one}" for one, where in wanted.items() if not catalog.get(one)}
    assert missing == set()
    assert catalog.keys() - wanted.keys() == set()
