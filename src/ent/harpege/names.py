"""Names as Harpège has them, made fit for the directory or refused."""

from __future__ import annotations

import re
import unicodedata

from ent.harpege.messages import Text, tell

#: Characters of a name. slapd does not enforce SupAnn's lengths, and pages have to show it.
NAME_LENGTH = 100
_PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿŒœŸ]+(?:[ '’-][A-Za-zÀ-ÖØ-öø-ÿŒœŸ]+)*")
# Control, format, private, unassigned, halves of surrogate pairs, line and paragraph
# separators; the replacement character is what is left of a wrong encoding.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))
_WORDS = re.compile(r"[^\W\d_]+", re.UNICODE)
_PARTICLES = frozenset(
    ("da", "de", "del", "den", "der", "di", "do", "dos", "du", "ten", "van", "von", "zu")
)


class BadText(ValueError):  # noqa: N818
    """A text cannot be shown; `reason` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


def clean(value: str, length: int = NAME_LENGTH) -> str:
    """A text in composed form (NFC) with single spaces.

    Raises BadText for one that is too long or has characters that cannot be seen.
    """
    if len(value) > length:
        raise BadText(
            tell(
                "{number} caractères, au plus {most} attendus",
                number=len(value),
                most=length,
            )
        )
    if _PLAIN.fullmatch(value):
        return value
    for one in value:
        if unicodedata.category(one) in _UNPRINTABLE or one == "\ufffd":
            raise BadText(
                tell("contient le caractère invisible ou abîmé U+{code}", code=f"{ord(one):04X}")
            )
    return " ".join(unicodedata.normalize("NFC", value).split())


def name(value: str | None) -> str:
    """A name fit to be shown; "" for none (null, or signs without a letter such as "-").

    Names typed in capitals get small letters: MARTIN → Martin, DE LA FONTAINE →
    de La Fontaine, D’ALEMBERT → d’Alembert; others stay as they were typed.
    Raises BadText as `clean` does.
    """
    if not value:
        return ""
    cleaned = clean(value)
    if cleaned.isupper() and len(cleaned) > 1:
        return _small(cleaned)
    return cleaned if any(map(str.isalpha, cleaned)) else ""


def _small(capitals: str) -> str:
    several = " " in capitals

    def word(found: re.Match[str]) -> str:
        # a dotted capital İ would become an i with a dot of its own
        lower = found[0].replace("İ", "i").lower()
        after = capitals[found.end() : found.end() + 2]
        # the d of d’Alembert; O’Brien and N’Guyen keep theirs
        elided = lower == "d" and after[:1] in ("'", "’") and after[1:].isalpha()
        if elided or (several and lower in _PARTICLES and after):
            return lower
        return found[0][0] + lower[1:]

    return _WORDS.sub(word, capitals)
