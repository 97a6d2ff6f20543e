"""Texts that a site writes in its inventory, in one or several languages."""

from collections.abc import Mapping

# plain text, or one text per language: {"fr": …, "en": …}
Text = str | dict[str, str]


def in_language(text: str | Mapping[str, str], language: str) -> str:
    """`text` in `language`, or in French, or in whatever there is."""
    if isinstance(text, str):
        return text
    return text.get(language) or text.get("fr") or next(iter(text.values()), "")
