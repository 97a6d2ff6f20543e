"""playbooks/site.yml, in which services go side by side."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from loading import ROOT

PLAYBOOKS = ROOT / "playbooks"


def _plays(name: str) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / name).read_text())
    return plays


def _side_by_side() -> list[dict[str, Any]]:
    return [play for play in _plays("site.yml") if "strategy" in play]


def test_every_service_of_the_inventory_is_there_once() -> None:
    groups = [group for play in _side_by_side() for group in play["hosts"].split(":")]
    for play in _plays("site.yml"):
        imported = play.get("ansible.builtin.import_playbook", "ground.yml")
        groups += [] if imported == "ground.yml" else [imported.removesuffix(".yml")]
    inventory = yaml.safe_load((ROOT / "inventories/stack/hosts.yml").read_text())
    children = inventory["all"]["children"]
    wanted = [group for part in ("stack", "lab") for group in children[part]["children"]]
    assert sorted(groups) == sorted(wanted)


def test_each_play_goes_through_the_groups_that_it_names() -> None:
    for play in _side_by_side():
        assert play["vars"]["__groups"] == play["hosts"].split(":")


def test_playbook_of_a_service_has_nothing_that_the_site_would_leave_out() -> None:
    for play in _side_by_side():
        for group in play["hosts"].split(":"):
            (own,) = _plays(f"{group}.yml")
            assert set(own) == {"name", "hosts", "gather_facts", "roles"}, group
            assert all(set(role) == {"role"} for role in own["roles"]), group


def test_no_two_roles_have_a_handler_of_the_same_name() -> None:
    # in one play, a notification goes to one of them only
    names: Counter[str] = Counter()
    for path in (ROOT / "roles").glob("*/handlers/main.yml"):
        names.update({handler["name"] for handler in yaml.safe_load(path.read_text())})
    assert [name for name, count in names.items() if count > 1] == []
