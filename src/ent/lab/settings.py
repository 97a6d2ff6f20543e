"""What a lab is called and where it keeps its things."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

# The labs that make and Molecule start have networks of their own from the
# start; any other name gets one derived from it.
_KNOWN_PREFIXES = {"ent": "10.213.7", "enttest": "10.213.8"}


class LabError(Exception):
    """Something a person has to mend. The message says what, and how."""


@dataclass(frozen=True)
class Lab:
    """One lab instance.

    Attributes:
        name: instance name; containers, network and state folder carry it.
        prefix: the first three bytes of the lab's /24 network.

    """

    name: str
    prefix: str

    @property
    def state(self) -> Path:
        """The folder with everything this lab leaves in the repository."""
        return REPOSITORY / ".lab" / self.name

    @property
    def network(self) -> IPv4Network:
        """The lab's /24."""
        return IPv4Network(f"{self.prefix}.0/24")


def load(name: str | None = None, prefix: str | None = None) -> Lab:
    """The lab of this name, with the prefix given, remembered, or its own.

    Args:
        name: instance name; ``ENT_LAB`` or ``ent`` when not given.
        prefix: network prefix such as ``10.213.7``; ``ENT_LAB_PREFIX``, what
            an earlier ``make up`` remembered, or one derived from the name.

    Raises:
        LabError: the name or the prefix has not the right form.

    """
    name = name or os.environ.get("ENT_LAB") or "ent"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,14}", name):
        raise LabError(
            f"Lab name {name!r}: expected 1 to 15 lower-case letters and digits, "
            "starting with a letter. Choose another: make up LAB=name"
        )
    remembered = REPOSITORY / ".lab" / name / "prefix"
    prefix = prefix or os.environ.get("ENT_LAB_PREFIX")
    if not prefix and remembered.exists():
        prefix = remembered.read_text().strip()
    if not prefix:
        prefix = _KNOWN_PREFIXES.get(name, f"10.214.{zlib.crc32(name.encode()) % 256}")
    try:
        IPv4Network(f"{prefix}.0/24")
    except ValueError:
        raise LabError(
            f"Network prefix {prefix!r}: expected the first three bytes of a private "
            "network, such as 10.213.7: make up LAB_PREFIX=10.213.7"
        ) from None
    return Lab(name, prefix)


def remember(lab: Lab) -> None:
    """Keep the lab's network for the commands that follow."""
    lab.state.mkdir(parents=True, exist_ok=True)
    (lab.state / "prefix").write_text(lab.prefix + "\n")
