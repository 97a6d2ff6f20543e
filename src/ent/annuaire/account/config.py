"""Section `account` of the public process's settings file."""

from dataclasses import dataclass
from pathlib import Path

from ent.annuaire.activation.charter import load


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """What a site decides about the own page.

    lockout_seconds: for how long the directory locks an account after too many
        wrong passwords (pwdLockoutDuration); 0: until the help desk lifts it.
    earlier_charters: files of versions that were in force before, in the form of
        the present one: who accepted one of these is shown what changed since.
    """

    lockout_seconds: int = 900
    earlier_charters: tuple[str, ...] = ()

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
