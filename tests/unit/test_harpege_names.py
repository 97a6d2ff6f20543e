"""Names as they are shown, and the texts that cannot be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ent.harpege.names import NAME_LENGTH, BadText, clean, name


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Martin", "Martin"),
        ("MARTIN", "Martin"),
        ("DE LA FONTAINE", "de La Fontaine"),
        ("de La Fontaine", "de La Fontaine"),
        ("D’ALEMBERT", "d’Alembert"),
        ("D'ALEMBERT", "d'Alembert"),
        ("O'BRIEN", "O'Brien"),
        ("L’HERMITE", "L’Hermite"),
        ("SAINT-EXUPÈRE", "Saint-Exupère"),
        ("JEAN-PIERRE", "Jean-Pierre"),
        ("VAN DER BERG", "van der Berg"),
        ("DU", "Du"),
        ("İSMAİL", "İsmail"),
        ("LE COEUR", "Le Coeur"),
        ("Ô", "Ô"),
        ("McGregor", "McGregor"),
        ("王小明", "王小明"),
        ("Lefe\u0300vre", "Lefèvre"),
        ("Le  Goff", "Le Goff"),
        ("-", ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_name(typed: str | None, shown: str) -> None:
    assert name(typed) == shown


@pytest.mark.parametrize(
    "typed",
    [
        "Tabu\tlateur",
        "Re\nturn",
        "Nul\0",
        "Right\u202eleft",
        "Lost\ufffd",
        "Line\u2028",
        "x" * 101,
    ],
)
def test_what_cannot_be_shown(typed: str) -> None:
    with pytest.raises(BadText):
        name(typed)


@given(st.text(max_size=150))
def test_whatever_is_typed_is_refused_or_can_be_shown(typed: str) -> None:
    try:
        shown = clean(typed)
    except BadText:
        return
    assert len(typed) <= NAME_LENGTH
    assert shown == unicodedata.normalize("NFC", shown)
    assert "  " not in shown
    assert not any(unicodedata.category(one).startswith("C") for one in shown)
    assert clean(shown) == shown
