"""Change of password: the directory is asked as the person, with the present password."""

from dataclasses import dataclass

from ent.annuaire.account.person import Own
from ent.annuaire.limits.attempts import PASSWORD, Limits
from ent.annuaire.uncertain import OutcomeUnknown, password_was_set
from ent.directory import (
    AccountLocked,
    Directory,
    DirectoryRefused,
    DirectoryUnavailable,
    WriteUncertain,
    WrongPassword,
)


@dataclass(frozen=True)
class PasswordChange:
    """A change of password, with the limits on wrong ones.

    directory: its settings count, not its identity: the connection is the person's.
    patience: seconds to wait for a directory that stopped answering in the middle.
    """

    directory: Directory
    limits: Limits
    patience: float = 4.0

    def make(self, own: Own, present: str, new: str, address: str) -> None:
        """Set `new` in the place of `present`.

        address: network address of who tries.

        Raises:
            ent.annuaire.limits.attempts.TooManyAttempts: nothing was tried.
            AccountLocked: the directory tries no password of this account just now.
            WrongPassword: `present` is not the password, or the account was closed
                a moment ago; counted.
            PasswordRefused: the directory's rule; its `reason` says which.
            OutcomeUnknown: no answer, and none to the question what became of it.
            DirectoryUnavailable: nothing was changed, nothing is counted.
            DatabaseError: it cannot be counted, so nothing was tried.

        """
        attempt = self.limits.begin(PASSWORD, own.uid, address)
        try:
            self.directory.change_password(own.dn, present, new)
        except AccountLocked:
            # the lock refused, whatever was typed
            attempt.not_made()
            raise
        except WrongPassword:
            raise
        except WriteUncertain as error:
            attempt.succeeded()
            self._settle(own, new, error)
        except DirectoryUnavailable:
            attempt.not_made()
            raise
        except DirectoryRefused:
            attempt.succeeded()
            raise
        else:
            attempt.succeeded()

    def _settle(self, own: Own, new: str, error: WriteUncertain) -> None:
        """Ask, with patience, what became of a change that got no answer."""
        try:
            done = password_was_set(self.directory, own.dn, new, self.patience)
        except DirectoryUnavailable as silence:
            raise OutcomeUnknown(own.uid) from silence
        if not done:
            raise DirectoryUnavailable("the password was not changed") from error
