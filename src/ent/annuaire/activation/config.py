"""Section `activation` of the public process's settings file."""

from dataclasses import dataclass
from pathlib import Path

from ent.annuaire.activation.charter import DEFAULT, load
from ent.web.texts import Text


@dataclass(frozen=True, kw_only=True)
class ActivationConfig:
    """What a site decides about activation.

    domain: of the addresses that are given, prenom.nom@domain.
    legacy_domains: of the old mail servers, whose addresses lead to the new one.
    portal_url: where the last page sends people, with the slash at the end.
    lists_url: where people see their mailing lists, which follow to the new address; empty:
        nothing moves them, and nothing is said of them.
    charter_file: the charter (`charter`); empty: the one that comes with the application.
    no_code: paragraphs for whom has no Harpège code: whom to ask, and when the
        account can be activated after the code was entered.
    personnel_phone: telephone of the personnel division.
    minutes: how long people have from the charter to « Valider ».
    """

    domain: str
    legacy_domains: tuple[str, ...]
    portal_url: str
    no_code: tuple[Text, ...]
    personnel_phone: str
    lists_url: str = ""
    charter_file: str = ""
    minutes: int = 30

    def __post_init__(self) -> None:
        if not self.portal_url.startswith("https://") or not self.portal_url.endswith("/"):
            raise ValueError(
                f"portal_url is {self.portal_url!r}, expected https://HOST/ with the slash"
            )
        if self.lists_url and not self.lists_url.startswith("https://"):
            raise ValueError(f"lists_url is {self.lists_url!r}, expected https://…, or empty")
        if self.minutes < 5:
            raise ValueError(
                f"minutes is {self.minutes}, expected 5 or more: people read, and type slowly"
            )
        load(self.charter_path)  # says what is wrong with it

    @property
    def charter_path(self) -> Path:
        """The file of the charter."""
        return Path(self.charter_file) if self.charter_file else DEFAULT
