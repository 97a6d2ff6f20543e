"""What the phases of `make test` took: noted by whoever runs one, printed as a table at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from .settings import REPOSITORY

REPORTS = REPOSITORY / ".cache" / "report"
NOTES = REPORTS / "phases.jsonl"
TOX = REPORTS / "tox.json"
# part → JUnit XML of its tests
JUNIT = {part: REPORTS / f"{part}.xml" for part in ("unit", "lab")}

_PYTHON = "python"


@dataclass
class Phase:
    """One phase of one part.

    Attributes:
        seconds: how long it took.
        status: exit status; None for one that was not seen to end.

    """

    part: str
    name: str
    seconds: float = 0.0
    status: int | None = field(default=None)


def forget() -> None:
    """Remove what an earlier run left, so that nobody takes it for this one's."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    for path in (NOTES, TOX, *JUNIT.values()):
        path.unlink(missing_ok=True)


@contextmanager
def noted(part: str, name: str) -> Iterator[Phase]:
    """Note a phase when it ends; the body sets its status, an exception leaves it without one."""
    phase = Phase(part, name)
    start = time.monotonic()
    try:
        yield phase
    finally:
        phase.seconds = time.monotonic() - start
        NOTES.parent.mkdir(parents=True, exist_ok=True)
        with NOTES.open("a") as notes:
            notes.write(json.dumps(asdict(phase)) + "\n")


def found() -> list[Phase]:
    """The phases of this run, in reading order, from the notes and from what tox tells."""
    notes = (
        [Phase(**json.loads(line)) for line in NOTES.read_text().splitlines()]
        if NOTES.exists()
        else []
    )
    told = json.loads(TOX.read_text()) if TOX.exists() else {}
    return together(notes, told)


def together(notes: list[Phase], tox: dict[str, Any]) -> list[Phase]:
    """Notes, and the commands of those of tox's environments of which nothing was noted."""
    parts = {phase.part for phase in notes}
    commands = [
        Phase(part, command_name(test["command"]), test["elapsed"], test["retcode"])
        for part, environment in tox.get("testenvs", {}).items()
        if part not in parts
        for test in environment.get("test", ())
    ]
    order = ("environment", "lint", "unit", "lab")
    return sorted(
        notes + commands,
        key=lambda phase: order.index(phase.part) if phase.part in order else len(order),
    )


def command_name(command: list[str]) -> str:
    """What a person calls a command: the program, or the script, and its subcommand."""
    words = [Path(command[0]).name, *command[1:]]
    if words[0].startswith(_PYTHON) and len(words) > 1:
        words = words[1:]
    return " ".join(word for i, word in enumerate(words[:2]) if i == 0 or word.isalpha())


def table(phases: Iterable[Phase], whole: float) -> str:
    """The table of a run that took so many seconds; last, which phases failed."""
    rows, failed = [], []
    for part, group in groupby(phases, key=lambda phase: phase.part):
        members = list(group)
        faults = [phase for phase in members if phase.status != 0]
        failed += [f"{part} {phase.name}" for phase in faults]
        rows.append(_row(part, sum(phase.seconds for phase in members), faults))
        if len(members) > 1:
            rows += [
                _row(f"  {phase.name}", phase.seconds, [phase] if phase in faults else [])
                for phase in members
            ]
    rows.append(_row("whole", whole, []))
    if failed:
        rows.append(f"failed: {', '.join(failed)}")
    return "\n".join(rows)


def _row(name: str, seconds: float, faults: list[Phase]) -> str:
    verdict = ""
    if faults:
        status = faults[0].status
        verdict = f"  FAILED ({'did not end' if status is None else f'exit status {status}'})"
    return f"{name:<20} {_clock(seconds):>11}{verdict}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
