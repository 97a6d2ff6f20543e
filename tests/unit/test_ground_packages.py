"""The lookup role_packages and the look at a host's packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader

from loading import ROOT, load

ent_host = load("roles/common/library/ent_host.py")


def _lookup(root: Path, *groups: str, roles: tuple[str, ...] = ()) -> list[str]:
    lookup_loader.add_directory(str(ROOT / "plugins" / "lookup"))
    plugin = lookup_loader.get("role_packages")
    found: list[str] = plugin.run(list(groups), variables={}, root=str(root), roles=list(roles))
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with two playbooks and three roles."""
    (tmp_path / "playbooks").mkdir()
    for role, packages in (("web", "[nginx, curl]"), ("app", "[python3, curl]"), ("bare", None)):
        folder = tmp_path / "roles" / role / "vars"
        folder.mkdir(parents=True)
        if packages:
            (folder / "main.yml").write_text(f"__{role}_packages: {packages}\n")
    (tmp_path / "playbooks" / "portal.yml").write_text(
        "- hosts: portal\n  roles:\n    - role: web\n    - bare\n"
        "  tasks:\n    - block:\n        - ansible.builtin.include_role: {name: app}\n"
    )
    (tmp_path / "playbooks" / "lost.yml").write_text("- hosts: lost\n  roles: [absent]\n")
    return tmp_path


def test_union_of_all_roles(tree: Path) -> None:
    assert _lookup(tree, "portal", "stack") == ["curl", "nginx", "python3"]


def test_roles_beside_the_playbooks(tree: Path) -> None:
    assert _lookup(tree, "stack", roles=("app",)) == ["curl", "python3"]


def test_names_of_the_roles_in_their_order(tree: Path) -> None:
    (tree / "playbooks" / "early.yml").write_text("- hosts: early\n  roles: [app]\n")
    lookup_loader.add_directory(str(ROOT / "plugins" / "lookup"))
    plugin = lookup_loader.get("role_packages")
    groups = ["early", "portal"]
    assert plugin.run(groups, variables={}, root=str(tree), names=True) == ["app", "web", "bare"]


def test_group_without_playbook_adds_nothing(tree: Path) -> None:
    assert _lookup(tree, "stack") == []


def test_role_that_does_not_exist_is_named(tree: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="names the role absent"):
        _lookup(tree, "lost")


def test_list_with_something_else_is_named(tree: Path) -> None:
    path = tree / "roles" / "web" / "vars" / "main.yml"
    path.write_text("__web_packages: {a: b}\n")
    with pytest.raises(AnsibleLookupError, match="must be a plain list"):
        _lookup(tree, "portal")


def test_every_role_of_this_repository_declares_its_packages() -> None:
    assert "nginx" in _lookup(ROOT, "portal")


def test_only_installed_packages_count() -> None:
    listing = (
        "installed tzdata 2026a all\nconfig-files nginx 1.26 amd64\ninstalled libc6 2.41 amd64\n"
    )
    assert sorted(ent_host.installed(listing)) == ["libc6", "tzdata"]


def test_release_with_and_without_quotes() -> None:
    assert ent_host.os_release('ID=debian\nVERSION_ID="13"\n') == ("debian", "13")
    assert ent_host.os_release("ID=debian\n") == ("debian", "none")
