"""How the feed is doing, for people and for monitoring."""

from __future__ import annotations

import enum
import subprocess
from datetime import timedelta
from typing import Any, NamedTuple

from ent.harpege.config import FeedConfig
from ent.harpege.messages import Text, mark, tell
from ent.harpege.runs import DONE, RUNNING, Run, Runs, age, local


class Health(enum.IntEnum):
    """Exit statuses of monitoring plug-ins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Status(NamedTuple):
    """What `ent-harpege status` says.

    runs: newest first. next_run: as systemd says, "" when the timer is not active.
    holder: who is running just now, or None.
    """

    health: Health
    summary: Text
    runs: list[Run]
    next_run: str
    holder: dict[str, str] | None

    @property
    def last(self) -> Run | None:
        """The last run that ended."""
        return next((one for one in self.runs if one.outcome != RUNNING), None)

    def to_json(self) -> dict[str, Any]:
        """For `status --json`."""
        return {
            "health": self.health.name,
            "next_run": self.next_run,
            "running": self.holder,
            "runs": [vars(one) for one in self.runs],
        }


def status(config: FeedConfig, number: int = 10) -> Status:
    """Look at the records, the lock and the timer."""
    runs = Runs(config.state_directory)
    records, holder = runs.last(number), runs.holder()
    health, summary = _judge(records, holder, timedelta(hours=config.overdue))
    return Status(health, summary, records, _next_run(config.timer), holder)


def _judge(
    records: list[Run], holder: dict[str, str] | None, overdue: timedelta
) -> tuple[Health, Text]:
    ended = [one for one in records if one.outcome != RUNNING]
    killed = records[0] if records and records[0].outcome == RUNNING and not holder else None
    done = next((one for one in ended if one.outcome == DONE), None)
    if not records:
        return Health.UNKNOWN, tell(mark("aucun passage n’est enregistré"))
    if killed is not None:
        return Health.CRITICAL, tell(
            mark("le passage commencé le {started} a été tué ; le prochain le finira"),
            started=local(killed.started),
        )
    if ended and ended[0].outcome != DONE:
        return Health.CRITICAL, tell(
            mark("le dernier passage ({started}) n’a pas abouti"), started=local(ended[0].started)
        )
    if done is not None and age(done.started) > overdue:
        return Health.CRITICAL, tell(
            mark("aucun passage réussi depuis le {started}"), started=local(done.started)
        )
    if done is None:
        return Health.UNKNOWN, tell(mark("le premier passage est en cours"))
    if done.needs_attention:
        return Health.WARNING, tell(
            mark("dernier passage {started} ; à corriger : {number}"),
            started=local(done.started),
            number=len(done.rejects) + len(done.failures) + len(done.notes),
        )
    return Health.OK, tell(mark("dernier passage {started}"), started=local(done.started))


def _next_run(timer: str) -> str:
    """When systemd will run the feed again."""
    try:
        shown = subprocess.run(
            ["systemctl", "show", "--property=NextElapseUSecRealtime", "--value", timer],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    value = shown.stdout.strip()
    return "" if value in ("", "n/a", "0") else value
