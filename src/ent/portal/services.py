"""The services the portal offers, as data: which there are, and whom each concerns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ent.web.texts import Text, in_language

ICONS = (
    "account",
    "directory",
    "document",
    "help",
    "library",
    "lists",
    "mail",
    "office",
    "payslip",
    "research",
    "teaching",
)


@dataclass(frozen=True)
class Service:
    """One card of the first page.

    name, description: plain text, or one text per language ({"fr": …, "en": …}).
    url: where the card leads: https, mailto, or a path of the portal itself.
    affiliations: values of eduPersonAffiliation the service is for; none: for everyone.
    icon: one of ICONS.
    """

    name: Text
    url: str
    description: Text
    affiliations: tuple[str, ...] = field(default=())
    icon: str = "document"

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = self.url.startswith("/") and not self.url.startswith("//")
        outside = parts.scheme == "https" and parts.hostname
        if not (local or outside or parts.scheme == "mailto"):
            raise ValueError(
                f"url of the service {self.name!r} is {self.url!r}, "
                "expected https://…, mailto: or a path"
            )
        if self.icon not in ICONS:
            raise ValueError(
                f"icon of the service {self.name!r} is {self.icon!r}, "
                f"expected one of {', '.join(ICONS)}"
            )

    def concerns(self, affiliations: Iterable[str]) -> bool:
        """Whether the service is for a person with these affiliations."""
        return not self.affiliations or not {one.lower() for one in self.affiliations}.isdisjoint(
            one.lower() for one in affiliations
        )


@dataclass(frozen=True, slots=True)
class Card:
    """A service in the language of the page."""

    name: str
    url: str
    description: str
    icon: str


def cards_for(
    services: Iterable[Service], affiliations: Iterable[str], language: str
) -> list[Card]:
    """What a person with these affiliations sees, in the order of the configuration."""
    mine = tuple(affiliations)
    return [
        Card(
            in_language(one.name, language),
            one.url,
            in_language(one.description, language),
            one.icon,
        )
        for one in services
        if one.concerns(mine)
    ]
