"""One pass over one person's mailbox: what is missing in the new one is copied there.

A message counts as copied when it was read back from the new server and is the same, byte for
byte. From then on it is the person's: moved, read or deleted there, it is never touched again.
"""

import hashlib
import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ent.mailmove.ledger import Ledger, Sending
from ent.mailmove.mailboxes import (
    Folder,
    Mailbox,
    MailboxError,
    MailboxFullError,
    MailboxUnreachableError,
    Message,
)

log = logging.getLogger(__name__)

# Appended between two entries in the ledger: what a sudden end leaves to be looked for. It is also
# what is held in memory at a time.
_BATCH_MESSAGES = 50
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass did, and what is there.

    total: messages in the legacy mailbox. copied: how many of them this pass copied.
    folders: how many folders these were in. size: their bytes.
    """

    total: int
    copied: int
    folders: int
    size: int


@dataclass(frozen=True, slots=True)
class _Original:
    folder: str
    key: str
    message: Message


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Move:
    person: str
    source: Mailbox
    target: Mailbox
    ledger: Ledger


def copy(
    person: str,
    source: Mailbox,
    target: Mailbox,
    ledger: Ledger,
    progress: Progress = lambda total, copied: None,
) -> Outcome:
    """Copy what is missing from `source`, the legacy mailbox, to `target`, the new one.

    `progress` is told, now and then, how many messages there are and how many are copied.
    Raises MailboxFullError when what is missing does not fit (then nothing was copied), another
    MailboxError when a server refused; a message that is refused does not keep the others waiting.
    """
    folders = source.folders()
    originals = [original for folder in folders for original in _originals(source, folder.name)]
    move = _Move(person, source, target, ledger)
    _settle_the_last(move, originals)
    copied = ledger.copied(person)
    missing = [one for one in originals if (one.folder, one.key) not in copied]
    there = len(originals) - len(missing)
    size = sum(one.message.size for one in missing)
    free = target.free() if missing else None
    if free is not None and size > free:
        raise MailboxFullError(
            f"{person}: {len(missing)} messages of {size} bytes do not fit in the {free} bytes "
            "that are left in the new mailbox"
        )
    names = _names(folders, target)
    progress(len(originals), there)
    refused: list[str] = []
    for batch in _batches(missing):
        faults = _send(move, names[batch[0].folder], batch)
        refused += faults
        there += len(batch) - len(faults)
        progress(len(originals), there)
    if refused:
        raise MailboxError(
            f"{person}: {len(refused)} of {len(originals)} messages could not be copied, the "
            f"originals are kept: {refused[0]}"
        )
    return Outcome(
        total=len(originals),
        copied=len(missing),
        folders=len({one.folder for one in missing}),
        size=size,
    )


def remove(person: str, source: Mailbox, ledger: Ledger) -> int:
    """Remove the originals of which a verified copy was made, and return how many."""
    copied = ledger.copied(person)
    count = 0
    for folder in source.folders():
        done = [one for one in _originals(source, folder.name) if (one.folder, one.key) in copied]
        if done:
            source.remove(folder.name, [one.message.uid for one in done])
            ledger.forget(person, [(one.folder, one.key) for one in done])
        count += len(done)
    return count


def _originals(source: Mailbox, folder: str) -> Iterator[_Original]:
    """The messages of a folder, each with a key that no other one there has, now or later."""
    times: dict[str, int] = defaultdict(int)
    for message in source.messages(folder):
        # a message copied within its folder keeps its GUID
        times[message.guid] += 1
        count = times[message.guid]
        key = message.guid if count == 1 else f"{message.guid}#{count}"
        yield _Original(folder, key, message)


def _names(folders: Iterable[Folder], target: Mailbox) -> dict[str, str]:
    """Folder of the legacy mailbox to folder of the new one, made if it is not there.

    Folders with the same special use are the same; else those with the same name.
    """
    there = {one.name for one in target.folders()}
    uses = {one.use: one.name for one in target.folders() if one.use}
    names = {}
    for folder in sorted(folders, key=lambda one: one.name):
        name = uses.get(folder.use, folder.name)
        if name not in there and name.upper() != "INBOX":
            target.create(Folder(name, subscribed=folder.subscribed))
            there.add(name)
        names[folder.name] = name
    return names


def _batches(originals: Iterable[_Original]) -> Iterator[list[_Original]]:
    for _, group in itertools.groupby(originals, key=lambda one: one.folder):
        batch: list[_Original] = []
        size = 0
        for one in group:
            if batch and (len(batch) == _BATCH_MESSAGES or size + one.message.size > _BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(one)
            size += one.message.size
        yield batch


def _send(move: _Move, name: str, batch: list[_Original]) -> list[str]:
    """Append messages of one folder, read them back, and note them as copied.

    Returns why, for each message that the new server does not take or not take as it is.
    """
    place = move.target.place(name)
    sending = {
        one.message.uid: Sending(one.folder, one.key, name, place.uidvalidity, place.uidnext)
        for one in batch
    }
    move.ledger.will_send(move.person, sending.values())
    messages = {one.message.uid: one.message for one in batch}
    sent: dict[int, tuple[Sending, bytes]] = {}
    missing = dict(sending)
    refused = []
    for uid, content in move.source.contents(batch[0].folder, list(messages), len(batch)):
        try:
            uidvalidity, new = move.target.append(name, messages[uid], content)
        except (MailboxFullError, MailboxUnreachableError):
            raise
        except MailboxError as error:
            refused.append(f"message {sending[uid].key} of {sending[uid].folder}: {error}")
            continue
        if uidvalidity != place.uidvalidity:
            raise MailboxError(
                f"{move.person}: UIDVALIDITY of {name} changed; the next pass goes on"
            )
        sent[new] = (missing.pop(uid), hashlib.sha256(content).digest())
    # What the person moved or deleted since it was acknowledged is not there; it did arrive.
    for new, content in move.target.contents(name, list(sent), len(batch)):
        one, digest = sent[new]
        if hashlib.sha256(content).digest() != digest:
            move.target.remove(name, [new])
            del sent[new]
            missing[-new] = one
            refused.append(f"message {one.key} of {one.folder} is not the same in {name}")
    move.ledger.settle(
        move.person,
        arrived=[(one, new) for new, (one, _) in sent.items()],
        missing=missing.values(),
    )
    return refused


def _settle_the_last(move: _Move, originals: Iterable[_Original]) -> None:
    """Find out which messages of an interrupted batch arrived.

    They were appended after the ledger noted where their folder stood, so each one that arrived
    is among the newer messages there, with the same bytes.
    """
    unknown: dict[tuple[str, int, int], list[Sending]] = defaultdict(list)
    for one in move.ledger.sending(move.person):
        unknown[one.target, one.uidvalidity, one.first_uid].append(one)
    if not unknown:
        return
    by_key = {(one.folder, one.key): one.message for one in originals}
    there = {folder.name for folder in move.target.folders()}
    for (name, uidvalidity, first_uid), batch in unknown.items():
        candidates: dict[bytes, list[int]] = defaultdict(list)
        if name in there:
            same = move.target.place(name).uidvalidity == uidvalidity
            sizes = {
                by_key[one.folder, one.key].size for one in batch if (one.folder, one.key) in by_key
            }
            newer = [
                message.uid
                for message in move.target.messages(name, first_uid if same else 1)
                if message.size in sizes
            ]
            for uid, content in move.target.contents(name, newer):
                candidates[hashlib.sha256(content).digest()].append(uid)
        arrived, missing = [], []
        for one in batch:
            message = by_key.get((one.folder, one.key))
            found = None
            if message and candidates:
                for _, content in move.source.contents(one.folder, [message.uid]):
                    uids = candidates.get(hashlib.sha256(content).digest())
                    found = uids.pop(0) if uids else None
            if found is None:
                missing.append(one)
            else:
                arrived.append((one, found))
        move.ledger.settle(move.person, arrived, missing)
        log.info(
            "%s: the last pass was interrupted; of %d messages for %s, %d had arrived",
            move.person,
            len(batch),
            name,
            len(arrived),
        )
