"""Nothing in the lab runs by the calendar: tests own the clock of what they test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ROOT / "inventories" / "lab" / "group_vars"
LAB = yaml.safe_load((GROUPS / "all" / "ground.yml").read_text())
TEMPLATES = [
    path
    for path in sorted(ROOT.glob("roles/*/templates/**/*.j2"))
    if re.search(r"^OnCalendar=.", path.read_text(), re.MULTILINE)
]


def test_the_roles_with_timers_are_found() -> None:
    found = {path.relative_to(ROOT / "roles").parts[0] for path in TEMPLATES}
    assert {"openldap", "postgresql", "harpege_feed", "annuaire", "portal", "pki"} <= found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_the_day_of_a_timer_is_a_variable_that_the_lab_sets(path: Path) -> None:
    calendars = re.findall(r"^OnCalendar=(.+)", path.read_text(), re.MULTILINE)
    assert calendars
    for calendar in calendars:
        variable = re.match(r"\{\{ (\w+)", calendar)
        assert variable, f"{calendar} is fixed: no lab can put it away"
        if variable[1] != "item":  # of common_calendars
            assert str(LAB[variable[1]]).startswith("{{ lab_calendar_day }}")


def test_debian_s_upgrades_wait_too() -> None:
    assert LAB["lab_calendars"].keys() == {"apt-daily.timer", "apt-daily-upgrade.timer"}
    assert LAB["common_calendars"] == "{{ lab_calendars }}"
    for group in ("sso", "lists"):
        variables = yaml.safe_load((GROUPS / f"{group}.yml").read_text())
        assert variables["common_calendars"].startswith("{{ lab_calendars | combine(")
