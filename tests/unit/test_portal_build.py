"""The artefact is a function of its inputs. Packages come from uv's cache or the index."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ent import build


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two builds from nothing."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    built = [build.build("portal", folder) for folder in folders]
    assert [new for _, new in built] == [True, True]
    return [path for path, _ in built]


def test_two_builds_give_the_same_bytes(artefacts: list[Path]) -> None:
    assert artefacts[0].name == artefacts[1].name
    assert artefacts[0].read_bytes() == artefacts[1].read_bytes()


def test_the_catalogs_do_not_tell_when_they_were_compiled(artefacts: list[Path]) -> None:
    with tarfile.open(artefacts[0]) as archive:
        catalog = archive.extractfile("lib/ent/web/locale/en/LC_MESSAGES/django.mo")
        assert catalog is not None
        assert b"POT-Creation-Date: 1970-01-01" in catalog.read()


def test_the_same_inputs_are_not_built_again(
    artefacts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(build, "_build")
    assert build.build("portal", artefacts[0].parent) == (artefacts[0], False)


def test_a_changed_source_is_built(artefacts: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = build._inputs("portal")
    monkeypatch.setitem(build.APPLICATIONS, "portal", ("directory", "web"))
    assert build._inputs("portal") != before


def test_what_is_inside(artefacts: list[Path]) -> None:
    with tarfile.open(artefacts[0]) as archive:
        entries = {entry.name: entry for entry in archive}
    names = set(entries)
    assert {"bin/ent-portal", "lib/django/__init__.py", "lib/ent/portal/wsgi.py"} <= names
    assert "lib/ent/portal/locale/en/LC_MESSAGES/django.mo" in names
    assert "static/staticfiles.json" in names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".po"))]
    assert not [name for name in names if name.startswith(("lib/lxml", "lib/ent/lab", "lib/bin"))]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}
    executable = [entry.name for entry in entries.values() if entry.isfile() and entry.mode & 0o111]
    assert executable == ["bin/ent-portal"]


def test_compiled_packages_are_left_to_debian() -> None:
    lock = "# lock\nlxml==6.1 \\\n    --hash=sha256:a\ndjango==5.2 \\\n    --hash=sha256:b\n"
    assert list(build._without_debian(lock)) == ["django==5.2 \\\n    --hash=sha256:b\n"]
