"""Generated passwords of people are ones that the directory takes."""

from __future__ import annotations

import string
from itertools import chain, repeat
from pathlib import Path

import pytest

from lookup import person_password


def test_there_are_letters_and_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when chance draws letters only, or digits only."""
    drawn = chain(repeat("x", 16), repeat("7", 16), repeat("y", 15), "8")
    monkeypatch.setattr(person_password.secrets, "choice", lambda _: next(drawn))
    assert person_password.generate() == "y" * 15 + "8"


def test_it_is_kept_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "person-x"
    made = person_password.kept(path)
    assert len(made) == 16
    assert set(made) <= set(string.ascii_letters + string.digits)
    assert person_password.kept(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["person-x"]


def test_one_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "person-x"
    path.write_text("depuis2008\n")
    assert person_password.kept(path) == "depuis2008"
