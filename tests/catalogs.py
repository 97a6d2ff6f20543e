"""Translations: every French text has its English one, and no English one is left over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract_python
from babel.messages.pofile import read_po

# French wants no-break spaces there, so that no line begins or ends with a sign.
_BREAKS = re.compile(r"« | [»:?!;]")

# What a text leaves open: %(name)s, {name}.
_BLANKS = re.compile(r"%\(\w*\)?\w?|\{[^}]*\}?")


def messages_of(package: Path) -> dict[str, str]:
    """Every translatable text in the sources under `package`, and a file it is in."""
    from django.utils.translation.template import templatize  # noqa: PLC0415

    found: dict[str, str] = {}
    keywords = {"gettext": None, "gettext_lazy": None, "_": None}
    for path in [*package.rglob("*.html"), *package.rglob("*.py")]:
        text = path.read_text()
        if path.suffix == ".html":
            text = templatize(text, origin=str(path))
        for _, _, texts, _ in extract_python(BytesIO(text.encode()), keywords, [], {}):
            for one in [texts] if isinstance(texts, str) else texts:
                if one:
                    found[one] = path.name
    return found


def assert_complete(package: Path, wanted: Mapping[str, str] | None = None) -> None:
    """Assert that the English catalog of a Django package has these texts and no others.

    Args:
        package: the folder that has `locale/`.
        wanted: its texts, each with where it is; those of `messages_of` if not given.
    """
    wanted = messages_of(package) if wanted is None else wanted
    with (package / "locale/en/LC_MESSAGES/django.po").open("rb") as text:
        catalog = {str(one.id): str(one.string) for one in read_po(text) if one.id}
    missing = {f"{where}: {one}" for one, where in wanted.items() if not catalog.get(one)}
    assert missing == set()
    assert catalog.keys() - wanted.keys() == set()
    for french, english in catalog.items():
        blanks = [sorted(_BLANKS.findall(one)) for one in (french, english)]
        assert blanks[0] == blanks[1], french
        assert not _BREAKS.search(french), f"an ordinary space before or after a sign: {french}"
