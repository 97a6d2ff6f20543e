"""Sympa's own operation, through a helper that runs as Sympa (ent-listmove-sympa).

The helper loads Sympa's modules once; it is started by systemd for each connection to its socket,
and reads and answers one JSON object a line. Whatever is wrong with it, the connection ends, and
the next one has a new helper.
"""

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import Any


class SympaUnavailable(Exception):  # noqa: N818
    """The helper is away, or was lost. It may have done all, part or nothing of what was asked."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that the helper found still there under the old address, and why."""

    address: str
    list: str
    role: str
    reason: str
    detail: str = ""


class Sympa:
    """Moves addresses, one after the other.

    path: the helper's socket. timeout: seconds to wait for an answer; the first one includes
        the start of the helper.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._answers: Any = None

    def move(self, old: str, new: str) -> list[Left]:
        """Have what is held under `old`, as it is written, held under `new`.

        Raises SympaUnavailable.
        """
        # one that was idle may be gone: ended to make room for a new release of Sympa
        fresh = self._socket is None
        try:
            return self._ask(old, new)
        except SympaUnavailable:
            if fresh:
                raise
        return self._ask(old, new)

    def begin(self) -> None:
        """Have a helper started, if there is none: the next move does not wait for its start."""
        try:
            self._connect()
        except OSError as error:
            self.close()
            raise SympaUnavailable(f"Sympa's helper at {self._path}: {error}") from error

    def close(self) -> None:
        """End the helper."""
        opened, self._socket, self._answers = self._socket, None, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

    def _ask(self, old: str, new: str) -> list[Left]:
        try:
            answer = self._dialogue({"old": old, "new": new})
            if "error" in answer:
                raise SympaUnavailable(f"Sympa: {answer['error']}")
            return [Left(**one) for one in answer["left"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise SympaUnavailable(f"Sympa's helper at {self._path}: {error}") from error
        except SympaUnavailable:
            self.close()
            raise

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._path)
            self._answers = self._socket.makefile("rb")
        return self._socket

    def _dialogue(self, question: dict[str, str]) -> dict[str, Any]:
        self._connect().sendall(json.dumps(question).encode() + b"\n")
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise OSError("it ended; its journal (ent-listmove-sympa@*) says why")
        answer = json.loads(line)
        if not isinstance(answer, dict):
            raise ValueError(f"not an answer: {line[:100]!r}")
        return answer
