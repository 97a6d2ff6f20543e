"""Section `account` of the public process's settings file."""

from dataclasses import dataclass, field
from pathlib import Path

from ent.annuaire.activation.charter import load


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """What a site decides about the own page.

    mailmove_url: where the legacy mail server tells how far the move of somebody's messages
        is, up to their login: https://mailup.univ-provence.fr/etat/; "": nobody is told.
    mailmove_token: what it wants to hear before it tells.

    lockout_seconds: for how long the directory locks an account after too many
        wrong passwords (pwdLockoutDuration); 0: until the help desk lifts it.
    earlier_charters: files of versions that were in force before, in the form of
        the present one: who accepted one of these is shown what changed since.
    """

    lockout_seconds: int = 900
    earlier_charters: tuple[str, ...] = ()
    mailmove_url: str = ""
    mailmove_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.lockout_seconds < 0:
            raise ValueError(
                f"lockout_seconds is {self.lockout_seconds}, expected seconds, or 0 for no end"
            )
        versions: dict[str, str] = {}
        for path in self.earlier_charters:
            version = load(Path(path)).version  # says what is wrong with the file
            if version in versions:
                raise ValueError(
                    f"earlier_charters: {path} and {versions[version]} are both version {version}"
                )
            versions[version] = path
        if bool(self.mailmove_url) != bool(self.mailmove_token):
            missing = "mailmove_token" if self.mailmove_url else "mailmove_url"
            raise ValueError(f"{missing} is empty, expected both or neither of url and token")
        if self.mailmove_url and not (
            self.mailmove_url.startswith("https://") and self.mailmove_url.endswith("/")
        ):
            raise ValueError(
                f"mailmove_url is {self.mailmove_url!r}, expected https://HOST/etat/ with the"
                " slash that the login follows"
            )
        if not self.mailmove_token.isascii() or not self.mailmove_token.isprintable():
            raise ValueError("mailmove_token has characters that no header of HTTP can hold")
