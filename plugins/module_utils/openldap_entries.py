"""Wanted entries of a directory and what has to change; pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, list[bytes]]
Change = tuple[str, str, "list[bytes] | None"]

SECRET = frozenset({"userpassword"})


class EntryError(ValueError):
    """The wanted entry cannot be read; the text says why."""


def encode(value: Any) -> list[bytes]:
    """A YAML value as LDAP values."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [v for item in value for v in encode(item)]
    if isinstance(value, bool):
        return [b"TRUE" if value else b"FALSE"]
    return [str(value).encode()]


def normal_dn(dn: str) -> str:
    """Spaces around separators and case do not count."""
    return re.sub(r"\s*([,=+])\s*", r"\1", dn).lower()


def _same(name: str, one: bytes, other: bytes) -> bool:
    if name.lower() in ("objectclass", "member", "supanngroupeadmindn", "manager"):
        return normal_dn(one.decode()) == normal_dn(other.decode())
    return one == other


def lines(attributes: Mapping[str, Sequence[bytes]], kind: str = "add") -> list[str]:
    """Values in a form near LDIF, secrets hidden."""
    sign = {"add": "+", "delete": "-", "replace": "="}[kind]
    return [
        f"{sign}{name}: "
        + ("(hidden)" if name.lower() in SECRET else value.decode(errors="replace"))
        for name, values in attributes.items()
        for value in (values or [b"(all values)"])
    ]


@dataclass
class Wanted:
    """What an entry should be."""

    exact: Values = field(default_factory=dict)
    present: Values = field(default_factory=dict)
    initial: Values = field(default_factory=dict)
    password: str | None = None
    absent: bool = False

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Wanted:
        """From the variables. Raises EntryError."""
        unknown = set(item) - {"dn", "attributes", "present", "initial", "password", "state"}
        if unknown:
            raise EntryError(
                f"unknown key {', '.join(sorted(unknown))}; known are dn, attributes, present, "
                "initial, "
                "password, state."
            )
        parts = [
            {name: encode(value) for name, value in (item.get(key) or {}).items()}
            for key in ("attributes", "present", "initial")
        ]
        return cls(
            *parts, password=item.get("password") or None, absent=item.get("state") == "absent"
        )

    def names(self) -> list[str]:
        """Attributes to be read from the live entry."""
        return [*self.exact, *self.present]

    def new_entry(self) -> Values:
        """All attributes of an entry that does not exist yet."""
        entry: Values = {}
        for part in (self.exact, self.present, self.initial):
            for name, values in part.items():
                mine = entry.setdefault(name, [])
                mine += [v for v in values if not any(_same(name, v, m) for m in mine)]
        if self.password:
            entry["userPassword"] = [self.password.encode()]
        return {name: values for name, values in entry.items() if values}

    def changes(self, live: Mapping[str, Sequence[bytes]]) -> list[Change]:
        """Changes to an entry that exists."""
        have = {name.lower(): list(values) for name, values in live.items()}
        out: list[Change] = []
        for name, values in self.exact.items():
            now = have.get(name.lower(), [])
            missing = [v for v in values if not any(_same(name, v, n) for n in now)]
            extra = [n for n in now if not any(_same(name, n, v) for v in values)]
            if name.lower() == "objectclass":
                extra = []  # a class may be added by whoever owns its attributes
                if missing:
                    out.append(("add", name, missing))
            elif missing or extra:
                out.append(("replace", name, values) if values else ("delete", name, None))
        for name, values in self.present.items():
            now = have.get(name.lower(), [])
            missing = [v for v in values if not any(_same(name, v, n) for n in now)]
            if missing:
                out.append(("add", name, missing))
        return out
