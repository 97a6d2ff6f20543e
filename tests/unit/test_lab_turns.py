"""One command at a time changes a lab; what is inside of it goes on, what is left of it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ent.lab import leftovers, settings, turns
from ent.lab.settings import Lab, LabError

LAB = Lab("turns", "10.1.2")
_SOURCE = str(Path(__file__).resolve().parents[2] / "src")
_SETUP = f"""
import os, sys, pathlib
sys.path.insert(0, {_SOURCE!r})
from ent.lab import leftovers, settings, turns
settings.REPOSITORY = pathlib.Path(sys.argv[1])
lab = settings.Lab("turns", "10.1.2")
"""
# A command that holds the lock and runs the rest of its arguments.
_RUN = (
    _SETUP
    + """
with turns.only_one(lab):
    code = turns.run(lab, sys.argv[2:], os.environ)
print("ended with", code)
"""
)
# A command inside of it, which removes the lab's folder as Molecule's destroy does.
_INSIDE = (
    _SETUP
    + """
with turns.only_one(lab) as inside:
    turns.forget(lab, inside)
print("inside", inside, sorted(path.name for path in lab.state.iterdir()))
"""
)
_SLEEP = "import time; print('begun', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A clone without any lab; nothing marked is left after the test."""
    monkeypatch.setattr(settings, "REPOSITORY", tmp_path)
    yield tmp_path
    leftovers.end(LAB)


def _python(program: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


def _begun(command: list[str]) -> subprocess.Popen[str]:
    """Start it, and wait until its innermost process says that it has begun."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_command_inside_goes_on_and_leaves_its_parents_and_their_lock(repository: Path) -> None:
    (LAB.state / "log").mkdir(parents=True)
    (LAB.state / "prefix").touch()
    result = subprocess.run(
        _python(_RUN, repository, *_python(_INSIDE, repository)),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert result.stdout == "inside True ['lock']\nended with 0\n"
    assert not LAB.state.exists()


def test_meanwhile_another_command_is_refused_and_told_who_is_at_it(repository: Path) -> None:
    process = _begun(_python(_RUN, repository, *_python(_SLEEP)))
    try:
        with pytest.raises(LabError, match=f"changed by process {process.pid} "):
            turns.only_one(LAB).__enter__()
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_the_next_command_ends_what_a_killed_one_left(repository: Path) -> None:
    process = _begun(_python(_RUN, repository, *_python(_SLEEP)))
    process.kill()
    process.wait()
    assert len(leftovers.find(LAB)) == 1
    with turns.only_one(LAB) as inside:
        assert not inside
        assert leftovers.find(LAB) == []


def test_what_is_left_of_a_killed_command_may_change_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in leftovers.mark(LAB).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LabError, match=f"belongs to process {os.getpid()}, which has ended"):
        turns.only_one(LAB).__enter__()


def test_a_run_ends_with_its_make(repository: Path) -> None:
    make = repository / "make"
    make.symlink_to("/bin/sh")
    command = _python(_RUN, repository, *_python(_SLEEP))
    process = _begun([str(make), "-c", '"$@"; :', "make", *command])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Everything that had the pipe has ended; without an end of its own that takes a minute.
    assert process.stdout is not None
    assert process.stdout.read() == ""
    assert leftovers.find(LAB) == []
    with turns.only_one(LAB) as inside:
        assert not inside


def test_the_exit_status_is_the_command_s(repository: Path) -> None:
    assert turns.run(LAB, ["sh", "-c", "exit 3"], os.environ) == 3


def test_a_removed_lab_leaves_no_folder() -> None:
    with turns.only_one(LAB) as inside:
        (LAB.state / "secrets").mkdir()
        turns.forget(LAB, inside)
    assert not LAB.state.exists()


def test_the_engine_that_a_command_starts_carries_no_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in leftovers.mark(LAB).items():
        monkeypatch.setenv(name, value)
    assert leftovers.take_off(LAB) == str(os.getpid())
    assert not leftovers.mark(LAB).keys() & os.environ.keys()
    assert leftovers.take_off(LAB) == ""
