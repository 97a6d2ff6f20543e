"""A pass that is cut off anywhere, and repeated, copies every message exactly once.

The mailboxes here are stand-ins that can be cut off between any two operations, which real servers
cannot be at will; tests/integration/test_mailmove.py does the same with Dovecot and kill -9.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ent.mailmove import copying
from ent.mailmove.ledger import Ledger
from ent.mailmove.mailboxes import (
    Folder,
    MailboxError,
    MailboxFullError,
    MailboxUnreachableError,
    Message,
    Place,
)


@dataclass
class Store:
    """Folders on a server; what is in them outlives a connection."""

    folders: dict[str, dict[int, tuple[Message, bytes]]] = field(
        default_factory=lambda: {"INBOX": {}}
    )
    uses: dict[str, str] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)
    room: int | None = None

    def put(self, folder: str, content: bytes, **given: Any) -> int:
        uid = self.next.get(folder, 1)
        self.next[folder] = uid + 1
        guid = given.pop("guid", f"{id(self)}-{folder}-{uid}")
        message = Message(uid, guid, given.get("flags", ()), given.get("date", "d"), len(content))
        self.folders.setdefault(folder, {})[uid] = (message, content)
        return uid


class CutError(Exception):
    """kill -9."""


class Connection:
    """A mailbox as the mover sees it, which breaks before or after operation number `end`."""

    def __init__(self, store: Store, clock: "Clock") -> None:
        self.store, self._clock = store, clock

    def folders(self) -> list[Folder]:
        self._clock.tick()
        return [Folder(name, self.store.uses.get(name, ""), True) for name in self.store.folders]

    def create(self, folder: Folder) -> None:
        self._clock.tick()
        self.store.folders[folder.name] = {}
        self._clock.tick()

    def place(self, folder: str) -> Place:
        self._clock.tick()
        return Place(len(self.store.folders[folder]), 1, self.store.next.get(folder, 1))

    def free(self) -> int | None:
        return self.store.room

    def messages(self, folder: str, first_uid: int = 1) -> list[Message]:
        self._clock.tick()
        there = self.store.folders[folder]
        return [there[uid][0] for uid in sorted(there) if uid >= first_uid]

    def contents(
        self, folder: str, uids: Sequence[int], at_once: int = 1
    ) -> Iterator[tuple[int, bytes]]:
        for uid in list(uids):
            self._clock.tick()
            if uid in self.store.folders[folder]:
                yield uid, self.store.folders[folder][uid][1]

    def append(self, folder: str, message: Message, content: bytes) -> tuple[int, int]:
        self._clock.tick()
        uid = self.store.put(folder, content, flags=message.flags, date=message.date)
        # it has arrived, and the answer gets lost
        self._clock.tick()
        return 1, uid

    def remove(self, folder: str, uids: Sequence[int]) -> None:
        self._clock.tick()
        for uid in uids:
            del self.store.folders[folder][uid]


@dataclass
class Clock:
    """Counts operations; raises at number `end`."""

    end: int | None = None
    count: int = 0

    def tick(self) -> None:
        self.count += 1
        if self.count == self.end:
            raise CutError


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def run(source: Store, target: Store, ledger: Ledger, end: int | None = None) -> Clock:
    clock = Clock(end)
    copying.copy("p", Connection(source, clock), Connection(target, clock), ledger)  # type: ignore[arg-type]
    return clock


def everything(store: Store) -> Counter[bytes]:
    return Counter(content for there in store.folders.values() for _, content in there.values())


def legacy() -> Store:
    store = Store()
    for number in range(4):
        store.put("INBOX", b"in%d" % number, flags=("\\Seen",), date=f"day {number}")
    # identical messages are two messages
    store.put("INBOX", b"same")
    store.put("INBOX", b"same")
    store.put("Projet", b"p", guid="g")
    store.put("Projet", b"p", guid="g")
    store.put("Vide", b"x")
    store.folders["Vide"].clear()
    return store


def test_every_place_to_be_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BATCH_MESSAGES", 3)
    whole = Ledger(tmp_path / "whole.sqlite")
    operations = run(legacy(), Store(), whole).count
    assert operations > 40
    for end in range(1, operations + 1):
        source, target = legacy(), Store()
        own = target.put("INBOX", b"own, there before")
        ledger = Ledger(tmp_path / f"{end}.sqlite")
        with pytest.raises(CutError):
            run(source, target, ledger, end)
        # somebody writes meanwhile
        target.put("INBOX", b"own, new")
        run(source, target, ledger)
        expected = everything(source) + Counter([b"own, there before", b"own, new"])
        assert everything(target) == expected, f"cut off at operation {end}"
        assert target.folders["INBOX"][own][1] == b"own, there before"
        assert "Vide" in target.folders
        again = run(source, target, ledger)
        assert everything(target) == expected
        assert again.count < operations


def test_cut_off_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BATCH_MESSAGES", 2)
    source, target, ledger = legacy(), Store(), Ledger(tmp_path / "l.sqlite")
    for end in range(3, 60):
        try:
            run(source, target, ledger, end)
        except CutError:
            continue
    run(source, target, ledger)
    assert everything(target) == everything(source)


def test_the_ledger_s_own_disk_full(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = legacy(), Store()

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "settle", full)
        with pytest.raises(sqlite3.OperationalError):
            run(source, target, ledger)
    run(source, target, ledger)
    assert everything(target) == everything(source)


def test_flags_and_dates(ledger: Ledger) -> None:
    source, target = legacy(), Store()
    run(source, target, ledger)
    message, _ = next(one for one in target.folders["INBOX"].values() if one[1] == b"in2")
    assert (message.flags, message.date) == (("\\Seen",), "day 2")


def test_deleted_and_moved_copies_do_not_come_back(ledger: Ledger) -> None:
    source, target = legacy(), Store()
    run(source, target, ledger)
    target.folders["INBOX"].clear()
    run(source, target, ledger)
    assert target.folders["INBOX"] == {}
    source.put("INBOX", b"late")
    run(source, target, ledger)
    assert [content for _, content in target.folders["INBOX"].values()] == [b"late"]


def test_folders_with_the_same_use_are_the_same(ledger: Ledger) -> None:
    source, target = Store(uses={"Sent Items": "\\Sent"}), Store(uses={"Envoy&AOk-s": "\\Sent"})
    source.put("Sent Items", b"x")
    target.folders["Envoy&AOk-s"] = {}
    run(source, target, ledger)
    assert [content for _, content in target.folders["Envoy&AOk-s"].values()] == [b"x"]
    assert "Sent Items" not in target.folders


def test_what_does_not_fit_is_not_begun(ledger: Ledger) -> None:
    source, target = legacy(), Store(room=10)
    with pytest.raises(MailboxFullError, match="do not fit"):
        run(source, target, ledger)
    assert everything(target) == Counter()
    target.room = 1000
    run(source, target, ledger)
    assert everything(target) == everything(source)


def test_a_copy_that_is_not_the_same_is_no_copy(ledger: Ledger) -> None:
    source, target = legacy(), Store()

    class Lossy(Connection):
        def append(self, folder: str, message: Message, content: bytes) -> tuple[int, int]:
            return super().append(folder, message, content.replace(b"in1", b"in?"))

    for _ in range(2):
        with pytest.raises(MailboxError, match="not the same in INBOX"):
            copying.copy("p", Connection(source, Clock()), Lossy(target, Clock()), ledger)  # type: ignore[arg-type]
        assert b"in?" not in everything(target)
    assert everything(target) == everything(source) - Counter([b"in1"]), "the others are copied"
    copying.remove("p", Connection(source, Clock()), ledger)  # type: ignore[arg-type]
    assert everything(source) == {b"in1": 1}, "the original is kept"


def test_a_message_that_is_refused_keeps_no_other_waiting(ledger: Ledger) -> None:
    source, target = legacy(), Store()

    class Choosy(Connection):
        def append(self, folder: str, message: Message, content: bytes) -> tuple[int, int]:
            if content == b"in0":
                raise MailboxError("APPEND: no")
            return super().append(folder, message, content)

    with pytest.raises(MailboxError, match="1 of 8 messages could not be copied"):
        copying.copy("p", Connection(source, Clock()), Choosy(target, Clock()), ledger)  # type: ignore[arg-type]
    assert everything(target) == everything(source) - Counter([b"in0"])
    run(source, target, ledger)
    assert everything(target) == everything(source)


def test_only_what_was_copied_is_removed(ledger: Ledger) -> None:
    source, target = legacy(), Store()
    run(source, target, ledger)
    count = sum(everything(source).values())
    source.put("INBOX", b"late")
    assert copying.remove("p", Connection(source, Clock()), ledger) == count  # type: ignore[arg-type]
    assert everything(source) == {b"late": 1}
    run(source, target, ledger)
    assert everything(target)[b"late"] == 1


def test_a_lost_connection_is_no_answer(ledger: Ledger) -> None:
    source, target = legacy(), Store()

    class Lost(Connection):
        def append(self, folder: str, message: Message, content: bytes) -> tuple[int, int]:
            super().append(folder, message, content)
            raise MailboxUnreachableError("gone")

    with pytest.raises(MailboxUnreachableError):
        copying.copy("p", Connection(source, Clock()), Lost(target, Clock()), ledger)  # type: ignore[arg-type]
    run(source, target, ledger)
    assert everything(target) == everything(source)
