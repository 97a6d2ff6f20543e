"""What is in the artefact of the annuaire. Packages come from uv's cache or the index."""

from __future__ import annotations

import tarfile

import pytest

from ent import build


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    artefact, _ = build.build("annuaire", tmp_path_factory.mktemp("annuaire"))
    with tarfile.open(artefact) as archive:
        return set(archive.getnames())


def test_both_processes_and_their_texts_are_in_it(names: set[str]) -> None:
    assert {
        "bin/ent-annuaire",
        "lib/ent/annuaire/settings.py",
        "lib/ent/annuaire/settings_helpdesk.py",
        "lib/ent/annuaire/settings_owner.py",
        "lib/ent/annuaire/search/migrations/0002_index.py",
        "lib/ent/annuaire/search/locale/en/LC_MESSAGES/django.mo",
        "lib/ent/naming.py",
        "lib/anyascii/__init__.py",
        "static/staticfiles.json",
        "static/ent/indisponible.html",
        "static/ent/ralentir.html",
        "static/ent/trop-long.html",
        "static/ent/ent.css.gz",
    } <= names


def test_nothing_else_of_ours_and_nothing_compiled(names: set[str]) -> None:
    assert not [name for name in names if name.startswith(("lib/ent/portal", "lib/ent/lab"))]
    assert not [name for name in names if name.endswith((".so", ".pyc", ".po"))]


def test_parts_that_are_no_web_application_need_no_static_files() -> None:
    sources = {path.name for path in build._sources("harpege")}
    assert "naming.py" in sources
    assert "ent.css" not in sources
