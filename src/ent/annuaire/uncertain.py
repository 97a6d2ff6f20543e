"""What became of a change that got no answer from the directory (`WriteUncertain`)."""

import time
from collections.abc import Callable
from typing import TypeVar

from ent.directory import AccountLocked, Directory, DirectoryUnavailable

Answer = TypeVar("Answer")

_PAUSE = 0.25


class OutcomeUnknown(Exception):  # noqa: N818 - says what happened, as callers read it
    """The directory stopped answering in the middle: the change was made, or was not."""


def patiently(ask: Callable[[], Answer], seconds: float) -> Answer:
    """Ask the directory until it answers, for so many seconds at most.

    Raises the last DirectoryUnavailable.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except DirectoryUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def password_was_set(directory: Directory, dn: str, password: str, seconds: float) -> bool:
    """Whether this is the password by now. Raises DirectoryUnavailable, as `patiently` does."""

    def ask() -> bool:
        try:
            return directory.check_password(dn, password)
        except AccountLocked:
            # a password that was set would have ended the lock
            return False

    return patiently(ask, seconds)
