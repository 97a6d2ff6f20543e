"""Delays, locks and what a settings file may say about them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ent.annuaire.limits.config import LimitsConfig
from ent.annuaire.limits.rules import ACCOUNT, NETWORK, Rule
from ent.web.config import ConfigError, load

RULE = Rule(free=2, first_delay=10, longest_delay=60, lock_after=8, forget_after=600)


def test_delays_grow_and_end() -> None:
    seconds = [RULE.delay_after(failures).total_seconds() for failures in range(9)]
    assert seconds == [0, 0, 0, 10, 20, 40, 60, 60, 60]
    assert RULE.delay_after(10**9) == timedelta(seconds=60)


def test_a_lock_after_so_many() -> None:
    assert [RULE.locks_after(failures) for failures in (0, 7, 8, 9)] == [False, False, True, True]
    assert not NETWORK.locks_after(10**9)


def test_a_guesser_of_dates_gets_nowhere() -> None:
    """With the code known, 25,000 days of birth are to be tried; ten are heard."""
    assert ACCOUNT.lock_after <= 10
    spread = sum((ACCOUNT.delay_after(number) for number in range(10)), timedelta())
    assert spread > timedelta(minutes=30)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"free": -1}, "free is -1"),
        ({"first_delay": 0}, "first_delay is 0"),
        ({"longest_delay": 5}, "longest_delay is 5, expected at least first_delay, 10"),
        ({"forget_after": 59}, "a count must outlive its delay"),
        ({"lock_after": 2}, "lock_after is 2, expected more than free, 2"),
    ],
)
def test_a_rule_that_makes_no_sense(change: dict[str, int], said: str) -> None:
    values = {name: getattr(RULE, name) for name in Rule.__dataclass_fields__}
    with pytest.raises(ValueError, match=said):
        Rule(**(values | change))


def write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "limits.json"
    path.write_text(json.dumps(content))
    return path


def test_a_settings_file(tmp_path: Path) -> None:
    account = {name: getattr(RULE, name) for name in Rule.__dataclass_fields__}
    read = load(write(tmp_path, {"account": account, "exempt": ["192.0.2.0/24"]}), LimitsConfig)
    assert read.account == RULE
    assert read.network == NETWORK
    assert read.exempts("192.0.2.200")
    for other in ("192.0.3.1", "2001:db8::1", "", "*"):
        assert not read.exempts(other)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"exempt": ["192.0.2.1/24"]}, "192.0.2.1/24"),
        ({"exempt": ["campus"]}, "campus"),
        (
            {
                "network": {
                    "free": 1,
                    "first_delay": 1,
                    "longest_delay": 1,
                    "lock_after": 5,
                    "forget_after": 1,
                }
            },
            "belongs to nobody",
        ),
        ({"acount": {}}, "acount is not a setting"),
    ],
)
def test_a_settings_file_that_makes_no_sense(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(write(tmp_path, content), LimitsConfig)
