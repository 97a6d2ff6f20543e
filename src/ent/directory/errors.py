"""What can go wrong between an application and the directory."""


class DirectoryUnavailable(Exception):  # noqa: N818 - says what happened, as callers read it
    """The directory gave no answer. The message is for the log, not for a page."""


class DirectoryMisconfigured(DirectoryUnavailable):
    """The directory refused this service's identity, base or request."""


class WriteUncertain(DirectoryUnavailable):
    """No answer to a change: it was made as a whole, or not at all. Read, then decide."""


class DirectoryRefused(Exception):  # noqa: N818
    """The directory answered no, and nothing was changed. The message is for the log."""


class AlreadyExists(DirectoryRefused):
    """There is an entry of this name."""


class NoSuchEntry(DirectoryRefused):
    """There is no entry of this name, or this identity may not see it."""


class NotAllowed(DirectoryRefused):
    """The right to make this change is not given to this identity."""


class StaleEntry(DirectoryRefused):
    """A value to be removed is not there, or one to be added is: somebody changed the entry."""


class Conflict(DirectoryRefused):
    """A rule of the directory is broken: unique values, form of values, schema."""


class PasswordRefused(Conflict):
    """The password rule refuses the new password.

    reason: the name of the error in the password policy draft, such as
        insufficientPasswordQuality or passwordTooShort; "" when none was given.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class WrongPassword(DirectoryRefused):
    """Not the password of this entry, or the entry may not sign in."""


class AccountLocked(WrongPassword):
    """Too many wrong passwords: none is tried for now."""
