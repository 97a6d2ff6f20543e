"""The record of runs and the lock, in the state directory (/var/lib/ent-harpege)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ent.harpege.apply import Outcome
from ent.harpege.messages import Text
from ent.harpege.plan import Plan

#: Records that are kept.
KEPT = 60
RUNNING, DONE, REFUSED, FAILED, STOPPED = "running", "done", "refused", "failed", "stopped"


class Locked(Exception):  # noqa: N818 - says what happened
    """Another run is under way: `holder` is what it wrote about itself."""

    def __init__(self, holder: dict[str, str]) -> None:
        super().__init__("another run is under way")
        self.holder = holder


@dataclass
class Run:
    """One run that may write, as it is kept. Times are UTC, ISO 8601.

    outcome: running, done, refused (nothing was written), failed (source or directory),
        stopped (by a signal). One that is `running` while nobody holds the lock was killed.
    reason: why it was refused or failed; error: in the words of the source or directory.
    counts: people by what happened to them; changes: operations written, found done, failed.
    """

    id: str
    command: str
    started: str
    on: str
    outcome: str = RUNNING
    ended: str = ""
    reason: dict[str, Any] | None = None
    error: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    written: int = 0
    already: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def planned(self, plan: Plan) -> None:
        """Keep what the comparison found."""
        self.counts = dict(plan.counts) | {
            "departures": plan.departures,
            "allowed": plan.allowed,
        }
        self.rows = dict(plan.rows)
        self.rejects = [one.to_json() for one in plan.rejects]
        self.notes = [one.to_json() for one in plan.notes]

    def wrote(self, outcome: Outcome) -> None:
        """Keep what was written."""
        self.written, self.already = outcome.done, outcome.already
        self.failures = [one.to_json() for one in outcome.failures]

    def end(self, outcome: str, reason: Text | None = None, error: str = "") -> None:
        """Say how it ended."""
        self.outcome, self.ended, self.error = outcome, now(), error
        self.reason = reason.to_json() if reason else None

    @property
    def needs_attention(self) -> bool:
        """Whether a person has something to mend."""
        return bool(
            self.rejects or self.failures or self.notes or self.outcome not in (DONE, RUNNING)
        )

    @property
    def has_something_to_say(self) -> bool:
        """Whether it is worth a mail: something changed, or is to be mended."""
        return bool(self.written) or self.needs_attention


class Runs:
    """The state directory."""

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory)

    @contextlib.contextmanager
    def alone(self, command: str) -> Iterator[None]:
        """Hold the lock. Raises Locked, which says who holds it; ends with the process."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Locked(_holder(handle.fileno())) from error
            me = {"pid": str(os.getpid()), "since": now(), "command": command}
            handle.truncate(0)
            handle.write(json.dumps(me))
            handle.flush()
            yield
            handle.truncate(0)

    def holder(self) -> dict[str, str] | None:
        """Who holds the lock, or None."""
        try:
            with (self.path / "lock").open(encoding="utf-8") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _holder(handle.fileno())
        except FileNotFoundError:
            pass
        return None

    def start(self, command: str, on: str) -> Run:
        """A new record, kept from now on. Call it while holding the lock."""
        started = datetime.now(UTC)
        run = Run(
            f"{started:%Y%m%dT%H%M%S.%f}-{os.getpid()}",
            command,
            started.isoformat("T", "seconds"),
            on,
        )
        self.save(run)
        return run

    def save(self, run: Run) -> None:
        """Write a record, whole or not at all; forget the oldest."""
        folder = self.path / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{run.id}"
        partial.write_text(json.dumps(asdict(run), ensure_ascii=False, indent=1), "utf-8")
        partial.chmod(0o640)
        partial.replace(folder / f"{run.id}.json")
        for old in sorted(folder.glob("*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)

    def last(self, number: int) -> list[Run]:
        """The last records, newest first; what cannot be read is left out."""
        found: list[Run] = []
        for path in sorted((self.path / "runs").glob("*.json"), reverse=True):
            if len(found) == number:
                break
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(Run(**json.loads(path.read_text("utf-8"))))
        return found


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat("T", "seconds")


def local(moment: str) -> str:
    """A time of a record as the clock on the wall says it, with its offset."""
    try:
        return datetime.fromisoformat(moment).astimezone().isoformat(" ", "seconds")
    except ValueError:
        return moment


def age(moment: str) -> timedelta:
    """How long ago a time of a record is."""
    return datetime.now(UTC) - datetime.fromisoformat(moment)


def _holder(descriptor: int) -> dict[str, str]:
    try:
        data = json.loads(os.pread(descriptor, 4096, 0))
        return {str(key): str(value) for key, value in data.items()}
    except ValueError:
        return {}
