"""What the feed says to people, in French and English (gettext; French is the source).

A `Text` keeps the sentence and what goes into it apart until somebody reads it, so
that a run record can be shown in the language of whoever asks.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

_CATALOGS = Path(__file__).parent / "locale"


class Text(NamedTuple):
    """A sentence of the catalogue, with what replaces its {names}."""

    sentence: str
    values: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """For run records and the spool; `text_from` reads it back."""
        return {"sentence": self.sentence, "values": dict(self.values)}


def tell(sentence: str, **values: object) -> Text:
    """A sentence of the catalogue to be said later. Dates are written as 2026-11-23."""
    return Text(
        sentence,
        {
            name: value.isoformat() if isinstance(value, date) else str(value)
            for name, value in values.items()
        },
    )


def text_from(data: Mapping[str, Any]) -> Text:
    """What `Text.to_json` wrote."""
    return Text(str(data["sentence"]), {str(k): str(v) for k, v in data["values"].items()})


class Speaker:
    """Says texts in one language. `speak(text)`, or `speak(sentence, name=value)`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalog = _catalog(language)

    def __call__(self, sentence: Text | str, **values: object) -> str:
        """The translated sentence, its {names} replaced."""
        if isinstance(sentence, str):
            sentence = tell(sentence, **values)
        return self._catalog.gettext(sentence.sentence).format_map(sentence.values)


def language_of(environment: Mapping[str, str] = os.environ) -> str:
    """The language of the locale: fr for French ones, else en."""
    wanted = next(
        (environment[one] for one in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(one)), ""
    )
    return "fr" if wanted.lower().startswith("fr") else "en"


def mark(sentence: str) -> str:
    """Mark a sentence for the catalogue that is said elsewhere."""
    return sentence


@lru_cache
def _catalog(language: str) -> gettext.NullTranslations:
    return gettext.translation("harpege", _CATALOGS, [language], fallback=True)
