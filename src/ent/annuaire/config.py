"""The settings files of the annuaire (/etc/ent/annuaire/*.json), written by role `annuaire`.

The sections of the apps are defined beside them (`ent.annuaire.APP.config`).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ent.annuaire.account.config import AccountConfig
from ent.annuaire.activation.config import ActivationConfig
from ent.annuaire.helpdesk.config import HelpdeskConfig
from ent.annuaire.limits.config import LimitsConfig
from ent.annuaire.search.config import SearchConfig
from ent.web.config import Database, Ldap, WebConfig, load

FOLDER = Path("/etc/ent/annuaire")


@dataclass(frozen=True, kw_only=True)
class PublicLdap:
    """The LDAP identities of the public process; see `ent.annuaire.directory.directory_as`."""

    search: Ldap
    activation: Ldap
    account: Ldap


@dataclass(frozen=True, kw_only=True)
class PublicConfig(WebConfig):
    """Settings of the public process (settings.json): search, activation, own page."""

    ldap: PublicLdap
    search: SearchConfig
    activation: ActivationConfig
    account: AccountConfig = field(default_factory=AccountConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)


@dataclass(frozen=True, kw_only=True)
class HelpdeskLdap:
    """The LDAP identity of the help desk's process."""

    helpdesk: Ldap


@dataclass(frozen=True, kw_only=True)
class HelpdeskProcessConfig(WebConfig):
    """Settings of the help desk's process (helpdesk.json)."""

    ldap: HelpdeskLdap
    helpdesk: HelpdeskConfig
    limits: LimitsConfig = field(default_factory=LimitsConfig)


@dataclass(frozen=True, kw_only=True)
class OwnerConfig:
    """Settings for migrations (owner.json): the database as its owner, and nothing else."""

    database: Database


def read(process: str, path: Path) -> PublicConfig | HelpdeskProcessConfig | OwnerConfig:
    """The settings of a process (public, helpdesk, owner) in `path`. Raises ConfigError."""
    if process == "helpdesk":
        return load(path, HelpdeskProcessConfig)
    return load(path, OwnerConfig) if process == "owner" else load(path, PublicConfig)


def public_config() -> PublicConfig:
    """The settings in the file that ENT_ANNUAIRE_SETTINGS names."""
    return load(_path("ENT_ANNUAIRE_SETTINGS", "settings.json"), PublicConfig)


def helpdesk_config() -> HelpdeskProcessConfig:
    """The settings in the file that ENT_HELPDESK_SETTINGS names."""
    return load(_path("ENT_HELPDESK_SETTINGS", "helpdesk.json"), HelpdeskProcessConfig)


def owner_config() -> OwnerConfig:
    """The settings in the file that ENT_ANNUAIRE_OWNER_SETTINGS names."""
    return load(_path("ENT_ANNUAIRE_OWNER_SETTINGS", "owner.json"), OwnerConfig)


def _path(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable, FOLDER / name))
