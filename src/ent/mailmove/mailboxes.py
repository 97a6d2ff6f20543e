"""A mailbox over IMAP, as far as a move needs it.

Names of folders stay as the server writes them (modified UTF-7): both servers are
Dovecot with the same separator, so that none has to be understood.
"""

import contextlib
import imaplib
import re
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ent.mailmove.settings import Target

# RFC 6154. Folders with the same use are the same folder, whatever their names.
_USES = frozenset({"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"})
_LIST = re.compile(rb'\(([^)]*)\) (?:"(?:\\.|[^"\\])*"|NIL) (.*)', re.S)
_ATOM = rb'(?:"(?:\\.|[^"\\])*"|[^\s()]+)'
_FETCH = {
    "uid": re.compile(rb"\bUID (\d+)"),
    "guid": re.compile(rb"\bX-GUID (" + _ATOM + rb")"),
    "flags": re.compile(rb"\bFLAGS \(([^)]*)\)"),
    "date": re.compile(rb'\bINTERNALDATE "([^"]*)"'),
    "size": re.compile(rb"\bRFC822\.SIZE (\d+)"),
}
_APPENDED = re.compile(rb"\[APPENDUID (\d+) (\d+)\]")
_STATUS = re.compile(rb"\b(MESSAGES|UIDVALIDITY|UIDNEXT) (\d+)")
_QUOTA = re.compile(rb"\bSTORAGE (\d+) (\d+)")


class MailboxError(Exception):
    """A server said no, or nothing; the message says which, to what, and its words."""


class MailboxUnreachableError(MailboxError):
    """The server is not there, or the connection was lost: worth trying again soon."""


class MailboxFullError(MailboxError):
    """The mailbox takes no more: its quota is used up."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that holds messages.

    name: as the server writes it. use: its special use (RFC 6154), or "".
    """

    name: str
    use: str = ""
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a folder.

    guid: Dovecot's own identifier; it stays when UIDs are given anew. flags: without the one
    that only the server gives (Recent). date: when it arrived, in IMAP's form. size: bytes.
    """

    uid: int
    guid: str
    flags: tuple[str, ...]
    date: str
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder stands: messages that come from now on have `uidnext` or more."""

    messages: int
    uidvalidity: int
    uidnext: int


class _Local(imaplib.IMAP4):
    """IMAP with a program that is started here and has signed in already."""

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Start the program instead of connecting."""
        # its log, of which the end is told when it ends by itself
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in shutdown
        self.process = subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            bufsize=1 << 16,
        )

    def read(self, size: int) -> bytes:
        """Read that many bytes."""
        assert self.process.stdout  # noqa: S101
        return self.process.stdout.read(size)

    def readline(self) -> bytes:
        """Read a line."""
        assert self.process.stdout  # noqa: S101
        line = self.process.stdout.readline()
        if not line:
            raise self.abort(f"it ended: {self._last_words()}")
        return line

    def send(self, data: Any) -> None:
        """Send bytes."""
        assert self.process.stdin  # noqa: S101
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _last_words(self) -> str:
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace").strip()[-500:]

    def shutdown(self) -> None:
        """End the program, and wait for it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.said.close()


class Mailbox:
    """One person's mailbox on one server.

    Every failure is a `MailboxError`. Use as a context manager.
    """

    def __init__(self, connection: imaplib.IMAP4, where: str) -> None:
        self._imap = connection
        self._where = where

    @classmethod
    def local(cls, program: str, uid: str) -> Self:
        """A mailbox of this server."""
        where = f"{uid} on this server"
        with _translated(where):
            connection = _Local([program, "-u", uid])
            if connection.state != "AUTH":
                raise MailboxError(f"{where}: {program} did not let us in")
        return cls(connection, where)

    @classmethod
    def remote(cls, target: Target, uid: str) -> Self:
        """A mailbox of the new server, as the user that may act for others (RFC 4616)."""
        where = f"{uid} on {target.host}"
        with _translated(where):
            connection = imaplib.IMAP4_SSL(
                target.host,
                target.port,
                ssl_context=ssl.create_default_context(cafile=target.ca_file),
                timeout=target.timeout,
            )
            answer = f"{uid}\0{target.user}\0{target.password}".encode()
            try:
                connection.authenticate("PLAIN", lambda _: answer)
            except BaseException:
                connection.shutdown()
                raise
        return cls(connection, where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self._imap.logout()
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self._imap.shutdown()

    def folders(self) -> list[Folder]:
        """All folders that hold messages."""
        self._ask("LIST", '""', '"*"', "RETURN", "(SUBSCRIBED SPECIAL-USE)")
        found = []
        for line in self._untagged("LIST"):
            # a name that needs it comes as a literal: head and name apart
            text = line[0] if isinstance(line, tuple) else line
            match = _LIST.match(text)
            if not match:
                continue
            attributes = match[1].decode("ascii").split()
            if {"\\Noselect", "\\NonExistent"} & set(attributes):
                continue
            name = line[1] if isinstance(line, tuple) else _unquoted(match[2])
            found.append(
                Folder(
                    name=name.decode("utf-8"),
                    use=next((one for one in attributes if one in _USES), ""),
                    subscribed="\\Subscribed" in attributes,
                )
            )
        return found

    def create(self, folder: Folder) -> None:
        """Make a folder."""
        self._ask("CREATE", _quoted(folder.name))
        if folder.subscribed:
            self._ask("SUBSCRIBE", _quoted(folder.name))

    def place(self, folder: str) -> Place:
        """Where a folder stands."""
        self._ask("STATUS", _quoted(folder), "(MESSAGES UIDVALIDITY UIDNEXT)")
        lines = self._untagged("STATUS")
        values = dict(_STATUS.findall(b" ".join(_flat(lines))))
        try:
            return Place(*(int(values[key]) for key in (b"MESSAGES", b"UIDVALIDITY", b"UIDNEXT")))
        except KeyError as error:
            raise MailboxError(f"{self._where}: no status of {folder}: {lines!r}") from error

    def free(self) -> int | None:
        """Bytes that still fit in; None when there is no limit."""
        self._ask("GETQUOTAROOT", "INBOX")
        self._untagged("QUOTAROOT")
        found = _QUOTA.search(b" ".join(_flat(self._untagged("QUOTA"))))
        return max(0, int(found[2]) - int(found[1])) * 1024 if found else None

    def messages(self, folder: str, first_uid: int = 1) -> list[Message]:
        """The messages of a folder from a UID on, in the order of arrival."""
        self._open(folder)
        lines = self._fetch(f"{first_uid}:*", "(UID X-GUID FLAGS INTERNALDATE RFC822.SIZE)")
        found = {}
        for line in _flat(lines):
            part = {key: pattern.search(line) for key, pattern in _FETCH.items()}
            uid, guid, flags, date, size = (part[key] for key in _FETCH)
            if not (uid and guid and date and size):
                continue
            found[int(uid[1])] = Message(
                uid=int(uid[1]),
                guid=_unquoted(guid[1]).decode("utf-8", "surrogateescape"),
                flags=tuple(
                    flag
                    for flag in (flags[1].decode("utf-8").split() if flags else ())
                    if flag != "\\Recent"
                ),
                date=date[1].decode("ascii"),
                size=int(size[1]),
            )
        # "N:*" names the last message even when its UID is lower than N
        return [found[uid] for uid in sorted(found) if uid >= first_uid]

    def contents(
        self, folder: str, uids: Sequence[int], at_once: int = 1
    ) -> Iterator[tuple[int, bytes]]:
        """UID and bytes of messages; those that are not there any more are left out.

        `at_once` are held in memory together.
        """
        self._open(folder)
        for start in range(0, len(uids), at_once):
            some = ",".join(str(uid) for uid in uids[start : start + at_once])
            for line in self._fetch(some, "(UID BODY.PEEK[])"):
                if isinstance(line, tuple) and (uid := _FETCH["uid"].search(line[0])):
                    yield int(uid[1]), line[1]

    def append(self, folder: str, message: Message, content: bytes) -> tuple[int, int]:
        """Put a message into a folder, with its flags and date.

        Returns UIDVALIDITY of the folder and UID of the new message (RFC 4315). Raises
        MailboxFullError when the quota does not allow it.
        """
        # not imaplib's own append, which rewrites lone carriage returns
        setattr(self._imap, "literal", content)  # noqa: B010 - typed as text
        answer = self._ask(
            "APPEND", _quoted(folder), f"({' '.join(message.flags)})", f'"{message.date}"'
        )
        found = _APPENDED.search(b" ".join(_flat(answer)))
        if not found:
            raise MailboxError(f"{self._where}: APPEND to {folder} told no UID: {answer!r}")
        return int(found[1]), int(found[2])

    def remove(self, folder: str, uids: Sequence[int]) -> None:
        """Remove messages for good."""
        with _translated(self._where):
            self._checked(self._imap.select(_quoted(folder)), "SELECT")
        for start in range(0, len(uids), 500):
            some = ",".join(str(uid) for uid in uids[start : start + 500])
            self._uid("STORE", some, "+FLAGS.SILENT", "(\\Deleted)")
            self._uid("EXPUNGE", some)

    # The protocol

    def _open(self, folder: str) -> None:
        with _translated(self._where):
            self._checked(self._imap.select(_quoted(folder), readonly=True), f"EXAMINE {folder}")

    def _fetch(self, which: str, what: str) -> list[Any]:
        return [line for line in self._uid("FETCH", which, what) if line]

    def _uid(self, *command: str) -> list[Any]:
        with _translated(self._where):
            return self._checked(self._imap.uid(*command), f"UID {command[0]}")

    def _ask(self, command: str, *arguments: str) -> list[Any]:
        with _translated(self._where):
            return self._checked(
                self._imap._simple_command(command, *arguments),
                command,
            )

    def _untagged(self, kind: str) -> list[Any]:
        _, lines = self._imap.response(kind)
        return [line for line in lines or [] if line]

    def _checked(self, answer: tuple[str, list[Any]], command: str) -> list[Any]:
        status, lines = answer
        if status != "OK":
            words = b" ".join(_flat(lines)).decode("utf-8", "replace")
            kind = MailboxFullError if "[OVERQUOTA]" in words else MailboxError
            raise kind(f"{self._where}: {command}: {words}")
        return list(lines)


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except imaplib.IMAP4.abort as error:
        raise MailboxUnreachableError(f"{where}: {error}") from error
    except imaplib.IMAP4.error as error:
        words = str(error)
        # what Dovecot answers when it cannot ask the directory (RFC 5530)
        kind = MailboxUnreachableError if "[UNAVAILABLE]" in words else MailboxError
        raise kind(f"{where}: {words}") from error
    except OSError as error:
        raise MailboxUnreachableError(f"{where}: {error}") from error


def _flat(lines: Sequence[Any]) -> Iterator[bytes]:
    for line in lines:
        if isinstance(line, tuple):
            yield from line
        elif isinstance(line, bytes):
            yield line


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(word: bytes) -> bytes:
    word = word.strip()
    if word.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", word[1:-1])
    return word
