"""One command at a time changes a lab, and what it starts ends with it.

A command that changes a lab holds the lab's lock. What it starts carries a mark
(:mod:`.leftovers`) with the number of the holder: so a command inside of it, such as the
removal of the lab that Molecule asks for, goes on under the same lock, and neither waits
for the commands above it nor ends them.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from . import leftovers, settings
from .settings import Lab, LabError


@contextmanager
def only_one(lab: Lab) -> Iterator[bool]:
    """Hold the lab's lock; what a killed command left running is ended first.

    Yields:
        whether this is inside of a command that holds the lock, and goes on holding it.

    Raises:
        LabError: another command holds it, or the one that this belongs to has ended.

    """
    lab.state.mkdir(parents=True, exist_ok=True)
    above = leftovers.take_off(lab)
    lock, holder = _take(lab)
    with lock:
        if above:
            if holder != above:
                raise LabError(
                    f"this belongs to process {above}, which has ended. Start the make anew."
                )
            yield True
            return
        if holder:
            lock.seek(0)
            raise LabError(
                f"Lab {lab.name!r} is being changed by process {lock.read().strip()}. "
                "Wait until it has ended, or use another lab: make up LAB=name"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()} ({' '.join(sys.argv[1:])})\n")
        lock.flush()
        leftovers.end(lab)
        try:
            yield False
        finally:
            if lab.state.exists() and [path.name for path in lab.state.iterdir()] == ["lock"]:
                forget(lab, inside=False)  # a command inside removed the rest


def _take(lab: Lab) -> tuple[IO[str], str]:
    """The lab's lock file, locked unless another process has it: then with that one's number."""
    path = lab.state / "lock"
    while True:
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return lock, lock.read().partition(" ")[0] or "?"
        # Not the file of a lab that was removed between the two lines above.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
            return lock, ""
        lock.close()
        lab.state.mkdir(parents=True, exist_ok=True)


def forget(lab: Lab, inside: bool) -> None:
    """Remove the lab's folder; inside of another command all but the lock that it holds."""
    for path in lab.state.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not (inside and path.name == "lock"):
            path.unlink()
    if not inside:
        lab.state.rmdir()


def run(lab: Lab, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command that works on the lab, marked; its exit status. Call it under the lock.

    It ends, too, when the make is killed under which this process runs, or a process between
    the two: a run of which nobody sees the end is of no use, and would hold the lock.

    Raises:
        LabError: the make was killed.

    """
    above = _up_to_make()
    with subprocess.Popen(
        command, cwd=settings.REPOSITORY, env={**environment, **leftovers.mark(lab)}
    ) as child:
        try:
            if child.pid in _first_to_end([child.pid, *above]):
                return child.wait()
            raise LabError("the make that this belongs to was killed; so this ends, too")
        except BaseException:
            child.kill()
            leftovers.end(lab)
            raise


def _first_to_end(processes: Sequence[int]) -> set[int]:
    """Wait for the end of one or more of these processes."""
    poll = select.poll()
    waiting = {}
    try:
        for pid in processes:
            descriptor = os.pidfd_open(pid)
            waiting[descriptor] = pid
            poll.register(descriptor, select.POLLIN)
        return {waiting[descriptor] for descriptor, _ in poll.poll()}
    except ProcessLookupError:  # a parent ended just now
        return set()
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def _up_to_make() -> list[int]:
    """Processes above this one, up to the next make; none when it runs under no make."""
    found = []
    pid = os.getppid()
    while pid > 1:
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:  # ended meanwhile
            return []
        name = status[status.index("(") + 1 : status.rindex(")")]
        found.append(pid)
        if name in ("make", "gmake"):
            return found
        pid = int(status[status.rindex(")") + 1 :].split()[1])
    return []
