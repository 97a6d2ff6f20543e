"""What people choose themselves: red list, telephone, personal address.

Each change is one LDAP modify that names the values it takes away, so a change
made meanwhile by somebody else is never lost. The form carries a fingerprint of
what the person saw; what they did not see they do not overwrite.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ent.annuaire.account.person import Own, find
from ent.annuaire.uncertain import OutcomeUnknown, patiently
from ent.directory import (
    Change,
    Conflict,
    Directory,
    DirectoryMisconfigured,
    DirectoryUnavailable,
    NoSuchEntry,
    NotAllowed,
    StaleEntry,
    WriteUncertain,
)

log = logging.getLogger(__name__)

RED_LIST = "supannListeRouge"
TELEPHONE_HIDDEN = "entTelephoneHidden"
RECOVERY = "supannMailPerso"

# attribute -> values; none: the attribute is to have no value
Wanted = Mapping[str, tuple[str, ...]]


class ChangedMeanwhile(Exception):  # noqa: N818 - says what happened, as callers read it
    """Somebody else, or another window, has changed these values since they were shown."""


@dataclass(frozen=True)
class Choices:
    """Changes on the directory as identity annuaire-account.

    patience: seconds to wait for a directory that stopped answering in the middle.
    """

    directory: Directory
    patience: float = 4.0

    def change(self, own: Own, wanted: Wanted, seen: str) -> bool:
        """Give the attributes these values; whether anything had to be changed.

        own: the entry, read a moment ago. seen: `fingerprint` of what the form showed.
        Done twice (double click, reload), it says the second time that nothing had to be.

        Raises:
            ChangedMeanwhile: nothing was changed.
            Conflict: a rule of the directory refuses the values; nothing was changed.
            OutcomeUnknown: no answer, and none to the question what became of it.
            DirectoryUnavailable: nothing was changed.

        """
        if _has(own, wanted):
            return False
        if fingerprint(own, *wanted) != seen:
            raise ChangedMeanwhile
        try:
            self.directory.modify(own.dn, _changes(own, wanted))
        except (StaleEntry, NoSuchEntry) as error:
            raise ChangedMeanwhile from error
        except NotAllowed as error:
            raise DirectoryMisconfigured(f"{own.dn}: {error}") from error
        except Conflict as error:
            # the second value of an attribute that has one: somebody gave it the first meanwhile
            present = find(self.directory, own.uid)
            if present is None or fingerprint(present, *wanted) != seen:
                raise ChangedMeanwhile from error
            raise
        except WriteUncertain as error:
            log.warning("own page of %s: no answer, looking again: %s", own.uid, error)
            self._settle(own, wanted, seen)
        return True

    def add(self, own: Own, attribute: str, value: str) -> bool:
        """Add a value beside those that are there; False: it was there. Raises as `change` does."""
        if value in own.texts(attribute):
            return False
        try:
            self.directory.modify(own.dn, [Change.add(attribute, value)])
        except StaleEntry:
            return False
        except NoSuchEntry as error:
            raise ChangedMeanwhile from error
        except NotAllowed as error:
            raise DirectoryMisconfigured(f"{own.dn}: {error}") from error
        except WriteUncertain as error:
            log.warning("own page of %s: no answer, looking again: %s", own.uid, error)
            present = self._look(own)
            if present is None or value not in present.texts(attribute):
                raise DirectoryUnavailable("the change was not made") from error
        return True

    def _settle(self, own: Own, wanted: Wanted, seen: str) -> None:
        """Return if the change was made after all."""
        present = self._look(own)
        if present is not None and _has(present, wanted):
            return
        if present is None or fingerprint(present, *wanted) != seen:
            raise ChangedMeanwhile
        raise DirectoryUnavailable("the change was not made")

    def _look(self, own: Own) -> Own | None:
        """Find, with patience: what was written without an answer has to become known."""
        try:
            return patiently(lambda: find(self.directory, own.uid), self.patience)
        except DirectoryUnavailable as error:
            raise OutcomeUnknown(own.uid) from error


def fingerprint(own: Own, *attributes: str) -> str:
    """A short text that is another one as soon as a value of these attributes is another one."""
    values = {name: sorted(own.texts(name)) for name in sorted(attributes)}
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def flag(value: bool) -> tuple[str]:
    """A boolean as LDAP writes it. FALSE is written, not left out: somebody decided it."""
    return ("TRUE" if value else "FALSE",)


def _has(own: Own, wanted: Wanted) -> bool:
    return all(sorted(own.texts(name)) == sorted(values) for name, values in wanted.items())


def _changes(own: Own, wanted: Wanted) -> list[Change]:
    changes = []
    for name, values in wanted.items():
        present = own.texts(name)
        if sorted(present) == sorted(values):
            continue
        if present:
            changes.append(Change.delete(name, *present))
        if values:
            changes.append(Change.add(name, *values))
    return changes
