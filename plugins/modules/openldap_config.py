#!/usr/bin/python
"""Ansible module: the whole cn=config of an OpenLDAP server, as wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openldap_config
short_description: Make the configuration (cn=config) of an OpenLDAP server what is wanted
description:
  - Compares the wanted configuration with the live one and applies the difference over ldapi
    (SASL EXTERNAL, as root) to the running server. What is not wanted is removed.
  - Order numbers, spaces, case of names and equivalent spellings of schema definitions do not count
    as differences.
  - slapd cannot unload a module, change the arguments of one or unload a schema while it runs.
    These are done with slapd stopped for a moment (slapcat, slapadd into a new directory,
    exchange), when O(allow_restart) says so; else the module fails and names them.
  - Attribute types and classes are removed only when no entry uses them and nothing in the
    configuration names them.
  - Supports check mode and C(--diff).
options:
  uri: {description: Where slapd answers to root., type: str, default: "ldapi:///"}
  config_directory:
    description: Where slapd keeps cn=config.
    type: path
    default: /etc/ldap/slapd.d
  service: {description: The systemd service., type: str, default: slapd}
  user: {description: Owner of the configuration directory., type: str, default: openldap}
  allow_restart:
    description: Stop and start slapd for changes it cannot make while it runs.
    type: bool
    default: true
  modules:
    description: Values of olcModuleLoad, in order.
    type: list
    elements: str
    required: true
  schemas:
    description: >-
      Schemas in the order in which they build on each other. Each has C(name) and either C(file),
      an LDIF file of the host, or C(ldif), its text.
    type: list
    elements: dict
    required: true
  global_attributes: {description: Attributes of cn=config., type: dict, default: {}}
  frontend: {description: Attributes of the frontend database., type: dict, default: {}}
  config_database: {description: Attributes of the configuration database., type: dict, default: {}}
  databases:
    description: >-
      Databases, each with C(type), C(suffix), C(attributes), C(overlays) (list of C(name) and
      C(attributes), in order) and, instead of olcAccess, C(acl) (a table, see openldap_acl).
    type: list
    elements: dict
    required: true
attributes:
  check_mode: {support: full, description: Nothing is changed.}
  diff_mode: {support: full, description: Operations in a form near LDIF.}
author: ENT project
"""

EXAMPLES = r"""
- name: Configure slapd
  openldap_config:
    modules: [back_mdb]
    schemas: [{name: core, file: /etc/ldap/schema/core.ldif}]
    databases:
      - type: mdb
        suffix: dc=example,dc=org
        attributes: {olcDbDirectory: /var/lib/ldap/directory}
"""

RETURN = r"""
operations:
  description: What was done or would be done.
  type: list
  elements: str
  returned: always
restarted: {description: Whether slapd was stopped and started., type: bool, returned: always}
"""

import io
import pwd
import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils import openldap_acl as acl
from ansible.module_utils import openldap_config as oc
from ansible.module_utils.basic import AnsibleModule

try:
    import ldap
    import ldap.sasl
    import ldif

    HAS_LDAP = True
except ImportError:  # before the first installation, in check mode
    HAS_LDAP = False


class RefusedError(Exception):
    """slapd refused an operation, or it would break something; the text is for the "
    "administrator."""


def values(value: Any) -> list[str]:
    """A YAML value as LDAP values: lists stay, true is TRUE, None is nothing."""
    if value is None:
        return []
    if isinstance(value, list):
        return [v for item in value for v in values(item)]
    if isinstance(value, bool):
        return ["TRUE" if value else "FALSE"]
    return [str(value).strip()]


def attributes(mapping: dict[str, Any] | None) -> oc.Attributes:
    return {name: found for name, value in (mapping or {}).items() if (found := values(value))}


def parse_ldif(text: str) -> list[tuple[str, oc.Attributes]]:
    records = ldif.LDIFRecordList(io.StringIO(text))
    records.parse()
    return [
        (dn, {name: [v.decode() for v in vals] for name, vals in entry.items()})
        for dn, entry in records.all_records
    ]


def read_schemas(items: list[dict[str, Any]]) -> list[oc.Schema]:
    schemas = []
    for item in items:
        text = item.get("ldif")
        if not text:
            text = Path(item["file"]).read_text(encoding="utf-8")
        definitions: oc.Attributes = {}
        for _, entry in parse_ldif(text):
            for attribute in oc.SCHEMA_ATTRIBUTES:
                found = [
                    v
                    for name, vals in entry.items()
                    if name.lower() == attribute.lower()
                    for v in vals
                ]
                definitions.setdefault(attribute, []).extend(oc.strip_prefix(v) for v in found)
        schemas.append(oc.Schema(item["name"], definitions))
    return schemas


def read_databases(items: list[dict[str, Any]]) -> list[oc.Database]:
    databases = []
    for item in items:
        wanted = attributes(item.get("attributes"))
        if item.get("acl"):
            wanted["olcAccess"] = acl.render(item["acl"], item["suffix"])
        overlays = [
            (o["name"], attributes(o.get("attributes"))) for o in item.get("overlays") or []
        ]
        databases.append(oc.Database(item["type"], wanted, item.get("suffix"), overlays))
    return databases


class Server:
    """The live server: reads cn=config, executes operations."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.operations: list[str] = []
        self.diff: list[str] = []
        self.restarted = False
        self.connection: Any = None

    def connect(self) -> None:
        self.connection = ldap.initialize(self.module.params["uri"])
        self.connection.sasl_interactive_bind_s("", ldap.sasl.external())

    def recover(self) -> None:
        """Let go of what a refused operation left behind.

        slapd applies the values of a modify operation one by one and, when it refuses a later one,
        keeps some of the earlier in memory though not in its files (olcSecurity without olcLocalSSF
        locks root out). A start reads the files.
        """
        try:
            self.tree()
        except ldap.CONFIDENTIALITY_REQUIRED:
            if self.module.check_mode or not self.module.params["allow_restart"]:
                raise RefusedError(
                    "slapd refuses root on ldapi: a refused change is still in its memory. "
                    "Restart it "
                    f"(systemctl restart {self.module.params['service']}) and run again."
                ) from None
            self.note("restart: a refused change was still in memory", [])
            self.run("systemctl", "restart", self.module.params["service"])
            self.restarted = True
            self.connect()

    def tree(self) -> oc.Tree:
        found = self.connection.search_s("cn=config", ldap.SCOPE_SUBTREE, "(objectClass=*)", ["*"])
        return {
            dn: {name: [v.decode() for v in vals] for name, vals in entry.items()}
            for dn, entry in found
        }

    def note(self, text: str, lines: list[str]) -> None:
        self.operations.append(text)
        self.diff += [*lines, ""]

    def execute(self, ops: list[oc.Op]) -> None:
        for op in ops:
            if op.unused:
                self.require_unused(op.unused)
            names = sorted({mod.attribute for mod in op.mods})
            self.note(
                f"{op.kind} {op.dn}" + (f" ({', '.join(names)})" if names else ""), op.lines()
            )
            if self.module.check_mode:
                continue
            try:
                if op.kind == "add":
                    self.connection.add_s(
                        op.dn, [(n, [v.encode() for v in vals]) for n, vals in op.attributes]
                    )
                elif op.kind == "delete":
                    self.connection.delete_s(op.dn)
                else:
                    kinds = {
                        "add": ldap.MOD_ADD,
                        "delete": ldap.MOD_DELETE,
                        "replace": ldap.MOD_REPLACE,
                    }
                    self.connection.modify_s(
                        op.dn,
                        [
                            (
                                kinds[mod.kind],
                                mod.attribute,
                                [v.encode() for v in mod.values] or None,
                            )
                            for mod in op.mods
                        ],
                    )
            except ldap.LDAPError as error:
                raise RefusedError(self.explain(op, error)) from error
            if "olcLocalSSF" in names:
                self.connect()  # this connection still has the strength of its beginning

    def explain(self, op: oc.Op, error: Exception) -> str:
        info = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        what = " ".join(str(info[k]) for k in ("desc", "info") if info.get(k)) or str(error)
        lines = [line if len(line) <= 160 else line[:159] + "…" for line in op.lines()]
        if len(lines) > 30:
            lines = [*lines[:30], f"… {len(lines) - 30} lines more"]
        return (
            f"slapd refused to {op.kind} {op.dn}: {what}. Correct the variable this comes from "
            "and run again: what "
            "was done before stays, the rest follows. The operation was:\n" + "\n".join(lines)
        )

    def require_files(self, entry: oc.Attributes) -> None:
        """slapd only says "other error" when it cannot read a file of its certificate: say it "
        "first."""
        user = pwd.getpwnam(self.module.params["user"])
        for name in (
            "olcTLSCACertificateFile",
            "olcTLSCertificateFile",
            "olcTLSCertificateKeyFile",
        ):
            for path in entry.get(name, []):
                code, _, _ = self.module.run_command(
                    ["runuser", "-u", user.pw_name, "--", "test", "-r", path]
                )
                if code and not self.module.check_mode:
                    raise RefusedError(
                        f"{name}: {path} is not there, or {user.pw_name} may not read it. The "
                        "pki role makes it "
                        "from pki_certificates; its directory and key belong to the group ssl-cert."
                    )

    def require_unused(self, names: tuple[str, ...]) -> None:
        """Raises RefusedError when the data or the configuration uses an attribute type or "
        "class."""
        for name in names:
            base = self.connection.search_s(
                "", ldap.SCOPE_BASE, "(objectClass=*)", ["namingContexts"]
            )
            for suffix in base[0][1].get("namingContexts", []):
                try:
                    hits = self.connection.search_ext_s(
                        suffix.decode(),
                        ldap.SCOPE_SUBTREE,
                        f"(|({name}=*)(objectClass={name}))",
                        ["1.1"],
                        sizelimit=1,
                    )
                except ldap.SIZELIMIT_EXCEEDED:
                    hits = [("several entries", {})]
                except ldap.NO_SUCH_OBJECT:
                    hits = []
                if hits:
                    raise RefusedError(
                        f"{name} cannot leave the schema: the data uses it ({hits[0][0]}). "
                        "Remove it from "
                        "the entries first (ldapmodify), or keep it in the schema file."
                    )
            word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
            for dn, entry in ({} if self.module.check_mode else self.tree()).items():
                for attribute, vals in entry.items():
                    for value in vals:
                        own = attribute in oc.SCHEMA_ATTRIBUTES and name in oc.definition_names(
                            value
                        )
                        if word.search(value) and not own and "DESC" not in value:
                            raise RefusedError(
                                f"{name} cannot leave the schema: {attribute} of {dn} names it "
                                f"({value[:120]}"
                                "). Remove it there first, or keep it in the schema file."
                            )

    # What slapd only does when it does not run

    def offline(self, modules: list[str], schemas: list[oc.Schema]) -> None:
        tree = self.tree()
        wrong_modules = oc.offline_modules(tree, modules)
        wrong_schemas = oc.offline_schemas(tree, schemas)
        if not wrong_modules and not wrong_schemas:
            return
        parts = []
        if wrong_modules:
            parts.append(
                f"modules to unload or to load with other arguments: {', '.join(wrong_modules)}"
            )
        if wrong_schemas:
            parts.append(f"schemas to unload: {', '.join(wrong_schemas)}")
        what = "; ".join(parts)
        if not self.module.params["allow_restart"]:
            raise RefusedError(
                f"slapd cannot do this while it runs: {what}. Allow a restart "
                "(openldap_allow_restart: true) "
                "for one run, or put them back in the variables."
            )
        live = oc.live_schemas(tree)
        for name in wrong_schemas:
            for attribute in ("olcObjectClasses", "olcAttributeTypes"):
                for value in live[name][1].get(attribute, []):
                    self.require_unused_offline(name, oc.definition_names(value)[:1], tree)
        self.note(f"with slapd stopped: {what}", [f"offline: {what}"])
        if not self.module.check_mode:
            self.rewrite(modules, [schema.name for schema in schemas])

    def require_unused_offline(self, schema: str, names: tuple[str, ...], tree: oc.Tree) -> None:
        dn, _ = oc.live_schemas(tree)[schema]
        saved = self.tree
        without = {k: v for k, v in tree.items() if k != dn}
        try:
            self.tree = lambda: without  # type: ignore[method-assign]
            self.require_unused(names)
        finally:
            self.tree = saved  # type: ignore[method-assign]

    def run(self, *command: str) -> str:
        code, out, err = self.module.run_command(list(command))
        if code:
            raise RefusedError(f"`{' '.join(command)}` failed: {err.strip() or out.strip()}")
        return str(out)

    def rewrite(self, modules: list[str], schemas: list[str]) -> None:
        """Stop, export, change, import into a new directory, exchange, start."""
        directory = self.module.params["config_directory"]
        service, user = self.module.params["service"], self.module.params["user"]
        new, old = f"{directory}.new", f"{directory}.old"
        self.run("systemctl", "stop", service)
        self.restarted = True
        try:
            records = parse_ldif(self.run("slapcat", "-n0", "-F", directory, "-o", "ldif-wrap=no"))
            text = io.StringIO()
            writer = ldif.LDIFWriter(text)
            for dn, entry in oc.rewrite_offline(records, modules, schemas):
                writer.unparse(
                    dn, {name: [v.encode() for v in vals] for name, vals in entry.items()}
                )
            shutil.rmtree(new, ignore_errors=True)
            Path(new).mkdir(0o750)
            code, out, err = self.module.run_command(
                ["slapadd", "-n0", "-F", new], data=text.getvalue()
            )
            if code:
                raise RefusedError(
                    f"slapd does not accept its configuration without these parts, nothing was "
                    "changed: "
                    f"{err.strip() or out.strip()}"
                )
            self.run("chown", "-R", f"{user}:", new)
            shutil.rmtree(old, ignore_errors=True)
            Path(directory).rename(old)
            Path(new).rename(directory)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            self.run("systemctl", "start", service)
        self.connect()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "uri": {"type": "str", "default": "ldapi:///"},
            "config_directory": {"type": "path", "default": "/etc/ldap/slapd.d"},
            "service": {"type": "str", "default": "slapd"},
            "user": {"type": "str", "default": "openldap"},
            "allow_restart": {"type": "bool", "default": True},
            "modules": {"type": "list", "elements": "str", "required": True},
            "schemas": {"type": "list", "elements": "dict", "required": True},
            "global_attributes": {"type": "dict", "default": {}},
            "frontend": {"type": "dict", "default": {}},
            "config_database": {"type": "dict", "default": {}},
            "databases": {"type": "list", "elements": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if not HAS_LDAP:
        if module.check_mode:
            module.exit_json(
                changed=True, operations=["everything: slapd is not installed yet"], restarted=False
            )
        module.fail_json(msg="python3-ldap is missing on this host; the openldap role installs it.")
    params = module.params
    server = Server(module)
    try:
        server.connect()
    except ldap.LDAPError as error:
        if module.check_mode:
            module.exit_json(
                changed=True, operations=["everything: slapd is not running yet"], restarted=False
            )
        module.fail_json(
            msg=f"slapd does not answer root at {params['uri']}: {error}. "
            f"See `journalctl -u {params['service']}`."
        )
    try:
        schemas = read_schemas(params["schemas"])
        oc.check_schemas(schemas)
        databases = read_databases(params["databases"])
        entries = [
            attributes(params[k]) for k in ("global_attributes", "frontend", "config_database")
        ]
        modules = [" ".join(load.split()) for load in params["modules"]]
        server.recover()
        server.require_files(entries[0])
        # Additions first, in the order of their dependence; removals last, in the reverse order.
        server.execute(oc.plan_modules(server.tree(), modules))
        server.execute(oc.plan_schemas(server.tree(), schemas))
        server.execute(oc.plan_databases(server.tree(), databases))
        server.execute(oc.plan_entries(server.tree(), *entries))
        server.execute(oc.plan_overlays(server.tree(), databases))
        server.execute(oc.plan_database_removals(server.tree(), databases))
        server.execute(oc.plan_schema_removals(server.tree(), schemas))
        server.offline(modules, schemas)
    except (RefusedError, oc.DesiredError, acl.TableError, OSError) as error:
        module.fail_json(
            msg=str(error),
            operations=server.operations,
            restarted=server.restarted,
            changed=bool(server.operations),
        )
    result: dict[str, Any] = {
        "changed": bool(server.operations),
        "operations": server.operations,
        "restarted": server.restarted,
    }
    if module._diff:
        result["diff"] = {"prepared": "\n".join(server.diff)}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
