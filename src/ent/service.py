"""What programs that systemd runs have in common: how they log, and how they say they are ready."""

import logging
import os
import socket

# journald's priorities, which it takes from the beginning of a line
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class _Journal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 3)}>" if "JOURNAL_STREAM" in os.environ else ""
        return prefix + super().format(record).replace("\n", f"\n{prefix}")


def log() -> None:
    """Log to standard error, with priorities where that is the journal."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Journal("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def ready() -> None:
    """Tell systemd, which started us as Type=notify, that the work begins."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + path[1:] if path.startswith("@") else path)
            notify.send(b"READY=1")
