"""``python -m bench [part ...]``: all parts, or those named."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# What the tests have for talking to services, the measurements use as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

PARTS = ("cas", "feed", "search", "activation", "mail", "imap", "lists", "up")

for part in sys.argv[1:] or PARTS:
    if part not in PARTS:
        sys.exit(f"{part}: no such part; there are {', '.join(PARTS)}")
    importlib.import_module(f"bench.{part}").run()
