"""Time of each play and of the whole run, and the sum of what changed."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: phases
type: aggregate
short_description: progress by phase, with times
description:
  - Prints after each play how many seconds it took, and at the end the total
    and the number of changes, so that a second run is seen to change nothing.
requirements:
  - enabled in ansible.cfg
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Prints ``PLAY: seconds`` lines; monotonic clock."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._begin = self._play_begin = time.monotonic()
        self._play = ""

    def _end_play(self) -> None:
        now = time.monotonic()
        if self._play:
            seconds, total = now - self._play_begin, now - self._begin
            self._display.display(f"    {self._play}: {seconds:.1f} s (total {total:.0f} s)")
        self._play_begin = now

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins, so the one before has ended."""
        self._end_play()
        self._play = play.get_name().strip()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run has ended."""
        self._end_play()
        self._play = ""
        changed = sum(stats.summarize(host)["changed"] for host in stats.processed)
        self._display.display(
            f"    whole run: {time.monotonic() - self._begin:.1f} s, changed={changed}"
        )
