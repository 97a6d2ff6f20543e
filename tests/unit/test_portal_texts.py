"""Every French text of the pages has its English one, and no English one is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalogs
import ent
import portal_app

SOURCES = Path(ent.__file__).parent


@pytest.mark.parametrize("application", ["web", "portal"])
def test_catalog_is_complete(application: str) -> None:
    portal_app.start()
    catalogs.assert_complete(SOURCES / application)
