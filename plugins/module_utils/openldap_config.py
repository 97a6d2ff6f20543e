"""Difference between the wanted and the live cn=config of an OpenLDAP server.

Pure functions: what is live goes in as plain dictionaries, operations come out. The module
openldap_config reads, executes and reports; nothing here talks to a server.

An entry is ``dict[str, list[str]]`` (attribute to values, in server order).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Attributes = dict[str, list[str]]
Tree = dict[str, Attributes]

#: Attributes which name an entry or which the server keeps by itself: never wanted, never removed.
SERVER_OWNED = frozenset(
    name.lower()
    for name in ("objectClass", "cn", "olcDatabase", "olcOverlay", "olcConfigFile", "olcConfigDir")
)
#: Attributes with DN values: case and the space after a comma do not count.
DN_ATTRIBUTES = frozenset(
    name.lower()
    for name in (
        "olcSuffix",
        "olcRootDN",
        "olcPPolicyDefault",
        "olcAccessLogDB",
        "olcRefintNothing",
        "olcRefintModifiersName",
        "olcMemberOfDN",
        "olcSchemaDN",
    )
)
#: In this order: a class needs its attributes, an attribute its syntax.
SCHEMA_ATTRIBUTES = (
    "olcObjectIdentifier",
    "olcLdapSyntaxes",
    "olcAttributeTypes",
    "olcObjectClasses",
    "olcDitContentRules",
)
DATABASE_CLASSES = {"mdb": "olcMdbConfig", "monitor": "olcMonitorConfig", "ldif": "olcLdifConfig"}
OVERLAY_CLASSES = {
    "accesslog": "olcAccessLogConfig",
    "auditlog": "olcAuditlogConfig",
    "constraint": "olcConstraintConfig",
    "dynlist": "olcDynListConfig",
    "lastbind": "olcLastBindConfig",
    "memberof": "olcMemberOfConfig",
    "ppolicy": "olcPPolicyConfig",
    "refint": "olcRefintConfig",
    "syncprov": "olcSyncProvConfig",
    "unique": "olcUniqueConfig",
    "valsort": "olcValSortConfig",
}

_PREFIX = re.compile(r"^\{(-?\d+)\}")
_TOKEN = re.compile(r"'[^']*'|[()$]|[^\s()$']+")


class DesiredError(ValueError):
    """The wanted configuration contradicts itself; the text says what and where."""


@dataclass(frozen=True)
class Mod:
    """One change of one attribute. kind: add, delete or replace. No values: the whole attribute."""

    kind: str
    attribute: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Op:
    """One operation on one entry. kind: add, modify or delete."""

    kind: str
    dn: str
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mods: tuple[Mod, ...] = ()
    #: Attribute types and classes (name) which must not be in use in the data when this is done.
    unused: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The operation as lines of LDIF, for --diff."""
        out = [f"dn: {self.dn}"]
        if self.kind == "add":
            out += [f"+{name}: {value}" for name, values in self.attributes for value in values]
        elif self.kind == "delete":
            out.append("-(the whole entry)")
        for mod in self.mods:
            sign = {"add": "+", "delete": "-", "replace": "="}[mod.kind]
            out += [f"{sign}{mod.attribute}: {value}" for value in mod.values or ("(all values)",)]
        return out


@dataclass
class Database:
    """A wanted database. suffix is None for those without one (monitor)."""

    type: str
    attributes: Attributes
    suffix: str | None = None
    overlays: list[tuple[str, Attributes]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Type and suffix, for messages."""
        return f"{self.type} {self.suffix}" if self.suffix else self.type


@dataclass
class Schema:
    """A wanted schema: name and, for each of SCHEMA_ATTRIBUTES, its definitions in order."""

    name: str
    definitions: Attributes


# Normal forms


def strip_prefix(value: str) -> str:
    """``{3}to * by * read`` -> ``to * by * read``."""
    return _PREFIX.sub("", value, count=1)


def ordered(values: Iterable[str]) -> list[str]:
    """Values in the order of their {n}; those without keep their place at the end."""

    def position(item: tuple[int, str]) -> tuple[int, int]:
        match = _PREFIX.match(item[1])
        return (int(match.group(1)) if match else 1 << 30, item[0])

    return [value for _, value in sorted(enumerate(values), key=position)]


def definition_tokens(value: str) -> tuple[str, ...]:
    """Normal form of a schema definition (RFC 4512).

    Spaces, optional quotes and parentheses do not count.
    """
    tokens = _TOKEN.findall(strip_prefix(value))
    out: list[str] = []
    i = 0
    while i < len(tokens):
        word = tokens[i]
        if word == "(" and i + 2 < len(tokens) and tokens[i + 2] == ")" and i > 0:
            out.append(tokens[i + 1].strip("'"))  # ( 'one' ) is the same as 'one'
            i += 3
            continue
        out.append(word if out and out[-1] == "DESC" else word.strip("'"))
        i += 1
    return tuple(out)


def definition_oid(value: str) -> str:
    """The OID (or the name of an olcObjectIdentifier) which identifies a definition."""
    text = strip_prefix(value)
    if not text.startswith("("):
        return text.split()[0]
    return definition_tokens(text)[1]


def definition_names(value: str) -> tuple[str, ...]:
    """NAME of a definition, all of them when there are several."""
    tokens = definition_tokens(value)
    if "NAME" not in tokens:
        return ()
    start = tokens.index("NAME") + 1
    if tokens[start] != "(":
        return (tokens[start],)
    return tokens[start + 1 : tokens.index(")", start)]


def normal(attribute: str, value: str) -> str:
    """Normal form of a value for comparison."""
    name = attribute.lower()
    value = " ".join(strip_prefix(value).split())
    if attribute in SCHEMA_ATTRIBUTES:
        return " ".join(definition_tokens(value))
    if name in DN_ATTRIBUTES:
        return re.sub(r"\s*([,=+])\s*", r"\1", value).lower()
    if value.lower() in ("true", "false"):
        return value.upper()
    if name == "olcdbindex":
        names, _, kinds = value.lower().partition(" ")
        return names + " " + ",".join(sorted(kinds.replace(" ", "").split(",")))
    return value


def normal_dn(dn: str) -> str:
    """``olcDatabase={1}mdb, cn=config`` -> ``olcdatabase={1}mdb,cn=config``."""
    return re.sub(r"\s*([,=])\s*", r"\1", dn).lower()


def _get(entry: Mapping[str, Sequence[str]], attribute: str) -> list[str]:
    for name, values in entry.items():
        if name.lower() == attribute.lower():
            return list(values)
    return []


# Comparison of one entry


def diff_attribute(attribute: str, live: Sequence[str], wanted: Sequence[str]) -> list[Mod]:
    """The smallest change which turns the live values into the wanted ones."""
    live_sorted = ordered(live)
    live_normal = [normal(attribute, value) for value in live_sorted]
    wanted_normal = [normal(attribute, value) for value in wanted]
    is_ordered = any(_PREFIX.match(value) for value in live)
    if (
        (live_normal == wanted_normal)
        if is_ordered
        else (sorted(live_normal) == sorted(wanted_normal))
    ):
        return []
    if not wanted:
        return [Mod("delete", attribute)]
    if not live:
        return [Mod("add", attribute, tuple(wanted))]
    if is_ordered:
        if wanted_normal[: len(live_normal)] == live_normal:
            return [Mod("add", attribute, tuple(wanted[len(live_normal) :]))]
        return [Mod("replace", attribute, tuple(wanted))]
    if len(live) == 1 and len(wanted) == 1:
        return [Mod("replace", attribute, tuple(wanted))]
    removed = [v for v, n in zip(live_sorted, live_normal, strict=True) if n not in wanted_normal]
    added = [v for v, n in zip(wanted, wanted_normal, strict=True) if n not in live_normal]
    if {v.lower() for v in removed} & {v.lower() for v in added}:
        return [
            Mod("replace", attribute, tuple(wanted))
        ]  # differs in case only: the server would refuse both
    mods = [Mod("delete", attribute, tuple(removed))] if removed else []
    return mods + ([Mod("add", attribute, tuple(added))] if added else [])


def diff_entry(dn: str, live: Attributes, wanted: Attributes) -> list[Op]:
    """One modify operation, or nothing. Attributes which are not wanted are removed."""
    mods: list[Mod] = []
    names = {name.lower() for name in wanted}
    for name, values in live.items():
        if name.lower() not in names | SERVER_OWNED:
            mods += diff_attribute(name, values, [])
    for name, wanted_values in wanted.items():
        mods += diff_attribute(name, _get(live, name), wanted_values)
    return [Op("modify", dn, mods=tuple(mods))] if mods else []


def _add(
    dn: str, object_classes: Sequence[str], rdn: tuple[str, str], attributes: Attributes
) -> Op:
    pairs = [("objectClass", tuple(object_classes)), (rdn[0], (rdn[1],))]
    pairs += [(name, tuple(values)) for name, values in attributes.items() if values]
    return Op("add", dn, attributes=tuple(pairs))


# The phases, in the order in which they are applied


def children(tree: Tree, parent: str, attribute: str) -> list[tuple[str, Attributes]]:
    """Entries one level below parent that are named by attribute, in the order of their {n}."""
    found = []
    for dn, entry in tree.items():
        rdn, _, above = dn.partition(",")
        if normal_dn(above) == normal_dn(parent) and rdn.lower().startswith(
            attribute.lower() + "="
        ):
            match = re.search(r"\{(-?\d+)\}", rdn)
            found.append((int(match.group(1)) if match else 1 << 30, dn, entry))
    return [(dn, entry) for _, dn, entry in sorted(found, key=lambda item: item[0])]


def live_modules(tree: Tree) -> list[str]:
    """Values of olcModuleLoad, of all module entries."""
    return [
        strip_prefix(value)
        for _, entry in children(tree, "cn=config", "cn")
        if "olcmodulelist" in (c.lower() for c in _get(entry, "objectClass"))
        for value in ordered(_get(entry, "olcModuleLoad"))
    ]


def module_name(load: str) -> str:
    """``argon2.so m=7168`` -> ``argon2``."""
    return re.sub(r"\.(la|so)$", "", load.split(maxsplit=1)[0].rsplit("/", 1)[-1])


def plan_modules(tree: Tree, wanted: Sequence[str]) -> list[Op]:
    """Modules that are missing. Those too many or with other arguments: offline_modules."""
    have = {module_name(load) for load in live_modules(tree)}
    missing = tuple(load for load in wanted if module_name(load) not in have)
    if not missing:
        return []
    for dn, entry in children(tree, "cn=config", "cn"):
        if "olcmodulelist" in (c.lower() for c in _get(entry, "objectClass")):
            return [Op("modify", dn, mods=(Mod("add", "olcModuleLoad", missing),))]
    return [
        _add(
            "cn=module,cn=config",
            ["olcModuleList"],
            ("cn", "module"),
            {"olcModuleLoad": list(missing)},
        )
    ]


def offline_modules(tree: Tree, wanted: Sequence[str]) -> list[str]:
    """Loaded modules slapd cannot change while it runs: not wanted, or other arguments."""
    by_name = {module_name(load): " ".join(load.split()) for load in wanted}
    return [
        load
        for load in live_modules(tree)
        if by_name.get(module_name(load)) != " ".join(load.split())
    ]


def live_schemas(tree: Tree) -> dict[str, tuple[str, Attributes]]:
    """Schema name -> DN and entry."""
    return {
        strip_prefix(_get(entry, "cn")[0]).lower(): (dn, entry)
        for dn, entry in children(tree, "cn=schema,cn=config", "cn")
    }


def offline_schemas(tree: Tree, wanted: Sequence[Schema]) -> list[str]:
    """Schemas which are loaded and no longer wanted; slapd cannot unload one while it runs."""
    names = {schema.name.lower() for schema in wanted}
    return [name for name in live_schemas(tree) if name not in names]


def check_schemas(wanted: Sequence[Schema]) -> None:
    """Refuse a schema set in which an OID or a name is defined twice. Raises DesiredError."""
    for attribute in ("olcAttributeTypes", "olcObjectClasses"):
        seen: dict[str, str] = {}
        for schema in wanted:
            for value in schema.definitions.get(attribute, []):
                for key in (
                    definition_oid(value),
                    *(name.lower() for name in definition_names(value)),
                ):
                    if key in seen:
                        raise DesiredError(
                            f"schema {schema.name}: {key} is already defined in schema "
                            f"{seen[key]}. "
                            "Remove one of the two definitions."
                        )
                    seen[key] = schema.name


def plan_schemas(tree: Tree, wanted: Sequence[Schema]) -> list[Op]:
    """Schemas and definitions to add or to change."""
    ops: list[Op] = []
    live = live_schemas(tree)
    for schema in wanted:
        if schema.name.lower() not in live:
            ops.append(
                _add(
                    f"cn={schema.name},cn=schema,cn=config",
                    ["olcSchemaConfig"],
                    ("cn", schema.name),
                    {a: schema.definitions.get(a, []) for a in SCHEMA_ATTRIBUTES},
                )
            )
            continue
        dn, entry = live[schema.name.lower()]
        mods: list[Mod] = []
        for attribute in SCHEMA_ATTRIBUTES:
            have = {
                definition_oid(v): (i, v) for i, v in enumerate(ordered(_get(entry, attribute)))
            }
            new = []
            for value in schema.definitions.get(attribute, []):
                oid = definition_oid(value)
                if oid not in have:
                    new.append(value)
                elif normal(attribute, have[oid][1]) != normal(attribute, value):
                    index = have[oid][0]
                    mods += [
                        Mod("delete", attribute, (f"{{{index}}}",)),
                        Mod("add", attribute, (f"{{{index}}}{strip_prefix(value)}",)),
                    ]
            if new:
                mods.append(Mod("add", attribute, tuple(new)))
        if mods:
            ops.append(Op("modify", dn, mods=tuple(mods)))
    return ops


def plan_schema_removals(tree: Tree, wanted: Sequence[Schema]) -> list[Op]:
    """Definitions to remove, classes before attributes, the last of a schema first."""
    ops: list[Op] = []
    live = live_schemas(tree)
    for attribute in reversed(SCHEMA_ATTRIBUTES):
        for schema in reversed(wanted):
            if schema.name.lower() not in live:
                continue
            dn, entry = live[schema.name.lower()]
            keep = {definition_oid(value) for value in schema.definitions.get(attribute, [])}
            values = ordered(_get(entry, attribute))
            gone = [(i, v) for i, v in enumerate(values) if definition_oid(v) not in keep]
            ops += [
                Op(
                    "modify",
                    dn,
                    mods=(Mod("delete", attribute, (f"{{{i}}}",)),),
                    unused=definition_names(v)[:1] or (definition_oid(v),),
                )
                for i, v in reversed(gone)
            ]
    return ops


def find_database(tree: Tree, wanted: Database) -> tuple[str, Attributes] | None:
    """The live entry of a wanted database: same type and suffix."""
    for dn, entry in children(tree, "cn=config", "olcDatabase"):
        if strip_prefix(_get(entry, "olcDatabase")[0]).lower() != wanted.type:
            continue
        suffixes = {normal("olcSuffix", s) for s in _get(entry, "olcSuffix")}
        if wanted.suffix is None or normal("olcSuffix", wanted.suffix) in suffixes:
            return dn, entry
    return None


def plan_entries(
    tree: Tree, global_: Attributes, frontend: Attributes, config: Attributes
) -> list[Op]:
    """cn=config itself, the frontend, and the configuration database."""
    ops: list[Op] = []
    for dn, entry in tree.items():
        kind = normal_dn(dn)
        if kind == "cn=config":
            for op in diff_entry(dn, entry, global_):
                # Last and alone: refused together with others it would stay in slapd's memory.
                security = tuple(mod for mod in op.mods if mod.attribute.lower() == "olcsecurity")
                others = tuple(mod for mod in op.mods if mod not in security)
                ops += [Op("modify", dn, mods=mods) for mods in (others, security) if mods]
        elif kind == "olcdatabase={-1}frontend,cn=config":
            ops += diff_entry(dn, entry, frontend)
        elif kind == "olcdatabase={0}config,cn=config":
            ops += diff_entry(dn, entry, config)
    return ops


def plan_databases(tree: Tree, wanted: Sequence[Database]) -> list[Op]:
    """Databases to add or to change, without their overlays."""
    ops: list[Op] = []
    for database in wanted:
        attributes = dict(database.attributes)
        if database.suffix is not None:
            attributes = {"olcSuffix": [database.suffix], **attributes}
        live = find_database(tree, database)
        if live is None:
            classes = ["olcDatabaseConfig", DATABASE_CLASSES[database.type]]
            ops.append(
                _add(
                    f"olcDatabase={database.type},cn=config",
                    classes,
                    ("olcDatabase", database.type),
                    attributes,
                )
            )
            continue
        dn, entry = live
        have, want = _get(entry, "olcDbDirectory"), attributes.get("olcDbDirectory", [])
        if have and have != want:
            raise DesiredError(
                f"database {database.label}: its files lie in {have[0]}, wanted is "
                f"{', '.join(want) or 'none'}. slapd "
                "cannot move a database: stop slapd, move the directory, change olcDbDirectory "
                "with "
                "`slapmodify -n 0`, start slapd; or set the variable back."
            )
        ops += diff_entry(dn, entry, attributes)
    return ops


def plan_database_removals(tree: Tree, wanted: Sequence[Database]) -> list[Op]:
    """Databases (their overlays first) which are no longer wanted. Their files stay on disk."""
    keep = {normal_dn(found[0]) for found in (find_database(tree, db) for db in wanted) if found}
    keep |= {"olcdatabase={-1}frontend,cn=config", "olcdatabase={0}config,cn=config"}
    ops: list[Op] = []
    for dn, _ in reversed(children(tree, "cn=config", "olcDatabase")):
        if normal_dn(dn) not in keep:
            ops += [
                Op("delete", overlay) for overlay, _ in reversed(children(tree, dn, "olcOverlay"))
            ]
            ops.append(Op("delete", dn))
    return ops


def plan_overlays(tree: Tree, wanted: Sequence[Database]) -> list[Op]:
    """Overlays of all wanted databases.

    Their order is part of the wanted state. Removing one leaves the others in place; when one has
    to come before others, those after it are removed and added again (their state is in the data,
    so nothing is lost).
    """
    ops: list[Op] = []
    for database in wanted:
        names = [name for name, _ in database.overlays]
        if len(set(names)) != len(names):
            raise DesiredError(
                f"database {database.label}: an overlay is listed twice: {', '.join(names)}."
            )
        live = find_database(tree, database)
        parent = live[0] if live else f"olcDatabase={database.type},cn=config"
        present = [
            (strip_prefix(_get(entry, "olcOverlay")[0]).lower(), dn, entry)
            for dn, entry in children(tree, parent, "olcOverlay")
        ]
        kept = [item for item in present if item[0] in names]
        # the longest beginning of the wanted order that is live in that order
        good = 0
        while good < len(kept) and good < len(names) and kept[good][0] == names[good]:
            good += 1
        stay = kept[:good]
        gone = [dn for _, dn, _ in present if dn not in [item[1] for item in stay]]
        # Highest number first: numbers of those before it do not change.
        ops += [Op("delete", dn) for dn in reversed(gone)]
        for index, (name, attributes) in enumerate(database.overlays):
            if index < good:
                dn = stay[index][1]
                shift = sum(1 for g in gone if _number(g) < _number(dn))
                renumbered = re.sub(r"\{\d+\}", f"{{{_number(dn) - shift}}}", dn, count=1)
                ops += diff_entry(renumbered, stay[index][2], attributes)
            else:
                if name not in OVERLAY_CLASSES:
                    raise DesiredError(
                        f"database {database.label}: overlay {name} is not known; known are "
                        f"{', '.join(sorted(OVERLAY_CLASSES))}."
                    )
                ops.append(
                    _add(
                        f"olcOverlay={name},{parent}",
                        ["olcOverlayConfig", OVERLAY_CLASSES[name]],
                        ("olcOverlay", name),
                        attributes,
                    )
                )
    return ops


def _number(dn: str) -> int:
    match = re.search(r"\{(-?\d+)\}", dn.partition(",")[0])
    return int(match.group(1)) if match else 1 << 30


def rewrite_offline(
    records: Sequence[tuple[str, Attributes]], modules: Sequence[str], schemas: Sequence[str]
) -> list[tuple[str, Attributes]]:
    """An export of cn=config with these modules and schemas only; numbers are closed up."""
    keep = {name.lower() for name in schemas}
    out: list[tuple[str, Attributes]] = []
    number = 0
    module_done = False
    for dn, entry in records:
        classes = {c.lower() for c in _get(entry, "objectClass")}
        if "olcmodulelist" in classes:
            if module_done:
                continue
            module_done = True
            changed = {k: v for k, v in entry.items() if k.lower() != "olcmoduleload"}
            changed["olcModuleLoad"] = [f"{{{i}}}{load}" for i, load in enumerate(modules)]
            out.append((dn, changed))
        elif "olcschemaconfig" in classes and normal_dn(dn) != "cn=schema,cn=config":
            name = strip_prefix(_get(entry, "cn")[0])
            if name.lower() in keep:
                changed = {k: v for k, v in entry.items() if k.lower() != "cn"}
                changed["cn"] = [f"{{{number}}}{name}"]
                out.append((f"cn={{{number}}}{name},cn=schema,cn=config", changed))
                number += 1
        else:
            out.append((dn, entry))
    return out
