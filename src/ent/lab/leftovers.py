"""Processes that a killed run left behind.

Ansible's workers have sessions of their own and outlive their parent when that
is killed. They carry a mark in their environment, by which the next command on
the same lab finds and ends them.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .settings import Lab, LabError

_VARIABLE = "ENT_RUN"
_HOLDER = "ENT_RUN_HOLDER"
_SECONDS = 10


def mark(lab: Lab) -> dict[str, str]:
    """Environment of processes that work on this lab, for this one, which holds its lock."""
    return {_VARIABLE: str(lab.state), _HOLDER: str(os.getpid())}


def take_off(lab: Lab) -> str:
    """Take the mark off what this process starts, such as an engine, which outlives it.

    Returns:
        number of the process that holds the lock and started this one under it, or nothing.

    """
    if os.environ.get(_VARIABLE) != str(lab.state):
        return ""
    del os.environ[_VARIABLE]
    return os.environ.pop(_HOLDER, "?")


def find(lab: Lab) -> list[int]:
    """Processes of this user with this lab's mark, other than this one."""
    wanted = f"{_VARIABLE}={lab.state}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            marked = wanted in path.read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or somebody else's
            continue
        pid = int(path.parent.name)
        if marked and pid != os.getpid():
            found.append(pid)
    return found


def end(lab: Lab) -> None:
    """End the processes of an earlier run; call it only while holding the lab's lock.

    Raises:
        LabError: one does not end.

    """
    deadline = time.monotonic() + _SECONDS
    while pids := find(lab):
        if time.monotonic() > deadline:
            raise LabError(f"processes {pids} of an earlier run do not end; end them and try again")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
