"""Templates of the annuaire: nothing inline; every address and file that they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import annuaire_app
import ent

annuaire_app.start()

from django.contrib.staticfiles import finders  # noqa: E402
from django.urls import URLResolver, get_resolver  # noqa: E402

SOURCES = Path(ent.__file__).parent
PUBLIC = [
    path
    for part in ("web", "annuaire")
    for path in (SOURCES / part).rglob("templates/**/*.html")
    if "helpdesk" not in path.parts
]
HELPDESK = [
    *(SOURCES / "web").rglob("templates/**/*.html"),
    *(SOURCES / "annuaire/helpdesk").rglob("templates/**/*.html"),
]
EVERY = sorted({*PUBLIC, *HELPDESK})


def name(path: Path) -> str:
    return str(path.relative_to(SOURCES))


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_nothing_inline(path: Path) -> None:
    """The policy of the pages (Content-Security-Policy) lets browsers ignore it."""
    text = path.read_text()
    for tag in re.findall(r"<script[^>]*>", text):
        assert re.search(r"\bsrc=\"\{% static ", tag), tag
    assert not re.search(r"<style\b", text)
    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"\son[a-z]+=\"", text)
    assert "javascript:" not in text
    # what is loaded comes from this site
    assert not re.findall(r"(?:src|<link[^>]*href)=\"(?:https?:)?//", text)


def names_of(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Every name that `{% url %}` takes."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from names_of(pattern, inner)
        elif pattern.name:
            yield f"{prefix}{pattern.name}"


@pytest.mark.parametrize(
    ("urls", "path"),
    [
        *(("ent.annuaire.urls", path) for path in PUBLIC),
        *(("ent.annuaire.urls_helpdesk", path) for path in HELPDESK),
    ],
    ids=lambda one: one.rpartition(".")[2] if isinstance(one, str) else name(one),
)
def test_names_of_addresses_exist(urls: str, path: Path) -> None:
    known = set(names_of(get_resolver(urls)))
    asked = set(re.findall(r"\{%\s*url\s+['\"]([^'\"]+)['\"]", path.read_text()))
    assert asked <= known


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_files_exist(path: Path) -> None:
    asked = re.findall(r"\{%\s*static\s+['\"]([^'\"]+)['\"]\s*%\}", path.read_text())
    assert [one for one in asked if finders.find(one) is None] == []


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_included_templates_exist(path: Path) -> None:
    from django.template.loader import get_template  # noqa: PLC0415

    for one in re.findall(r"\{%\s*(?:include|extends)\s+['\"]([^'\"]+)['\"]", path.read_text()):
        get_template(one)
