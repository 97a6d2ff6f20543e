#!/usr/bin/python
"""Ansible module: an empty cn=config to begin with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openldap_bootstrap
short_description: Give slapd a configuration directory that holds nothing but cn=config
description:
  - Makes a configuration directory with cn=config, managed by root through ldapi, and no database,
    when there is none. It is built beside its place and renamed, so an interruption leaves nothing
    half made.
  - Replaces the configuration which Debian's package makes by itself (a database named after a
    guess at the domain) when that database holds no more than its root entry. Anything else found
    there is somebody's data, and the module fails.
  - Makes the directories of the databases.
  - Finishes an exchange of directories (openldap_config) that was interrupted.
options:
  config_directory:
    description: Where slapd keeps cn=config.
    type: path
    default: /etc/ldap/slapd.d
  data_directories:
    description: Directories of the databases that are ours; a database elsewhere is not.
    type: list
    elements: path
    required: true
  root_directories:
    description: Other directories to make; mode 0755 under /etc, 0700 elsewhere.
    type: list
    elements: path
    default: []
  service: {description: The systemd service., type: str, default: slapd}
  user:
    description: Owner of the data and configuration directories.
    type: str
    default: openldap
author: ENT project
"""

EXAMPLES = r"""
- name: Begin with an empty configuration
  openldap_bootstrap:
    data_directories: [/var/lib/ldap/directory]
"""

RETURN = r"""
reason: {description: What was done., type: str, returned: always}
"""

import os
import re
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

BOOTSTRAP = """\
dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

dn: olcDatabase={-1}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {-1}frontend

dn: olcDatabase={0}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {0}config
olcRootDN: gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth
"""


def data_directories(config_directory: str) -> dict[str, str]:
    """olcDbDirectory -> olcSuffix of the databases of a configuration directory."""
    found = {}
    for path in Path(config_directory, "cn=config").glob("olcDatabase=*.ldif"):
        text = path.read_text(encoding="utf-8").replace("\n ", "")
        directory = re.search(r"^olcDbDirectory: (.+)$", text, re.MULTILINE)
        suffix = re.search(r"^olcSuffix: (.+)$", text, re.MULTILINE)
        if directory:
            found[directory.group(1)] = suffix.group(1) if suffix else "?"
    return found


def make_directories(module: AnsibleModule) -> bool:
    """Directories with owner and mode as they should be. True when something had to be changed."""
    changed = False
    user = module.params["user"]
    wanted = [(path, user, 0o750) for path in module.params["data_directories"]]
    wanted += [
        (path, "root", 0o755 if path.startswith("/etc/") else 0o700)
        for path in module.params["root_directories"]
    ]
    for path, owner, mode in wanted:
        if not Path(path).is_dir():
            changed = True
            if module.check_mode:
                continue
            Path(path).mkdir(mode, parents=True)
        changed |= bool(module.set_owner_if_different(path, owner, False))
        changed |= bool(module.set_group_if_different(path, owner, False))
        changed |= bool(module.set_mode_if_different(path, mode, False))
    return changed


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config_directory": {"type": "path", "default": "/etc/ldap/slapd.d"},
            "data_directories": {"type": "list", "elements": "path", "required": True},
            "root_directories": {"type": "list", "elements": "path", "default": []},
            "service": {"type": "str", "default": "slapd"},
            "user": {"type": "str", "default": "openldap"},
        },
        supports_check_mode=True,
    )
    params = module.params
    directory: str = params["config_directory"]
    new, old = f"{directory}.new", f"{directory}.old"

    def run(*command: str, data: str | None = None) -> str:
        code, out, err = module.run_command(list(command), data=data)
        if code:
            module.fail_json(msg=f"`{' '.join(command)}` failed: {err.strip() or out.strip()}")
        return str(out)

    made = make_directories(module)
    complete = Path(directory, "cn=config", "olcDatabase={0}config.ldif").exists()
    foreign = {}
    if complete:
        ours = {os.path.normpath(path) for path in params["data_directories"]}
        foreign = {
            d: s for d, s in data_directories(directory).items() if os.path.normpath(d) not in ours
        }
        if not foreign:
            module.exit_json(changed=made, reason="there is a configuration")
    elif Path(old, "cn=config").exists():
        if not module.check_mode:
            shutil.rmtree(directory, ignore_errors=True)
            Path(old).rename(directory)
        module.exit_json(changed=True, reason=f"an interrupted exchange of {directory} was undone")
    if not complete and module.check_mode:
        module.exit_json(changed=True, reason="an empty configuration would be made")

    for data, suffix in foreign.items():
        entries = (
            run("slapcat", "-F", directory, "-b", suffix, "-o", "ldif-wrap=no").count("\ndn: ") + 1
        )
        if entries > 2:
            module.fail_json(
                msg=(
                    f"{directory} already has a database {suffix} in {data} with {entries} "
                    "entries, which this role did not "
                    f"make. Keep it (slapcat -b {suffix} > saved.ldif) and move {directory} and "
                    f"{data} away, or set "
                    "openldap_data_directory to that directory if this is the directory of this "
                    "site."
                )
            )
    if module.check_mode:
        module.exit_json(
            changed=True, reason="the package's default configuration would be replaced"
        )

    run("systemctl", "stop", params["service"])
    shutil.rmtree(new, ignore_errors=True)
    Path(new).mkdir(0o750)
    run("slapadd", "-n0", "-F", new, data=BOOTSTRAP)
    run("chown", "-R", f"{params['user']}:", new)
    if Path(directory).exists():
        shutil.rmtree(directory)
    Path(new).rename(directory)
    for data in foreign:
        for name in ("data.mdb", "lock.mdb"):
            Path(data, name).unlink(missing_ok=True)
    module.exit_json(
        changed=True,
        reason="the package's default configuration was replaced"
        if foreign
        else "an empty configuration was made",
    )


if __name__ == "__main__":
    main()
