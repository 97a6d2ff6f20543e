"""requirements.yml names the collections that are used, in the versions that are locked."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("roles", "playbooks", "inventories", "plugins", "molecule")
_SUFFIXES = {".yml", ".yaml", ".j2", ".py"}
_NAME = re.compile(r"\b([a-z]\w*\.[a-z]\w*)\.[a-z]\w*")


def _locked() -> dict[str, dict[str, Any]]:
    """Collections of the ansible package, by name: version and dependencies."""
    spec = find_spec("ansible_collections")
    assert spec is not None
    found = {}
    for folder in spec.submodule_search_locations or ():
        for manifest in Path(folder).glob("*/*/MANIFEST.json"):
            information = json.loads(manifest.read_text())["collection_info"]
            found[f"{information['namespace']}.{information['name']}"] = information
    return found


def used(text: str, known: set[str]) -> set[str]:
    """Collections that a text names a module, plugin or filter of."""
    return set(_NAME.findall(text)) & known


def _used(locked: dict[str, dict[str, Any]]) -> set[str]:
    """Collections that the project names, and what these depend on."""
    found: set[str] = set()
    for folder in _FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in _SUFFIXES:
                found |= used(path.read_text(), locked.keys())
    waiting = list(found)
    while waiting:
        new = locked[waiting.pop()]["dependencies"].keys() - found
        found |= new
        waiting += new
    return found


def test_requirements_are_what_is_used_in_the_locked_versions() -> None:
    locked = _locked()
    listed = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    versions = {entry["name"]: entry["version"] for entry in listed}
    assert versions == {name: locked[name]["version"] for name in _used(locked)}


def test_the_installed_package_is_the_locked_one() -> None:
    spec = find_spec("ansible_collections.ansible_release")
    assert spec is not None
    assert spec.origin is not None
    installed = re.search(r'ansible_version = ["\'](.+)["\']', Path(spec.origin).read_text())
    locked = re.search(
        r"^ansible==(\S+)", (ROOT / "requirements" / "controller.txt").read_text(), re.MULTILINE
    )
    assert installed
    assert locked
    assert installed[1] == locked[1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("  community.docker.docker_network:\n", {"community.docker"}),
        ("{{ x | map('community.general.dict_kv', 'a') }}", {"community.general"}),
        ("ansible.builtin.copy:", set()),
        ("from ansible.module_utils.basic import AnsibleModule", set()),
        ("https://ansible.posix/", set()),
    ],
)
def test_a_collection_is_recognised_where_it_is_named(text: str, found: set[str]) -> None:
    assert used(text, {"community.docker", "community.general", "ansible.posix"}) == found
