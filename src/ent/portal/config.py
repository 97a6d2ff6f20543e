"""The portal's settings file (/etc/ent/portal/settings.json), written by role `portal`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ent.portal.lists.config import ListsConfig
from ent.portal.services import Service
from ent.web.config import Ldap, WebConfig, load

DEFAULT_PATH = Path("/etc/ent/portal/settings.json")


@dataclass(frozen=True, kw_only=True)
class PortalConfig(WebConfig):
    """Everything the portal needs to know.

    charter_version: of the charter in force; empty: nobody is asked to accept one.
    charter_url: the page where it is read and accepted.
    lists: the list server.
    """

    ldap: Ldap
    services: tuple[Service, ...]
    charter_version: str = ""
    charter_url: str = ""
    lists: ListsConfig = field(default_factory=ListsConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.charter_version and not self.charter_url.startswith("https://"):
            raise ValueError(
                f"charter_url is {self.charter_url!r}, expected https://… "
                f"for the charter {self.charter_version}"
            )


def portal_config(path: Path | None = None) -> PortalConfig:
    """The settings in `path`, or in the file that ENT_PORTAL_SETTINGS names."""
    return load(path or Path(os.environ.get("ENT_PORTAL_SETTINGS", DEFAULT_PATH)), PortalConfig)
