"""JSON log lines for the journal; short lines on a terminal."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, and what came in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def start(*, verbose: bool, as_json: bool = False) -> None:
    """Log to standard error: JSON unless it is a terminal, where only warnings are of use."""
    handler = logging.StreamHandler(sys.stderr)
    terminal = sys.stderr.isatty() and not as_json
    if not terminal:
        handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("ent")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO if verbose or not terminal else logging.WARNING)
