"""The ACL table of the directory: identity x attribute set x right, rendered to olcAccess.

One table (roles/openldap/files/acl.yml) is what the server gets, what docs/directory.md shows and
what the integration test executes. This module knows its form; its head explains the meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: right -> (slapd's spelling, what the holder can do)
RIGHTS: dict[str, tuple[str, frozenset[str]]] = {
    "none": ("none", frozenset()),
    "auth": ("auth", frozenset({"auth"})),
    "compare": ("=cd", frozenset({"compare"})),
    "search": ("=scd", frozenset({"compare", "search"})),
    "read": ("=rscd", frozenset({"compare", "search", "read"})),
    "add": ("=rscda", frozenset({"compare", "search", "read", "add"})),
    "write": ("=rscdw", frozenset({"compare", "search", "read", "add", "delete"})),
    "set": ("=wd", frozenset({"add", "delete"})),
    "insert": ("=ad", frozenset({"add"})),
}
#: Who, other than the identities under ou=system.
SPECIAL = {"self": "self", "anonymous": "anonymous", "authenticated": "users"}
SCOPES = ("base", "onelevel", "subtree", "children")


class TableError(ValueError):
    """The table contradicts itself; the text says where."""


@dataclass(frozen=True)
class Row:
    """One row: for these attributes, under this condition, who may do what."""

    region: str
    set: str
    when: str | None
    values: str | None
    rights: Mapping[str, str]
    example: str | None = None

    @property
    def label(self) -> str:
        """Where the row stands, for messages."""
        when = f" when {self.when}" if self.when else ""
        return f"{self.region}/{self.set}{when}" + (
            f" values {self.example}" if self.values else ""
        )

    def right(self, who: str) -> str:
        """The right of an identity; what the table does not grant is none.

        A service has what is granted to it by name, else what every authenticated identity has.
        """
        if who in self.rights:
            return self.rights[who]
        if who != "anonymous":
            return self.rights.get("authenticated", "none")
        return "none"


def parse(table: Mapping[str, Any]) -> list[Row]:
    """Rows in the order in which slapd reads them.

    A narrower row (conditional, or for some values) has the rights of its plain row below its own.
    """
    rows = [(item, dict(item.get("rights") or {})) for item in table["rows"]]
    plain = {
        (i["region"], i["set"]): rights
        for i, rights in rows
        if not (i.get("when") or i.get("values"))
    }
    out: list[Row] = []
    seen: set[tuple[str, str, str | None, str | None]] = set()
    finished: set[tuple[str, str]] = set()
    for item, rights in rows:
        key = (item["region"], item["set"])
        when, values = item.get("when"), item.get("values")
        where = "/".join(key) + (f" when {when}" if when else "")
        if item["region"] not in table["regions"]:
            raise TableError(f"row {where}: region {item['region']} is not among regions.")
        if item["set"] not in table["sets"]:
            raise TableError(f"row {where}: set {item['set']} is not among sets.")
        if when is not None and when not in table["conditions"]:
            raise TableError(f"row {where}: condition {when} is not among conditions.")
        if (when or values) and key not in plain:
            raise TableError(f"row {where}: there is no plain row of this region and set.")
        if key in finished or (*key, when, values) in seen:
            raise TableError(
                f"row {where}: slapd would never reach it, an earlier row says all. "
                "Put conditional rows before the plain one."
            )
        if values and not re.search(values, item.get("example") or "", re.IGNORECASE):
            raise TableError(f"row {where}: values need an example that has their form.")
        for who, right in rights.items():
            if right not in RIGHTS:
                raise TableError(
                    f"row {where}: right {right} of {who} is not one of {', '.join(RIGHTS)}."
                )
        seen.add((*key, when, values))
        if not (when or values):
            finished.add(key)
        granted = {**plain.get(key, {}), **rights}
        out.append(Row(*key, when, values, granted, item.get("example")))
    return out


def identities(table: Mapping[str, Any]) -> list[str]:
    """All who appear in the table, services first, in order of appearance."""
    found: list[str] = []
    for row in parse(table):
        found += [who for who in row.rights if who not in found]
    return [w for w in found if w not in SPECIAL] + [w for w in SPECIAL if w in found]


def _dn(relative: str, suffix: str) -> str:
    return f"{relative},{suffix}" if relative else suffix


def _who(name: str, suffix: str) -> str:
    return SPECIAL.get(name) or f'dn.exact="cn={name},ou=system,{suffix}"'


def render(table: Mapping[str, Any], suffix: str) -> list[str]:
    """Values of olcAccess for the database with this suffix, first match first."""
    out: list[str] = []
    rank = {"self": 1, "anonymous": 2, "authenticated": 3}
    for row in parse(table):
        region = table["regions"][row.region]
        if region["scope"] not in SCOPES:
            raise TableError(
                f"region {row.region}: scope {region['scope']} is not one of {', '.join(SCOPES)}."
            )
        target = f'dn.{region["scope"]}="{_dn(region["dn"], suffix)}"'
        if row.when:
            target += f' filter="{table["conditions"][row.when]["filter"]}"'
        names = table["sets"][row.set]
        if row.values and len(names) != 1:
            raise TableError(
                f"row {row.label}: values need a set of one attribute, {row.set} has {len(names)}."
            )
        if names != ["*"]:
            target += f" attrs={','.join(names)}"
        if row.values:
            target += f' val.regex="{row.values}"'
        grants = sorted(row.rights.items(), key=lambda item: rank.get(item[0], 0))
        by = [f"by {_who(who, suffix)} {RIGHTS[right][0]}" for who, right in grants]
        out.append(" ".join([f"to {target}", *by, "by * none"]))
    out.append("to * by * none")
    return out


def markdown(table: Mapping[str, Any]) -> str:
    """The table for docs/directory.md: one matrix per region, with those who have a right there."""
    out: list[str] = []
    rows = parse(table)
    everyone = identities(table)
    out += ["**Attribute sets**", "", "| set | attributes |", "|---|---|"]
    out += [
        f"| {name} | {', '.join(f'`{a}`' for a in attrs)} |"
        for name, attrs in table["sets"].items()
    ]
    out += ["", "**Conditions**", "", "| condition | entries |", "|---|---|"]
    out += [
        f"| {name} | {c['text']}: `{c['filter'].replace('|', chr(92) + '|')}` |"
        for name, c in table["conditions"].items()
    ]
    for name, region in table["regions"].items():
        here = [row for row in rows if row.region == name]
        who = [w for w in everyone if any(w in row.rights for row in here)]
        where = _dn(region["dn"], "SUFFIX")
        out += ["", f"**{name}** ({region['scope']} of `{where}`)", ""]
        if not who:
            out.append("Nobody has any right here.")
            continue
        out.append("| set | when | " + " | ".join(who) + " |")
        out.append("|---" * (len(who) + 2) + "|")
        for row in here:
            cells = [row.rights.get(w, "") for w in who]
            narrow = row.when or row.values
            cells = ["" if cell == "none" and not narrow else cell for cell in cells]
            only = f" (values `{row.values}`)".replace("|", "\\|") if row.values else ""
            out.append(f"| {row.set} | {row.when or ''}{only} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"
