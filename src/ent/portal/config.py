"""The portal's settings file (/etc/ent/portal/settings.json), written by role `portal`."""

import os
from dataclasses import dataclass
from pathlib import Path

from ent.portal.services import Service
from ent.web.config import load

DEFAULT_PATH = Path("/etc/ent/portal/settings.json")


@dataclass(frozen=True)
class Site:
    """What pages say about the university."""

    university: str
    support_phone: str
    support_mail: str


@dataclass(frozen=True)
class Ldap:
    """How to reach the directory (`ent.directory.DirectorySettings`)."""

    uri: str
    suffix: str
    bind_dn: str
    password: str
    ca_file: str
    connect_timeout: float | int
    timeout: float | int


@dataclass(frozen=True)
class Database:
    """`host` empty: a local SQLite file of that `name`, for development and tests."""

    name: str
    host: str = ""
    port: int = 5432
    user: str = ""
    password: str = ""
    ca_file: str = ""


@dataclass(frozen=True)
class PortalConfig:
    """Everything the portal needs to know.

    url: its own address as browsers see it, https://ent.univ-provence.fr
    cas_url: the CAS server, with the slash its protocol paths follow
    session_hours: how long a sign-in lasts at most
    """

    url: str
    secret_key: str
    cas_url: str
    ca_file: str
    session_hours: int
    site: Site
    ldap: Ldap
    database: Database
    services: tuple[Service, ...]

    def __post_init__(self) -> None:
        if self.url.endswith("/") or not self.url.startswith(
            ("https://", "http://localhost:", "http://127.0.0.1:")
        ):
            raise ValueError(
                f"url is {self.url!r}, expected https://HOST without a slash at the end"
            )
        if not self.cas_url.endswith("/"):
            raise ValueError(f"cas_url is {self.cas_url!r}, expected a slash at the end")
        if len(self.secret_key) < 32:
            raise ValueError(
                f"secret_key has {len(self.secret_key)} characters, expected at least 32"
            )
        if self.session_hours < 1:
            raise ValueError(f"session_hours is {self.session_hours}, expected 1 or more")


def portal_config(path: Path | None = None) -> PortalConfig:
    """The settings in `path`, or in the file that ENT_PORTAL_SETTINGS names."""
    return load(path or Path(os.environ.get("ENT_PORTAL_SETTINGS", DEFAULT_PATH)), PortalConfig)
