"""The browser: Debian's Chromium in the lab's client, driven from here through a pipe."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from lab import PATIENCE, REPOSITORY, LabUnderTest

_WRAPPER = Path(__file__).with_name("chromium-in-lab")
# As a person's own: Sympa keeps no session for what says that it is headless.
_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
_TRACES = REPOSITORY / ".cache" / "report" / "browser"


@pytest.fixture(scope="session")
def browser(lab: LabUnderTest) -> Iterator[Browser]:
    """One browser for all tests; each test has a context of its own."""
    os.environ["ENT_CLIENT_CONTAINER"] = f"{lab.name}-client1"
    # Node must not load nss_wrapper: the names are resolved in the lab.
    preload = os.environ.pop("LD_PRELOAD", None)
    # as everywhere: long enough for a machine with other work
    expect.set_options(timeout=PATIENCE * 1000)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(_WRAPPER),
                chromium_sandbox=True,
                args=[f"--user-agent={_USER_AGENT}"],
            )
            yield browser
            browser.close()
    finally:
        if preload:
            os.environ["LD_PRELOAD"] = preload


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh profile in French; screenshot and trace are kept when the test fails."""
    context = browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    context.tracing.start(screenshots=True, snapshots=True)
    failures = request.session.testsfailed
    yield context
    if request.session.testsfailed > failures:
        folder = _TRACES / re.sub(r"\W+", "-", request.node.name)
        folder.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(context.pages):
            page.screenshot(path=folder / f"page{number}.png", full_page=True)
        context.tracing.stop(path=folder / "trace.zip")
        print(f"screenshots and trace: {folder}")
    else:
        context.tracing.stop()
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page in a fresh profile."""
    return context.new_page()


@pytest.fixture
def sign_in(lab: LabUnderTest) -> Callable[..., None]:
    """Fill in and send the sign-on form that the page shows."""

    def fill(page: Page, uid: str, password: str | None = None) -> None:
        page.locator("input[name=user]").fill(uid)
        page.locator("input[name=password]").fill(password or lab.secret(f"person-{uid}"))
        page.locator("form:has(input[name=password]) [type=submit]").click()

    return fill
