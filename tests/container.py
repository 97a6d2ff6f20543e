"""Commands in a container of the lab, without a `docker exec` for each.

One takes about 90 ms, and the tests run thousands. Here it starts a small program in the
container, which then runs what it is told, one command after the other.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

# Answers with a line [status, bytes of output, bytes of errors], then both.
_PROGRAM = """
import json, subprocess, sys
for line in sys.stdin.buffer:
    done = subprocess.run(
        ["/bin/sh", "-c", json.loads(line)],
        stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True,
    )
    head = json.dumps([done.returncode, len(done.stdout), len(done.stderr)]).encode()
    sys.stdout.buffer.write(head + b"\\n" + done.stdout + done.stderr)
    sys.stdout.buffer.flush()
"""


class _Runner:
    """The program in one container. For one caller at a time."""

    def __init__(self, container: str) -> None:
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", container, "python3", "-IS", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the tests, which then say what to do
        )
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout

    @property
    def there(self) -> bool:
        """Whether it is still running; not after its container was stopped."""
        return self._process.poll() is None

    def run(self, command: str) -> tuple[int, bytes, bytes]:
        """Exit status (128 and the signal's number, if one ended it), output and errors.

        Raises:
            RuntimeError: no answer; docker has said why.
        """
        try:
            self._to.write(json.dumps(command).encode() + b"\n")
            self._to.flush()
            status, *lengths = json.loads(self._from.readline())
        except (OSError, ValueError) as error:
            raise RuntimeError(f"docker exec ended while it ran {command!r}") from error
        output, errors = (self._from.read(length) for length in lengths)
        return status if status >= 0 else 128 - status, output, errors


class Container(BaseBackend):
    """A container as Testinfra's view of a host. Threads may share it."""

    NAME = "container"

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[_Runner] = []
        super().__init__(name)

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Run a shell command as root; ``%s`` are quoted arguments."""
        command = self.get_command(command, *args)
        try:
            runner = self._idle.pop()
        except IndexError:
            runner = _Runner(self._name)
        if not runner.there:
            runner = _Runner(self._name)
        status, output, errors = runner.run(command)
        self._idle.append(runner)
        return self.result(status, command.encode(), output, errors)
