"""The worker: follows the directory, looks at mailboxes, and copies.

Three reasons to look at a person: the directory told of a change; their legacy mailbox has changed
since it was last complete; the comparison of all mailboxes with the directory, at the start and
every `reconcile_seconds`. Looking at somebody once too often costs a little time and does no harm.
"""

import fcntl
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ent.directory import DirectoryUnavailable, Entry, Person, present
from ent.directory.following import Follower
from ent.mailmove import copying
from ent.mailmove.ledger import Ledger, Wanted
from ent.mailmove.mailboxes import Mailbox, MailboxError, MailboxFullError, MailboxUnreachableError
from ent.mailmove.settings import Settings
from ent.mailmove.status import Statuses
from ent.web.directory import directory_of

log = logging.getLogger(__name__)

# A folder with another name is no mailbox: uid is constrained to this in the directory.
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
_DAY = 86400.0
# Seconds until the next try: when a server is away, and when it says no.
_AWAY = (2, 5, 15, 30, 60)
_REFUSED = (60, 300, 900, 3600)
_FULL = 900


class WorkerError(Exception):
    """The worker cannot run; the message says why and what to do."""


class Worker:
    """All of it together."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self.statuses = Statuses(Path(settings.status_dir))
        self.directory = directory_of(settings.ldap)
        self._work = threading.Event()
        self._ended = threading.Event()

    # The parts that go on at the same time

    def run(self) -> None:
        """Work until `stop`.

        Raises WorkerError when a part of it failed in a way that trying again does not mend.
        """
        follower = Follower(
            self.directory.settings,
            base=f"ou=people,{self.settings.ldap.suffix}",
            where=present("supannRessourceEtat"),
            attributes=("uid", "mail", "supannRessourceEtat"),
            cookie=self.ledger.cookie,
            longest=self.settings.retry_seconds,
            changed=self.changed,
            forget=self.ledger.forget_cookie,
        )
        movers = [
            threading.Thread(target=self._move, name=f"mover {number}", daemon=True)
            for number in range(self.settings.movers)
        ]
        threads = [follower, *movers]
        for thread in threads:
            thread.start()
        compared = float("-inf")
        while not self._ended.is_set():
            if time.monotonic() - compared >= self.settings.reconcile_seconds:
                compared = time.monotonic()
                self.want(self.logins())
            self.look()
            self._ended.wait(self.settings.look_seconds)
            if not all(thread.is_alive() for thread in threads) and not self._ended.is_set():
                self.stop()
                raise WorkerError(f"a part of the worker ended: {follower.failure or 'a mover'!r}")
        follower.stop()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """End `run`: the batch that is being copied is finished, the rest waits."""
        self._ended.set()
        self._work.set()

    def _move(self) -> None:
        while not self._ended.is_set():
            wanted = self.ledger.take()
            if wanted is None:
                # retries fall due without anybody saying so
                self._work.wait(1)
                self._work.clear()
                continue
            self.attend(wanted)

    # Whom to look at

    def want(self, people: Sequence[str]) -> None:
        """Have people looked at."""
        if people:
            self.ledger.want(people)
            self._work.set()

    def changed(self, entries: Sequence[Entry], cookie: str | None) -> None:
        """The directory told of changes: look at those who receive mail and have a mailbox here."""
        concerned = []
        for entry in entries:
            person = Person.from_entry(entry)
            if follows(person) and self.has_mailbox(person.uid):
                concerned.append(person.uid)
                if self.statuses.read(person.uid) is None:
                    self._note(person.uid, "waiting")
        self.ledger.want(concerned, cookie=cookie)
        if concerned:
            self._work.set()

    def logins(self) -> list[str]:
        """Everybody who has a mailbox here."""
        return [
            entry.name
            for entry in os.scandir(self.settings.mailboxes)
            if _LOGIN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]

    def has_mailbox(self, uid: str) -> bool:
        """Whether a login has a mailbox here."""
        return bool(_LOGIN.fullmatch(uid)) and (Path(self.settings.mailboxes) / uid).is_dir()

    def look(self) -> None:
        """Find mailboxes that have changed since they were complete, or been kept long enough."""
        until = time.time() - self.settings.keep_days * _DAY
        self.want(
            [
                uid
                for uid, (seen, moved_at) in self.ledger.seen().items()
                if self.has_mailbox(uid)
                and (seen != self.appearance(uid) or (moved_at is not None and moved_at <= until))
            ]
        )

    def appearance(self, uid: str) -> str:
        """Changes whenever a message comes, goes or is read; cheap, as no message is looked at."""
        moments = [
            f"{path}:{path.stat().st_mtime_ns}"
            for path in _message_folders(Path(self.settings.mailboxes) / uid)
        ]
        return f"{len(moments)} {hash_of(moments)}"

    # Looking at one person

    def attend(self, wanted: Wanted) -> None:
        """One pass over one person, and what comes after it: done, or again later."""
        uid, again = wanted.uid, None
        try:
            self.move(uid)
        except MailboxFullError as error:
            log.warning("%s", error)
            again = _FULL
        except (DirectoryUnavailable, MailboxUnreachableError) as error:
            again = min(_AWAY[min(wanted.tries, len(_AWAY) - 1)], self.settings.retry_seconds)
            log.warning("%s: %s; again in %d s", uid, error, again)
        except MailboxError as error:
            again = _REFUSED[min(wanted.tries, len(_REFUSED) - 1)]
            log.error("%s; again in %d s", error, again)
            self._note(uid, "delayed")
        except _InterruptedError:
            again = 0
        except Exception:
            # a fault of ours with one mailbox must not keep the others waiting
            again = _REFUSED[-1]
            log.exception("%s: unexpected; again in %d s", uid, again)
            self._note(uid, "delayed")
        if again is None:
            self.ledger.done(wanted)
        else:
            self.ledger.retry(wanted, again)

    def move(self, uid: str) -> copying.Outcome | None:
        """One pass over one person, or None when there is nothing to do for them.

        Raises DirectoryUnavailable or MailboxError when it could not be done, or not wholly.
        """
        person = self.directory.person(uid)
        if person is None or not follows(person) or not self.has_mailbox(uid):
            return None
        # before the messages are listed: one that comes meanwhile changes it
        appearance = self.appearance(uid)
        with Mailbox.local(self.settings.imap, uid) as source:
            if not any(source.place(folder.name).messages for folder in source.folders()):
                # nothing there, or nothing any more: the new server need not be asked
                self.ledger.moved(uid, appearance, None)
                if self.statuses.read(uid) is not None:
                    self._note(uid, "done")
                return copying.Outcome(0, 0, 0, 0)
            self._note(uid, "moving")
            with Mailbox.remote(self.settings.target, uid) as target:
                outcome = self._copy(uid, source, target)
            since = self.ledger.moved_at(uid) or time.time()
            self.ledger.moved(uid, appearance, since)
            end = since + self.settings.keep_days * _DAY
            if time.time() >= end:
                removed = copying.remove(uid, source, self.ledger)
                log.info("%s: %d originals removed, kept since %s", uid, removed, _day(since))
                self.ledger.moved(uid, self.appearance(uid), None)
        self.statuses.write(uid, "done", total=outcome.total, copied=outcome.total, kept_until=end)
        if outcome.copied:
            log.info(
                "%s: %d messages copied (%d bytes, %d folders); the legacy mailbox has %d, all of "
                "them are in the new one",
                uid,
                outcome.copied,
                outcome.size,
                outcome.folders,
                outcome.total,
            )
        return outcome

    def _copy(self, uid: str, source: Mailbox, target: Mailbox) -> copying.Outcome:
        def progress(total: int, copied: int) -> None:
            if self._ended.is_set():
                raise _InterruptedError
            if copied < total:
                self.ledger.not_moved(uid)
            self.statuses.write(uid, "moving", total=total, copied=copied)

        try:
            return copying.copy(uid, source, target, self.ledger, progress)
        except MailboxFullError:
            self._note(uid, "full")
            raise

    def _note(self, uid: str, state: str) -> None:
        """Change the state that others see, with the numbers that they have seen."""
        known = self.statuses.read(uid) or {}
        total, copied = (known.get(key) for key in ("total", "copied"))
        self.statuses.write(
            uid,
            state,
            total=total if isinstance(total, int) else 0,
            copied=copied if isinstance(copied, int) else 0,
        )


class _InterruptedError(Exception):
    """The worker is being stopped."""


def follows(person: Person) -> bool:
    """Whether a person's messages follow: the account was activated and still receives mail."""
    return bool(person.mail) and person.state is not None and person.state.receives_mail


@contextmanager
def opened(settings: Settings) -> Iterator[Ledger]:
    """The ledger, for one process alone; WorkerError when another one has it."""
    folder = Path(settings.state_dir)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise WorkerError(
                f"another ent-mailmove is at work (process {lock.read().strip() or 'unknown'}); "
                "it does by itself what you ask, or stop ent-mailmove.service first"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        ledger = Ledger(folder / "ledger.sqlite")
        try:
            yield ledger
        finally:
            ledger.close()


def hash_of(lines: Sequence[str]) -> str:
    """A short digest of lines."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _message_folders(folder: Path) -> Iterator[Path]:
    """The `new` and `cur` of every Maildir below a folder."""
    try:
        inside = sorted(os.scandir(folder), key=lambda one: one.name)
    except FileNotFoundError:
        return
    for entry in inside:
        if not entry.is_dir(follow_symlinks=False) or entry.name == "tmp":
            continue
        if entry.name in ("new", "cur"):
            yield Path(entry.path)
        else:
            yield from _message_folders(Path(entry.path))


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))
