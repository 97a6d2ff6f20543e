"""The charter as the own page asks for it: whoever has not accepted the present version.

Not accepting closes nothing: the question comes again at the next sign-in.
"""

import functools
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from ent.annuaire.account.choices import Choices
from ent.annuaire.account.person import Own
from ent.annuaire.account.versions import Difference, differences
from ent.annuaire.activation.charter import Acceptance, Charter, accepted_versions, load
from ent.directory import instant

CONSENT = "supannConsentement"
_LATER = "account-charter-later"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A version that somebody accepted. at: None when the directory does not tell."""

    version: str
    at: datetime | None


def is_due(own: Own, charter: Charter) -> bool:
    """Whether the person has not accepted this version."""
    return charter.version not in accepted_versions(own.texts(CONSENT))


def acceptances(own: Own) -> list[Accepted]:
    """What the person accepted, the newest last."""
    found = []
    for value in own.texts(CONSENT):
        for version in accepted_versions((value,)):
            found.append(Accepted(version, instant(value.rpartition(":")[2])))
    return sorted(found, key=lambda one: one.at or datetime.min.replace(tzinfo=UTC))


def accept(choices: Choices, own: Own, charter: Charter, now: datetime) -> bool:
    """Write down the acceptance; False: it was there. Raises what `Choices.change` raises."""
    if not is_due(own, charter):
        return False
    return choices.add(own, CONSENT, Acceptance(charter.version, now).consent)


def put_off(session: MutableMapping[str, Any], charter: Charter) -> None:
    """Remember, until the session ends, that the person wants to be asked later."""
    session[_LATER] = charter.version


def is_put_off(session: MutableMapping[str, Any], charter: Charter) -> bool:
    """Whether the person was asked in this session."""
    return bool(session.get(_LATER) == charter.version)


def changes_since(own: Own, charter: Charter) -> tuple[str, list[Difference]] | None:
    """The newest version that the person accepted, and what differs in the present one.

    None: they accepted none, or none whose text this process was given.
    """
    earlier = earlier_charters()
    for accepted in reversed(acceptances(own)):
        if before := earlier.get(accepted.version):
            return before.version, differences(before, charter)
    return None


@functools.cache
def earlier_charters() -> dict[str, Charter]:
    """The charters that were in force before, by version."""
    charters = (load(Path(one)) for one in settings.ANNUAIRE.account.earlier_charters)
    return {one.version: one for one in charters}
