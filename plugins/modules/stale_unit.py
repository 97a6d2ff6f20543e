#!/usr/bin/python
"""Ansible module: is a running unit older than its files?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stale_unit
short_description: tell whether a running unit is older than its files
description:
  - A run that is killed between a change and its handler leaves the old settings at work, and the
    next run sees nothing to change. This task compares, so that it can notify the handler again.
  - Reports C(changed) when the unit is active and has neither started nor reloaded since the newest
    of the files was written. Changes nothing itself.
options:
  unit:
    description: Unit to look at, such as C(nginx.service).
    type: str
    required: true
  files:
    description: Files, or folders with all that is in them. What is not there is passed over.
    type: list
    elements: path
    required: true
attributes:
  check_mode:
    support: full
"""

EXAMPLES = """
- name: See whether nginx runs with its present settings
  stale_unit:
    unit: nginx.service
    files: [/etc/nginx]
  notify: nginx config changed
"""

RETURN = """
newer:
  description: Files that are newer than the unit's last start or reload.
  type: list
  returned: always
"""


def parse(timestamp: str) -> float | None:
    """Seconds since the epoch of systemctl's us+utc form; None when the unit never ran."""
    if not timestamp:
        return None
    _day, date, time, _utc = timestamp.split(" ")
    # timezone.utc, not datetime.UTC: the host's Python may be older than the controller's
    moment = datetime.fromisoformat(f"{date} {time}").replace(tzinfo=timezone.utc)  # noqa: UP017
    return moment.timestamp()


def walk(paths: Iterable[str]) -> Iterator[str]:
    """The paths that exist, and everything in those that are folders."""
    for path in paths:
        if os.path.lexists(path):
            yield path
        for folder, folders, files in os.walk(path):
            for name in [*folders, *files]:
                yield os.path.join(folder, name)  # noqa: PTH118


def newer(paths: Iterable[str], since: float) -> list[str]:
    """Paths that were written, or whose target was, after a moment."""
    found = []
    for path in walk(paths):
        written = os.lstat(path).st_mtime
        if os.path.exists(path):  # noqa: PTH110
            written = max(written, os.path.getmtime(path))  # noqa: PTH204
        if written > since:
            found.append(path)
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "required": True},
        },
        supports_check_mode=True,
    )
    command = ["systemctl", "show", "--timestamp=us+utc", "--value"]
    command += ["--property=ActiveState", "--property=StateChangeTimestamp", module.params["unit"]]
    _code, output, _errors = module.run_command(command, check_rc=True)
    state, _, timestamp = output.strip().partition("\n")
    since = parse(timestamp.strip())
    found = newer(module.params["files"], since) if state == "active" and since else []
    module.exit_json(changed=bool(found), newer=found)


if __name__ == "__main__":
    main()
