"""The charter: one file, its version in its head."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ent.annuaire.activation.charter import (
    Acceptance,
    CharterError,
    accepted_versions,
    load,
)

HEAD = "---\nversion: 2027-3\ntitle: Charte d’essai\n---\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "charte.md"
    path.write_text(text)
    return path


def test_the_charter_that_comes_with_the_application() -> None:
    charter = load()
    assert charter.version == "2026-1"
    assert "ressources informatiques" in charter.title
    for heading in ("Préambule", "Article 2", "Article 10"):
        assert heading in charter.html
    # typographic apostrophes, no-break spaces inside quotation marks
    assert "'" not in charter.html
    assert "« " not in charter.html


def test_version_and_title_come_from_the_file(tmp_path: Path) -> None:
    charter = load(write(tmp_path, HEAD + "## Un\n\nDeux.\n"))
    assert (charter.version, charter.title) == ("2027-3", "Charte d’essai")
    assert charter.html == "<h2>Un</h2>\n<p>Deux.</p>\n"


def test_nothing_of_the_text_becomes_markup_of_its_own(tmp_path: Path) -> None:
    text = "<script>alert(1)</script> ![x](https://example.org/x.png) [y](javascript:alert(1))\n"
    html = load(write(tmp_path, HEAD + text)).html
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sans tête", "expected a head"),
        ("---\ntitle: T\n---\nTexte", "no version"),
        ("---\nversion: 1\n---\nTexte", "no title"),
        ("---\nversion: 1:2\ntitle: T\n---\nTexte", "expected up to 32"),
        ("---\nversion: 1\ntitle: T\n---\n\n", "no text"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CharterError, match=said) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CharterError, match="nowhere"):
        load(tmp_path / "nowhere.md")


def test_consent_is_in_utc() -> None:
    at = datetime(2026, 11, 23, 9, 30, 0, 999999, tzinfo=timezone(timedelta(hours=1)))
    assert Acceptance("2026-1", at).consent == "{CHARTE}2026-1:20261123083000Z"


def test_versions_that_were_accepted() -> None:
    mine = Acceptance("2026-1", datetime(2026, 1, 1, tzinfo=UTC)).consent
    assert accepted_versions((mine, "{CHARTE}x", "{PHOTO}2026-2:20260101000000Z")) == {"2026-1"}
    assert accepted_versions(()) == frozenset()
