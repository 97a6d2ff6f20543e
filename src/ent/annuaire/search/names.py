"""Names as the index holds them, and as people type them."""

import re
from collections.abc import Iterable

from ent.naming import fold

_APOSTROPHES = re.compile(r"['’ʼ`´]")
# Words of one name that are also found written together: De La Fontaine, delafontaine.
_LONGEST_RUN = 4
# More words than that are no name; the rest of a long text is not looked for.
MOST_WORDS = 8


def indexed_words(names: Iterable[str]) -> set[str]:
    """All words under which somebody with these names is found.

    Those of `fold`; those on both sides of an apostrophe (d alembert besides
    dalembert); and words written together (jeanpaul besides jean paul).
    """
    found: set[str] = set()
    for name in names:
        for way in (fold(name), fold(_APOSTROPHES.sub(" ", name))):
            words = way.split()
            for length in range(1, _LONGEST_RUN + 1):
                found.update(
                    "".join(words[at : at + length]) for at in range(len(words) - length + 1)
                )
    return found


def asked_words(text: str) -> tuple[str, ...]:
    """The words somebody typed, folded, each once, at most MOST_WORDS."""
    return tuple(dict.fromkeys(fold(text).split()))[:MOST_WORDS]
