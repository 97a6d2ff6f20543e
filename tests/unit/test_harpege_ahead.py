"""Reading ahead changes neither what comes nor its order, and leaves no thread behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from ent.harpege.ahead import ahead


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "read-ahead"]


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 12_345])
def test_the_same_items_in_the_same_order(number: int) -> None:
    assert list(ahead(range(number))) == list(range(number))
    assert threads() == []


def test_an_error_comes_after_what_was_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(1200)
        raise ConnectionError("lost")

    seen = []
    with pytest.raises(ConnectionError, match="lost"):
        seen.extend(_each(ahead(source()), seen))
    assert seen[:1200] == list(range(1200))
    assert threads() == []


def _each(items: Iterator[int], seen: list[int]) -> list[int]:
    for one in items:
        seen.append(one)
    return []


def test_who_stops_early_stops_the_thread() -> None:
    items = ahead(itertools.count())
    assert list(itertools.islice(items, 10)) == list(range(10))
    items.close()  # type: ignore[attr-defined]
    assert threads() == []
