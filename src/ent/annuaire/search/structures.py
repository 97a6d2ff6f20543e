"""The university's structures: a few hundred, read whole and kept for a minute."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ent.annuaire.search.names import asked_words, indexed_words
from ent.directory import Directory, Scope, Structure, present
from ent.naming import fold

KEPT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Branch:
    """A structure, with those below it."""

    structure: Structure
    branches: list["Branch"]

    def codes(self) -> Iterator[str]:
        """Codes of all in it."""
        yield self.structure.code
        for branch in self.branches:
            yield from branch.codes()


class Structures:
    """All structures at one moment."""

    def __init__(self, all_of_them: list[Structure]) -> None:
        self._by_code = {one.code.lower(): one for one in all_of_them}
        self._below: dict[str, list[Structure]] = defaultdict(list)
        in_order = sorted(all_of_them, key=lambda one: fold(one.name))
        self._words = [(one, indexed_words((one.name, one.code))) for one in in_order]
        for one in in_order:
            parent = one.parent.lower()
            self._below[parent if parent in self._by_code else ""].append(one)

    def get(self, code: str) -> Structure | None:
        """The structure with this supannCodeEntite."""
        return self._by_code.get(code.lower())

    def name(self, code: str) -> str:
        """Its name, or the code of one that is not in the directory."""
        one = self.get(code)
        return one.name if one else code

    def children(self, code: str) -> list[Structure]:
        """Those right below."""
        return self._below.get(code.lower(), [])

    def tree(self) -> list[Branch]:
        """All of them, from the top."""
        return self._branches("", set())

    def within(self, code: str) -> frozenset[str]:
        """Codes of a structure and of all below it."""
        below = self._branches(code.lower(), {code.lower()})
        return frozenset({code}.union(*(branch.codes() for branch in below)))

    def find(self, text: str) -> list[Structure]:
        """Those of whose name, acronym or code every word of `text` begins a word."""
        words = asked_words(text)
        if not words:
            return []
        return [
            one
            for one, known in self._words
            if all(any(name.startswith(word) for name in known) for word in words)
        ]

    def _branches(self, code: str, passed: set[str]) -> list[Branch]:
        found = []
        for one in self._below.get(code, ()):
            key = one.code.lower()
            if key not in passed:  # two that are each other's parent
                passed.add(key)
                found.append(Branch(one, self._branches(key, passed)))
        return found


class StructureCache:
    """What a process knows of the structures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Structures | None = None
        self._until = 0.0

    def get(self, directory: Directory) -> Structures:
        """The structures, at most KEPT seconds old. Raises DirectoryUnavailable."""
        with self._lock:
            if self._known is None or time.monotonic() >= self._until:
                entries = directory.paged(
                    f"ou=structures,{directory.settings.suffix}",
                    present("supannCodeEntite"),
                    Structure.ATTRIBUTES,
                    Scope.CHILDREN,
                )
                self._known = Structures([Structure.from_entry(entry) for entry in entries])
                self._until = time.monotonic() + KEPT
            return self._known
