"""What has been copied, and who is to be looked at: one SQLite file.

Every method is one transaction, on disk when it returns. Safe to share between threads.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    uid TEXT PRIMARY KEY,
    seen TEXT NOT NULL,
    moved_at REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    person TEXT NOT NULL,
    folder TEXT NOT NULL,
    key TEXT NOT NULL,
    copied INTEGER NOT NULL,
    target TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (person, folder, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wanted (
    uid TEXT PRIMARY KEY,
    due REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    mark INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cookie (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that was about to be appended when the ledger was written.

    key: which message of the folder. target, uidvalidity, first_uid: if it arrived, it is in
    this folder with this UID or a higher one.
    """

    folder: str
    key: str
    target: str
    uidvalidity: int
    first_uid: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody to look at. `mark` changes when they are asked for again meanwhile."""

    uid: str
    mark: int
    tries: int


class Ledger:
    """The file at `path`, made when it is not there."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)
        # whoever was being looked at when the last worker died is free again
        self._database.execute("UPDATE wanted SET taken = 0")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    # What has been copied

    def copied(self, person: str) -> set[tuple[str, str]]:
        """Folder and key of the messages of which a verified copy exists."""
        with self._lock:
            rows = self._database.execute(
                "SELECT folder, key FROM message WHERE person = ? AND copied", (person,)
            )
            return {(folder, key) for folder, key in rows}

    def sending(self, person: str) -> list[Sending]:
        """Messages of which it is not known whether they arrived."""
        with self._lock:
            rows = self._database.execute(
                "SELECT folder, key, target, uidvalidity, uid FROM message "
                "WHERE person = ? AND NOT copied ORDER BY folder, key",
                (person,),
            )
            return [Sending(*row) for row in rows]

    def will_send(self, person: str, messages: Iterable[Sending]) -> None:
        """Note messages before they are appended."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO message (person, folder, key, copied, target, uidvalidity, uid) "
                "VALUES (?, ?, ?, 0, ?, ?, ?)",
                [
                    (person, one.folder, one.key, one.target, one.uidvalidity, one.first_uid)
                    for one in messages
                ],
            )

    def settle(
        self,
        person: str,
        arrived: Iterable[tuple[Sending, int]],
        missing: Iterable[Sending] = (),
    ) -> None:
        """Note which messages arrived, with their UIDs, and which did not."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "UPDATE message SET copied = 1, uid = ?, uidvalidity = ? "
                "WHERE person = ? AND folder = ? AND key = ?",
                [(uid, one.uidvalidity, person, one.folder, one.key) for one, uid in arrived],
            )
            self._database.executemany(
                "DELETE FROM message WHERE person = ? AND folder = ? AND key = ? AND NOT copied",
                [(person, one.folder, one.key) for one in missing],
            )

    def forget(self, person: str, messages: Iterable[tuple[str, str]]) -> None:
        """Forget copies whose originals are gone."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "DELETE FROM message WHERE person = ? AND folder = ? AND key = ?",
                [(person, folder, key) for folder, key in messages],
            )

    # Whose mailbox has been moved

    def moved(self, person: str, seen: str, moved_at: float | None) -> None:
        """Note a complete pass.

        seen: what the mailbox looked like before it. moved_at: since when every message has a
        copy (seconds since the epoch); None when there is none.
        """
        with self._lock:
            self._database.execute(
                "INSERT INTO person (uid, seen, moved_at) VALUES (?, ?, ?) ON CONFLICT (uid) "
                "DO UPDATE SET seen = excluded.seen, moved_at = excluded.moved_at",
                (person, seen, moved_at),
            )

    def not_moved(self, person: str) -> None:
        """Note that something is missing: the time that originals are kept begins anew."""
        with self._lock:
            self._database.execute("DELETE FROM person WHERE uid = ?", (person,))

    def moved_at(self, person: str) -> float | None:
        """Since when every message has a copy; None when that is not so."""
        with self._lock:
            row = self._database.execute(
                "SELECT moved_at FROM person WHERE uid = ?", (person,)
            ).fetchone()
            return row[0] if row else None

    def seen(self) -> dict[str, tuple[str, float | None]]:
        """Of everybody whose last pass was complete: `seen` and `moved_at`."""
        with self._lock:
            rows = self._database.execute("SELECT uid, seen, moved_at FROM person")
            return {uid: (seen, moved_at) for uid, seen, moved_at in rows}

    # Who is to be looked at

    def want(self, people: Iterable[str], *, cookie: str | None = None) -> None:
        """Ask for people to be looked at, now; with the directory's cookie that told of them."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO wanted (uid, due) VALUES (?, 0) "
                "ON CONFLICT (uid) DO UPDATE SET due = 0, tries = 0, mark = mark + 1",
                [(uid,) for uid in people],
            )
            if cookie is not None:
                self._database.execute(
                    "INSERT INTO cookie VALUES (1, ?) "
                    "ON CONFLICT (one) DO UPDATE SET value = excluded.value",
                    (cookie,),
                )

    def cookie(self) -> str | None:
        """Up to where the directory has been followed."""
        with self._lock:
            row = self._database.execute("SELECT value FROM cookie").fetchone()
            return str(row[0]) if row else None

    def forget_cookie(self) -> None:
        """Follow the directory from the beginning."""
        with self._lock:
            self._database.execute("DELETE FROM cookie")

    def take(self) -> Wanted | None:
        """The next person whose turn it is, who is then nobody else's."""
        with self._lock:
            row = self._database.execute(
                "UPDATE wanted SET taken = 1 WHERE uid = (SELECT uid FROM wanted "
                "WHERE NOT taken AND due <= ? ORDER BY due, uid LIMIT 1) "
                "RETURNING uid, mark, tries",
                (time.time(),),
            ).fetchone()
            return Wanted(*row) if row else None

    def done(self, wanted: Wanted) -> None:
        """The person has been looked at. If they were asked for meanwhile, they stay wanted."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            self._database.execute(
                "DELETE FROM wanted WHERE uid = ? AND mark = ?", (wanted.uid, wanted.mark)
            )
            self._database.execute("UPDATE wanted SET taken = 0 WHERE uid = ?", (wanted.uid,))

    def retry(self, wanted: Wanted, seconds: float) -> None:
        """Look at the person again, later."""
        with self._lock:
            self._database.execute(
                "UPDATE wanted SET taken = 0, tries = tries + 1, "
                "due = CASE WHEN mark = ? THEN ? ELSE due END WHERE uid = ?",
                (wanted.mark, time.time() + seconds, wanted.uid),
            )

    def waiting(self) -> Sequence[str]:
        """Everybody who is to be looked at."""
        with self._lock:
            return [uid for (uid,) in self._database.execute("SELECT uid FROM wanted ORDER BY uid")]
