"""The state of units, where check mode finds a host on which nothing is installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from action import systemd_unit
from lab import REPOSITORY

MISSING = {
    "failed": True,
    "msg": "Could not find the requested service nginx: host",
}
ARGUMENTS = {"name": "nginx", "state": "started"}


class Action(systemd_unit.ActionModule):
    """The action, with the answer of the module given."""

    def __init__(self, answer: dict[str, Any], *, check: bool) -> None:
        task = SimpleNamespace(args=ARGUMENTS, check_mode=check, async_val=0)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/not/made"))
        super().__init__(task, connection, *[None] * 4)
        self.answer = answer
        self.called: dict[str, Any] = {}

    def _execute_module(self, **called: Any) -> dict[str, Any]:
        self.called = called
        return dict(self.answer)


def test_a_missing_unit_is_a_change_to_come_in_check_mode() -> None:
    result = Action(MISSING, check=True).run()
    assert result["changed"]
    assert "failed" not in result
    assert "nginx is not there" in result["msg"]


def test_a_missing_unit_is_an_error_in_a_real_run() -> None:
    assert Action(MISSING, check=False).run() == MISSING


@pytest.mark.parametrize("check", [True, False])
def test_everything_else_is_as_the_module_says(check: bool) -> None:
    for answer in ({"changed": False}, {"failed": True, "msg": "Unable to start service nginx"}):
        action = Action(answer, check=check)
        assert action.run(None, {"a": 1}) == answer
        assert action.called["module_name"] == "ansible.builtin.systemd_service"
        assert action.called["module_args"] == ARGUMENTS


def test_every_role_uses_it() -> None:
    """A task that names a unit to the plain module fails in check mode on a bare host."""

    def tasks(found: Any) -> list[dict[str, Any]]:
        inner = [
            tasks(one.get(key)) for one in found or [] for key in ("block", "rescue", "always")
        ]
        return [*(found or []), *(task for some in inner for task in some)]

    plain = [
        f"{file.relative_to(REPOSITORY)}: {task['name']}"
        for kind in ("tasks", "handlers")
        for file in sorted(REPOSITORY.glob(f"roles/*/{kind}/*.yml"))
        for task in tasks(yaml.safe_load(file.read_text()))
        for module in ("systemd_service", "systemd", "service")
        if "name" in task.get(f"ansible.builtin.{module}", {})
    ]
    assert plain == []
