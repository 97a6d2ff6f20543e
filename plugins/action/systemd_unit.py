"""Ansible action: the state of a systemd unit, also where check mode has not installed it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

DOCUMENTATION = """
action: systemd_unit
short_description: ansible.builtin.systemd_service that passes a bare host in check mode
description:
  - Takes the options of M(ansible.builtin.systemd_service) and returns what it returns.
  - That module fails on a unit that does not exist. In check mode on a bare host nothing was
    installed or written before, so that no unit exists; such a task reports C(changed) instead, as
    the real run would. Without check mode a missing unit is an error.
attributes:
  check_mode:
    support: full
"""

EXAMPLES = """
- name: Run nginx
  systemd_unit:
    name: nginx
    enabled: true
    state: started
"""

_MISSING = "Could not find the requested service"


class ActionModule(ActionBase):
    """The action."""

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        """Run the module on the host; a missing unit in check mode is a change to come."""
        super().run(tmp, task_vars)
        result: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.systemd_service",
            module_args=self._task.args,
            task_vars=task_vars,
        )
        if self._task.check_mode and str(result.get("msg", "")).startswith(_MISSING):
            unit = self._task.args["name"]
            return {"changed": True, "msg": f"{unit} is not there before a real run", "status": {}}
        return result
