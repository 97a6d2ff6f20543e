"""Read ahead: wait for a server in one thread while another works on what it sent before."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
# Items that are handed over at once, and how often before the reader waits.
_LOT, _LOTS = 500, 4


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items in the same order, taken from `items` by a thread of its own.

    What `items` raises is raised here, after the items before it. Closing this iterator
    ends the thread.
    """
    ready: queue.Queue[list[Item] | BaseException | None] = queue.Queue(_LOTS)
    over = threading.Event()

    def read() -> None:
        source = iter(items)
        try:
            while not over.is_set():
                lot: list[Item] = []
                try:
                    lot.extend(itertools.islice(source, _LOT))
                finally:
                    if lot:
                        ready.put(lot)
                if not lot:
                    break
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    reader = threading.Thread(target=read, name="read-ahead", daemon=True)
    reader.start()
    try:
        while (lot := ready.get()) is not None:
            if isinstance(lot, BaseException):
                raise lot
            yield from lot
    finally:
        over.set()
        while reader.is_alive():
            try:
                ready.get(timeout=0.05)
            except queue.Empty:
                continue
