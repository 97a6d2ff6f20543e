"""What changed between two versions of the charter, paragraph by paragraph, in words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from html.parser import HTMLParser

from ent.annuaire.activation.charter import Charter

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _HEADINGS | {"p", "li", "blockquote", "pre", "td", "th"}
# Below this likeness two paragraphs are not one that was reworded.
_LIKE = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words. kind: "kept", "added" or "removed"."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A paragraph that was added, removed or reworded.

    heading: the heading it stands under, in the version where it stands; it may be "".
    kind: "added", "removed" or "reworded".
    """

    heading: str
    kind: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    heading: str
    text: str


def differences(before: Charter, after: Charter) -> list[Difference]:
    """The paragraphs that are not the same, in the order of the text; headings count."""
    old, new = _blocks(before.html), _blocks(after.html)
    found: list[Difference] = []
    matcher = SequenceMatcher(
        None, [one.text for one in old], [one.text for one in new], autojunk=False
    )
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind != "equal":
            found += _replaced(old[first:last], new[start:end])
    return found


def _replaced(old: list[_Block], new: list[_Block]) -> Iterable[Difference]:
    """Pair each new paragraph with the next old one that is like it."""
    rest = list(old)
    for block in new:
        like = next((one for one in rest if _likeness(one.text, block.text) >= _LIKE), None)
        if like is None:
            yield Difference(block.heading, "added", (Piece("added", block.text),))
            continue
        # what stood before it has no successor
        while rest[0] is not like:
            yield _removed(rest.pop(0))
        rest.pop(0)
        yield Difference(block.heading, "reworded", tuple(_words(like.text, block.text)))
    yield from map(_removed, rest)


def _removed(block: _Block) -> Difference:
    return Difference(block.heading, "removed", (Piece("removed", block.text),))


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, _split(one), _split(other), autojunk=False).ratio()


def _words(old: str, new: str) -> Iterable[Piece]:
    before, after = _split(old), _split(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("kept", "".join(after[start:end]))
            continue
        if first < last:
            yield Piece("removed", "".join(before[first:last]))
        if start < end:
            yield Piece("added", "".join(after[start:end]))


def _split(text: str) -> list[str]:
    """Words with the space behind them."""
    return re.findall(r"\S+\s*", text)


def _blocks(html: str) -> list[_Block]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end()
    return reader.blocks


class _Reader(HTMLParser):
    """The texts of paragraphs, items and headings; of the HTML that `charter.load` makes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self._heading = ""
        self._tag = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.end()
            self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.end()

    def handle_data(self, data: str) -> None:
        self._text += data

    def end(self) -> None:
        """Keep what was read since the last block, if it says anything."""
        text = " ".join(self._text.split())
        if text:
            if self._tag in _HEADINGS:
                self._heading = text
            self.blocks.append(_Block(self._heading, text))
        self._tag, self._text = "", ""
