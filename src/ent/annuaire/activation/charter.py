"""The charter of use of the IT resources: one file, its version in its head.

    ---
    version: 2026-1
    title: Charte d’usage des ressources informatiques
    ---
    ## Article 1 …

The text is Markdown without HTML. Whoever changes it gives it a new version:
what people accepted is written down with the version (`Acceptance`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markdown_it import MarkdownIt

DEFAULT = Path(__file__).with_name("charte.md")
_HEAD = re.compile(r"---\n(?P<head>.*?)\n---\n(?P<body>.*)", re.S)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_CONSENT = re.compile(r"\{CHARTE\}(?P<version>[^:]+):(?P<time>[0-9]{14}Z)")


class CharterError(ValueError):
    """The file is no charter; the message names the file and what was expected."""


@dataclass(frozen=True, slots=True)
class Charter:
    """A charter as people read it.

    version: as it is recorded; letters, digits, point, hyphen, underscore.
    title: plain text.
    html: the text, safe to put into a page below a heading of level 1.
    """

    version: str
    title: str
    html: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Somebody accepted this version of the charter, at this time (aware of its zone)."""

    version: str
    at: datetime

    @property
    def consent(self) -> str:
        """As supannConsentement holds it: `{CHARTE}<version>:<time>`, in UTC to the second."""
        return f"{{CHARTE}}{self.version}:{self.at.astimezone(UTC):%Y%m%d%H%M%SZ}"


def accepted_versions(consents: tuple[str, ...]) -> frozenset[str]:
    """Versions of the charter in the values of somebody's supannConsentement."""
    return frozenset(match["version"] for one in consents if (match := _CONSENT.fullmatch(one)))


def load(path: Path = DEFAULT) -> Charter:
    """The charter in this file; raises CharterError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CharterError(f"{path}: {error}") from error
    match = _HEAD.fullmatch(text.replace("\r\n", "\n"))
    if not match:
        raise CharterError(f"{path}: expected a head between two lines ---, with version and title")
    head = {}
    for line in match["head"].splitlines():
        key, colon, value = line.partition(":")
        if colon:
            head[key.strip()] = value.strip()
    for key in ("version", "title"):
        if not head.get(key):
            raise CharterError(f"{path}: the head has no {key}")
    if not _VERSION.fullmatch(head["version"]):
        raise CharterError(
            f"{path}: version {head['version']!r}, expected up to 32 letters, digits, . _ and -"
        )
    if not match["body"].strip():
        raise CharterError(f"{path}: there is no text after the head")
    return Charter(head["version"], head["title"], _render(match["body"]))


def _render(body: str) -> str:
    # html off: what looks like a tag is text; images would come from elsewhere
    return str(MarkdownIt("commonmark", {"html": False}).disable("image").render(body))
