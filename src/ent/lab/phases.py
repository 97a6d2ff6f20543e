"""Progress by phase, with times, on the terminal; details in log files."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .settings import LabError

_lock = threading.Lock()
_start = time.monotonic()


def say(text: str) -> None:
    """Print one line, whole, also from several threads."""
    with _lock:
        print(text, flush=True)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Announce a phase, and say how long it took (seconds)."""
    say(f"==> {name}")
    start = time.monotonic()
    yield
    now = time.monotonic()
    say(f"    {name}: {now - start:.1f} s (total {now - _start:.0f} s)")


def logged(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command with its output in a file.

    Raises:
        LabError: it failed; the message has the command and the last lines.

    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, check=False
        ).returncode
    if code:
        last = log.read_text(errors="replace").splitlines()[-15:]
        raise LabError(
            f"This failed with exit status {code}: {' '.join(command)}\n"
            + "\n".join(f"    {line}" for line in last)
            + f"\nThe whole output is in {log}. Mend the cause, then run the same make again."
        )


def in_parallel(*jobs: tuple[str, object]) -> None:
    """Run (name, callable) jobs side by side; raise the first error when all ended."""
    errors: list[BaseException] = []

    def run(name: str, job: object) -> None:
        try:
            with phase(name):
                job()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def fail(error: LabError) -> int:
    """Print what a person has to mend; the exit status for it."""
    sys.stdout.flush()
    print(f"\nent: {error}", file=sys.stderr, flush=True)
    return 1
