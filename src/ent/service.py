"""What programs that systemd runs have in common: command line, log, readiness, end."""

import argparse
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

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


def stopped_by(stop: Callable[[], None]) -> None:
    """Call this when systemd, or somebody at a terminal, wants the program to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def command_line(
    program: str, description: str | None, settings: Path
) -> tuple[argparse.ArgumentParser, "argparse._SubParsersAction[argparse.ArgumentParser]"]:
    """The options and commands that a worker which follows people has, and where to add more.

    program: its name. description: what --help says, commands included. settings: its file.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", type=Path, default=settings, help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="work until stopped")
    status = commands.add_parser("status", help="what was moved and who waits, as JSON lines")
    status.add_argument("login", nargs="*")
    one_pass = commands.add_parser("pass", help="look at people now")
    one_pass.add_argument("login", nargs="+")
    check = commands.add_parser("check-settings", help="check a settings file")
    check.add_argument("file", type=Path)
    return parser, commands
