"""What a killed run left running is found by its mark, and nothing else is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ent.lab import leftovers
from ent.lab.settings import Lab


def test_only_marked_processes_are_ended() -> None:
    lab, other = Lab("leftover", "10.1.2"), Lab("another", "10.1.3")
    marked = subprocess.Popen(["sleep", "60"], env={**os.environ, **leftovers.mark(lab)})
    unmarked = subprocess.Popen(["sleep", "60"], env={**os.environ, **leftovers.mark(other)})
    try:
        environment = Path(f"/proc/{marked.pid}/environ")
        while not environment.read_bytes():  # not yet exec'ed
            pass
        assert leftovers.find(lab) == [marked.pid]
        leftovers.end(lab)
        assert marked.wait(5) == -9
        assert unmarked.poll() is None
    finally:
        for process in (marked, unmarked):
            process.kill()
            process.wait()
