"""Molecule's scenario step by step, each with its time: the lab's part of `make test`.

As `molecule test` does: the steps of molecule.yml until one fails, then the lab is removed,
whatever came before. The exit status is that of the first step that failed.

Usage: ``python -m ent.lab.scenario [--keep]``
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from . import times
from .phases import say
from .settings import REPOSITORY


def steps(keep: bool) -> list[str]:
    """The steps of the scenario, without the last removal of the lab where it is to be kept."""
    text = (REPOSITORY / "molecule" / "default" / "molecule.yml").read_text()
    sequence: list[str] = yaml.safe_load(text)["scenario"]["test_sequence"]
    return sequence[:-1] if keep else sequence


def play(sequence: list[str], keep: bool) -> int:
    """Run steps until one fails, and the last one in any case unless the lab is kept."""
    status = 0
    for number, step in enumerate(sequence, 1):
        if status and (keep or number < len(sequence)):
            continue
        say(f"==> molecule {step}")
        if log := os.environ.get("ANSIBLE_LOG_PATH"):  # gone with the lab after each removal
            Path(log).parent.mkdir(parents=True, exist_ok=True)
        with times.noted("lab", step) as phase:
            phase.status = subprocess.run(
                ["molecule", step], cwd=REPOSITORY, env=_environment(step), check=False
            ).returncode
        status = status or phase.status
    return status


def _environment(step: str) -> dict[str, str]:
    if step != "verify":
        return dict(os.environ)
    options = [f"--junitxml={times.JUNIT['lab']}", "--override-ini=junit_suite_name=lab"]
    given = os.environ.get("PYTEST_ADDOPTS", "")
    return {**os.environ, "PYTEST_ADDOPTS": f"{given} {shlex.join(options)}".strip()}


def main() -> int:
    """Play the scenario; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave the lab up, to look at it")
    keep = parser.parse_args().keep
    return play(steps(keep), keep)


if __name__ == "__main__":
    sys.exit(main())
