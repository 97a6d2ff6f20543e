"""What must hold on every page, whatever it is about."""

from __future__ import annotations

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# docs/images/ is written anew with: ENT_SCREENSHOTS=docs/images make verify TESTS=tests/e2e
SCREENSHOTS = os.environ.get("ENT_SCREENSHOTS")


def look(page: Page, name: str, *, picture: bool = True, full_page: bool = False) -> None:
    """Assert that a page is accessible, and scrolls not sideways at 320 px and at 200 %.

    Args:
        page: what is looked at; it is left as it was.
        name: for messages, and of the picture in docs/images.
        picture: whether one is taken, when ENT_SCREENSHOTS asks for them.
        full_page: whether the picture shows what one scrolls to as well.
    """
    page.emulate_media(reduced_motion="reduce")
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    size = page.viewport_size
    assert size
    if SCREENSHOTS and picture:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=full_page)
    for width, zoom in ((320, "100%"), (1280, "200%")):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("zoom => document.documentElement.style.fontSize = zoom", zoom)
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1], f"{name} scrolls sideways at {width} px, {zoom}: {widths}"
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size(size)
