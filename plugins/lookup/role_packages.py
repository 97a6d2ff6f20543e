"""Lookup: the roles that a host's playbooks name, or all Debian packages of these."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: role_packages
short_description: the roles that a host's playbooks name, or their Debian packages
description:
  - For each group name, reads C(playbooks/GROUP.yml), collects its roles, and returns the sorted
    union of the lists C(__ROLE_packages) in C(roles/ROLE/vars/main.yml). A first play can so
    install everything a host needs in one transaction.
  - Groups without a playbook add nothing, nor does a role without C(vars/main.yml) or without the
    list.
options:
  _terms:
    description: Names of groups, usually C(group_names).
    required: true
  roles:
    description: Roles to count besides those of the playbooks.
    type: list
    elements: str
    default: []
  names:
    description:
      - Return the names of the roles, each once, in the order of the groups and their playbooks,
        instead of their packages.
    type: bool
    default: false
  root:
    description:
      - Folder that holds C(playbooks/) and C(roles/). The repository of this plug-in by default.
    type: path
"""

EXAMPLES = """
common_packages: "{{ query('role_packages', *group_names, roles=['common', 'pki']) }}"
roles_of_both: "{{ query('role_packages', 'mail', 'portal', names=true) }}"
"""

RETURN = """
_raw:
  description: Package names, sorted, each once; or role names.
  type: list
  elements: str
"""

_INCLUDES = {
    f"{prefix}{verb}_role" for prefix in ("", "ansible.builtin.") for verb in ("import", "include")
}


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise AnsibleLookupError(f"role_packages: {path} is not valid YAML: {error}") from error


def _task_roles(tasks: Any) -> list[str]:
    """Names of the roles that tasks import or include, blocks included."""
    names: list[str] = []
    for task in tasks or []:
        for key in _INCLUDES & set(task):
            names.append(task[key]["name"])
        for key in ("block", "rescue", "always"):
            names += _task_roles(task.get(key))
    return names


@cache
def playbook_roles(path: Path) -> tuple[str, ...]:
    """Names of the roles of a playbook's plays, in order."""
    names: list[str] = []
    for play in _load(path) or []:
        for entry in play.get("roles") or []:
            names.append(entry if isinstance(entry, str) else entry.get("role") or entry["name"])
        for section in ("pre_tasks", "tasks", "post_tasks"):
            names += _task_roles(play.get(section))
    return tuple(names)


@cache
def role_packages(root: Path, role: str) -> tuple[str, ...]:
    """The packages that a role says it needs."""
    folder = root / "roles" / role
    if not folder.is_dir():
        raise AnsibleLookupError(
            f"role_packages: a playbook names the role {role}, but {folder} does not exist"
        )
    path = folder / "vars" / "main.yml"
    if not path.is_file():
        return ()
    packages = (_load(path) or {}).get(f"__{role}_packages", [])
    if not isinstance(packages, list) or not all(isinstance(name, str) for name in packages):
        raise AnsibleLookupError(
            f"role_packages: __{role}_packages in {path} must be a plain list of names"
        )
    return tuple(packages)


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """Return the roles of the groups in terms, or the union of their packages."""
        self.set_options(var_options=variables, direct=kwargs)
        root = Path(self.get_option("root") or Path(__file__).resolve().parents[2])
        roles = list(self.get_option("roles"))
        for group in terms:
            playbook = root / "playbooks" / f"{group}.yml"
            if playbook.is_file():
                roles += playbook_roles(playbook)
        if self.get_option("names"):
            return list(dict.fromkeys(roles))
        return sorted({package for role in roles for package in role_packages(root, role)})
