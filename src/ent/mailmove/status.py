"""What others may know about a person's move: one small JSON file per login.

    {"state": "moving", "total": 1200, "copied": 350, "updated": "2026-11-23T08:30:00Z",
     "kept_until": null}

state: ``waiting`` (soon), ``moving``, ``done`` (everything is in the new mailbox), ``full`` (it
does not fit there; it goes on when there is room), ``delayed`` (tried again by itself).
total, copied: messages, as far as known. kept_until: when the originals are removed from the legacy
server, once it is done. No file: there was nothing to move. No content, no sender, no address.
"""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

STATES = ("waiting", "moving", "done", "full", "delayed")


class Statuses:
    """The folder of the files, which a web server gives to those who may ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self,
        uid: str,
        state: str,
        *,
        total: int = 0,
        copied: int = 0,
        kept_until: float | None = None,
    ) -> None:
        """Replace a person's file."""
        if state not in STATES:
            raise ValueError(f"state is {state!r}, expected one of {', '.join(STATES)}")
        text = json.dumps(
            {
                "state": state,
                "total": total,
                "copied": copied,
                "updated": _moment(datetime.now(UTC)),
                "kept_until": kept_until and _moment(datetime.fromtimestamp(kept_until, UTC)),
            }
        )
        path = self._path(uid)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text + "\n")
        partial.replace(path)

    def read(self, uid: str) -> dict[str, object] | None:
        """What a person's file says; None when there is none."""
        with suppress(OSError, ValueError):
            found = json.loads(self._path(uid).read_text())
            return found if isinstance(found, dict) else None
        return None

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
