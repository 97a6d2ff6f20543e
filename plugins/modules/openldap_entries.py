#!/usr/bin/python
"""Ansible module: entries of a directory, each attribute with its owner in mind."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openldap_entries
short_description: Make entries of the directory what is wanted, and leave the rest to its owners
description:
  - Works over ldapi (SASL EXTERNAL, as root). An entry that is missing is added in one operation.
  - Attributes not named are left alone. What is right already is not written.
options:
  uri: {description: Where slapd answers to root., type: str, default: "ldapi:///"}
  entries:
    description:
      - Entries in order, parents first, each with C(dn) and the following.
      - C(attributes), exactly these values (an empty list, no such attribute).
      - C(present), at least these values.
      - C(initial), given when the entry is made and never looked at again (they belong to somebody
        else then).
      - C(password), tried by signing in and written only when that fails; slapd hashes it.
      - C(state), C(present) or C(absent).
    type: list
    elements: dict
    required: true
  exclusive:
    description: Under each of these DNs, one level down, entries which are not listed are removed.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: Nothing is changed.}
  diff_mode: {support: full, description: Operations in a form near LDIF; secrets are not shown.}
author: ENT project
"""

EXAMPLES = r"""
- name: Entry of the service
  openldap_entries:
    entries:
      - dn: cn=portal,ou=system,dc=example,dc=org
        attributes: {objectClass: [applicationProcess, simpleSecurityObject], cn: portal}
        password: "{{ lookup('ansible.builtin.password', 'secrets/ldap-portal') }}"
"""

RETURN = r"""
operations:
  description: What was done or would be done.
  type: list
  elements: str
  returned: always
"""

from typing import Any

from ansible.module_utils import openldap_entries as oe
from ansible.module_utils.basic import AnsibleModule

try:
    import ldap
    import ldap.dn
    import ldap.sasl

    HAS_LDAP = True
except ImportError:  # before the first installation, in check mode
    HAS_LDAP = False


def main() -> None:  # noqa: PLR0912, PLR0915
    module = AnsibleModule(
        argument_spec={
            "uri": {"type": "str", "default": "ldapi:///"},
            "entries": {"type": "list", "elements": "dict", "required": True, "no_log": False},
            "exclusive": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not HAS_LDAP:
        if module.check_mode:
            module.exit_json(changed=True, operations=["everything: slapd is not installed yet"])
        module.fail_json(msg="python3-ldap is missing on this host; the openldap role installs it.")
    operations: list[str] = []
    diff: list[str] = []
    kinds = {"add": ldap.MOD_ADD, "delete": ldap.MOD_DELETE, "replace": ldap.MOD_REPLACE}
    where = params["uri"]

    def note(what: str, dn: str, lines: list[str]) -> bool:
        operations.append(f"{what} {dn}")
        diff.extend([f"dn: {dn}", *lines, ""])
        return not module.check_mode

    def signs_in(dn: str, password: str) -> bool:
        other = ldap.initialize(params["uri"])
        try:
            other.simple_bind_s(dn, password)
        except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH):
            return False
        finally:
            other.unbind_s()
        return True

    try:
        connection = ldap.initialize(params["uri"])
        connection.sasl_interactive_bind_s("", ldap.sasl.external())
        for item in params["entries"]:
            dn = where = item["dn"]
            wanted = oe.Wanted.read(item)
            try:
                live = connection.search_s(
                    dn, ldap.SCOPE_BASE, "(objectClass=*)", ["*", *wanted.names()]
                )[0][1]
            except ldap.NO_SUCH_OBJECT:
                live = None
            if wanted.absent:
                if live is not None and note("delete", dn, ["-(the whole entry)"]):
                    connection.delete_s(dn)
                continue
            if live is None:
                attributes = wanted.new_entry()
                if note("add", dn, oe.lines(attributes)):
                    connection.add_s(dn, list(attributes.items()))
                continue
            mods = wanted.changes(live)
            if wanted.password and not signs_in(dn, wanted.password):
                mods.append(("replace", "userPassword", [wanted.password.encode()]))
            if mods and note(
                "modify",
                dn,
                [line for kind, name, vals in mods for line in oe.lines({name: vals or []}, kind)],
            ):
                connection.modify_s(dn, [(kinds[kind], name, vals) for kind, name, vals in mods])
        for parent in params["exclusive"]:
            where = parent
            keep = {oe.normal_dn(item["dn"]) for item in params["entries"]}
            try:
                found = connection.search_s(parent, ldap.SCOPE_ONELEVEL, "(objectClass=*)", ["1.1"])
            except ldap.NO_SUCH_OBJECT:
                found = []
            for dn, _ in found:
                if oe.normal_dn(dn) not in keep and note("delete", dn, ["-(the whole entry)"]):
                    where = dn
                    connection.delete_s(dn)
    except ldap.SERVER_DOWN as error:
        if module.check_mode:
            module.exit_json(changed=True, operations=["everything: slapd is not running yet"])
        module.fail_json(msg=f"slapd does not answer at {params['uri']}: {error}")
    except ldap.LDAPError as error:
        info = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        what = " ".join(str(info[k]) for k in ("desc", "info") if info.get(k)) or str(error)
        if module.check_mode and isinstance(
            error, (ldap.UNDEFINED_TYPE, ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX)
        ):
            module.exit_json(
                changed=True,
                operations=[*operations, "the rest: the directory is not complete yet"],
            )
        module.fail_json(
            msg=f"slapd refused the entry {where}: {what}",
            operations=operations,
            changed=bool(operations),
        )
    except oe.EntryError as error:
        module.fail_json(msg=f"{where}: {error}")
    result: dict[str, Any] = {"changed": bool(operations), "operations": operations}
    if module._diff:
        result["diff"] = {"prepared": "\n".join(diff)}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
