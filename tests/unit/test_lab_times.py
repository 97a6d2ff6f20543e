"""The table of `make test`: every phase with its time, and which failed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ent.lab import scenario, times
from ent.lab.times import Phase


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes of their own."""
    monkeypatch.setattr(times, "NOTES", tmp_path / "phases.jsonl")
    monkeypatch.setattr(times, "TOX", tmp_path / "tox.json")


def test_the_table_names_phases_times_and_what_failed() -> None:
    phases = [
        Phase("environment", "ready", 12.34, 0),
        Phase("lint", "ruff check", 0.4, 0),
        Phase("lint", "mypy", 149.6, 0),
        Phase("lab", "converge", 482, 0),
        Phase("lab", "verify", 59.99, 1),
        Phase("lab", "destroy", 20, None),
    ]
    assert times.table(phases, 3661).splitlines() == [
        "environment               12.3 s",
        "lint                  2 min 30 s",
        "  ruff check               0.4 s",
        "  mypy                2 min 30 s",
        "lab                   9 min 22 s  FAILED (exit status 1)",
        "  converge            8 min 02 s",
        "  verify              1 min 00 s  FAILED (exit status 1)",
        "  destroy                 20.0 s  FAILED (did not end)",
        "whole                61 min 01 s",
        "failed: lab verify, lab destroy",
    ]


def test_notes_and_what_tox_tells_make_one_list() -> None:
    def command(*words: str) -> dict[str, Any]:
        return {"command": words, "elapsed": 1.0, "retcode": 0}

    tox = {
        "testenvs": {
            "lab": {"test": [command("/x/.venv/bin/python", "-m", "ent.lab", "run")]},
            "unit": {"test": [command("/x/.venv/bin/pytest", "tests/unit")]},
            "lint": {
                "test": [
                    command("/x/ruff", "check", "."),
                    command("/x/ansible-lint", "--strict"),
                    command("/x/.venv/bin/python", "tools/docs.py", "--check"),
                ]
            },
        }
    }
    notes = [Phase("environment", "ready", 1, 0), Phase("lab", "create", 1, 0)]
    assert [(phase.part, phase.name) for phase in times.together(notes, tox)] == [
        ("environment", "ready"),
        ("lint", "ruff check"),
        ("lint", "ansible-lint"),
        ("lint", "tools/docs.py"),
        ("unit", "pytest"),
        ("lab", "create"),
    ]
    assert times.together([], {}) == []


def test_a_phase_that_breaks_off_is_noted_as_such() -> None:
    with pytest.raises(KeyboardInterrupt), times.noted("lab", "verify"):
        raise KeyboardInterrupt
    with times.noted("lab", "destroy") as phase:
        phase.status = 0
    assert [(found.name, found.status) for found in times.found()] == [
        ("verify", None),
        ("destroy", 0),
    ]


def _played(
    monkeypatch: pytest.MonkeyPatch, keep: bool, **failures: int
) -> tuple[int, list[str], dict[str, str]]:
    """Play the scenario with a Molecule of which some steps fail: status, steps, options."""
    done, options = [], {}

    def molecule(command: list[str], **settings: Any) -> subprocess.CompletedProcess[bytes]:
        step = command[1]
        done.append(step)
        options[step] = settings["env"].get("PYTEST_ADDOPTS", "")
        return subprocess.CompletedProcess(command, failures.get(step, 0))

    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("ANSIBLE_LOG_PATH", raising=False)
    monkeypatch.setattr(scenario.subprocess, "run", molecule)
    return scenario.play(scenario.steps(keep), keep), done, options


def test_the_steps_are_those_of_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    status, done, options = _played(monkeypatch, keep=False)
    assert status == 0
    assert done == scenario.steps(False)
    assert done[0] == done[-1] == "destroy"
    assert "report/lab.xml" in options.pop("verify")
    assert not any(options.values())


def test_after_a_failure_only_the_lab_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    status, done, _ = _played(monkeypatch, keep=False, converge=2)
    assert (status, done) == (2, ["destroy", "create", "prepare", "converge", "destroy"])
    assert [phase.status for phase in times.found()] == [0, 0, 0, 2, 0]


def test_a_lab_that_is_kept_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    status, done, _ = _played(monkeypatch, keep=True, verify=1)
    assert (status, done[-1]) == (1, "verify")
    status, done, _ = _played(monkeypatch, keep=True, converge=4)
    assert (status, done[-1]) == (4, "converge")
