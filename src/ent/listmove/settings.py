"""The settings file, /etc/ent/listmove/settings.json, written by role `subscription_migration`."""

from dataclasses import dataclass

from ent.listmove.addresses import canonic
from ent.web.config import Database, Ldap


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the worker needs to know.

    sympa: Sympa's database, in which it only reads. ledger: the worker's own.
    helper: socket of the program that runs as Sympa.
    move_timeout: seconds after which a move that is not answered counts as failed.
    legacy_domains: in which the same local part is the same person.
    readers: database roles that may read what was moved.
    retry_seconds: the longest pause before something that is away is tried again.
    reconcile_seconds: how often all that Sympa holds is compared with the directory.
    journal_days: days that rows about moves are kept.
    """

    ldap: Ldap
    sympa: Database
    ledger: Database
    helper: str
    move_timeout: int
    legacy_domains: tuple[str, ...]
    readers: tuple[str, ...]
    retry_seconds: int
    reconcile_seconds: int
    journal_days: int

    def __post_init__(self) -> None:
        for name in ("move_timeout", "retry_seconds", "reconcile_seconds", "journal_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")
        for name in ("sympa", "ledger"):
            if not getattr(self, name).host or not getattr(self, name).password:
                raise ValueError(f"{name} has no host or no password: PostgreSQL asks for both")
        for domain in self.legacy_domains:
            if "@" in domain or not domain or domain != canonic(domain):
                raise ValueError(
                    f"legacy_domains has {domain!r}, expected a domain in lower case, without @"
                )
