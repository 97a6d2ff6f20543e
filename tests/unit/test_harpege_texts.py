"""What the feed says: every French sentence has its English one, with the same blanks to fill."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import ent.harpege
from ent.harpege import messages
from ent.harpege.messages import Speaker, language_of, tell, text_from

PACKAGE = Path(ent.harpege.__file__).parent
CATALOG = PACKAGE / "locale/en/LC_MESSAGES/harpege.po"
BLANKS = re.compile(r"\{(\w+)\}")


def catalog() -> dict[str, str]:
    with CATALOG.open("rb") as text:
        return {str(one.id): str(one.string) for one in read_po(text) if one.id}


def test_the_catalog_is_complete() -> None:
    keywords = dict.fromkeys(("_", "mark", "tell", "say"))
    wanted = {
        found[2] if isinstance(found[2], str) else found[2][0]
        for found in extract_from_dir(PACKAGE, [("**.py", "python")], keywords=keywords)
    }
    known = catalog()
    assert {one for one in wanted if not known.get(one)} == set()
    assert known.keys() - wanted == set()


@pytest.mark.parametrize(("french", "english"), catalog().items())
def test_translations_have_the_same_blanks(french: str, english: str) -> None:
    assert sorted(BLANKS.findall(french)) == sorted(BLANKS.findall(english))


def test_no_sentence_is_hidden_in_an_f_string() -> None:
    """Babel does not look into these on older Pythons."""
    for path in PACKAGE.glob("*.py"):
        assert not re.findall(r"\{(?:say|_)\((?:mark\()?['\"]", path.read_text()), path.name


def test_the_language_of_whoever_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tmp_path / "en/LC_MESSAGES/harpege.mo"
    compiled.parent.mkdir(parents=True)
    with CATALOG.open("rb") as text, compiled.open("wb") as target:
        write_mo(target, read_po(text))
    monkeypatch.setattr(messages, "_CATALOGS", tmp_path)
    messages._catalog.cache_clear()
    said = tell("dernier jour : {day}", day="2026-12-31")
    assert Speaker("fr")(said) == "dernier jour : 2026-12-31"
    assert Speaker("en")(said) == "last day: 2026-12-31"
    assert Speaker("en")(text_from(said.to_json())) == "last day: 2026-12-31"
    messages._catalog.cache_clear()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "C"}, "en"),
    ],
)
def test_the_locale(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language
