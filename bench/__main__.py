"""``python -m bench [part ...]``: all parts, or those named."""

from __future__ import annotations

import importlib
import sys

PARTS = ("cas", "feed", "search", "activation", "mail", "imap", "up")

for part in sys.argv[1:] or PARTS:
    if part not in PARTS:
        sys.exit(f"{part}: no such part; there are {', '.join(PARTS)}")
    importlib.import_module(f"bench.{part}").run()
