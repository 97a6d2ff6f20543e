"""What is kept between the pages: acceptance of the charter, and what the last page says.

It lies in the session, which lies in the database: the browser has only the
session's cookie. Each entry is bound to one login and ends after `minutes`. No
password and no proof is ever in it.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ent.annuaire.activation.charter import Acceptance
from ent.annuaire.activation.flow import Activated

_KEY = "activation"
# Tabs for different people in one browser, such as a shared computer's.
_MOST = 3


@dataclass(frozen=True)
class Progress:
    """How far this browser's activations have come.

    session: of Django, or any mapping whose values survive JSON.
    minutes: how long an acceptance is valid, and a last page can be shown again.
    now: the present time, aware of its zone.
    """

    session: MutableMapping[str, Any]
    minutes: int
    now: datetime

    def accept(self, uid: str, version: str) -> None:
        """Remember that this version of the charter was accepted just now, for this login."""
        self._put(uid, {"version": version, "at": self.now.timestamp()})

    def acceptance(self, uid: str) -> Acceptance | None:
        """The acceptance that is in force for this login."""
        kept = self._kept().get(uid)
        if not kept or "version" not in kept:
            return None
        return Acceptance(kept["version"], datetime.fromtimestamp(kept["at"], UTC))

    def finish(self, done: Activated) -> None:
        """The account was activated: the acceptance has served, the last page can be shown."""
        self._put(
            done.uid,
            {
                "at": self.now.timestamp(),
                "done": {"name": done.name, "address": done.address, "former": list(done.former)},
            },
        )

    def finished(self, uid: str) -> Activated | None:
        """What the last page says, when this browser activated this login a short while ago."""
        kept = self._kept().get(uid)
        if not kept or "done" not in kept:
            return None
        done = kept["done"]
        return Activated(uid, done["name"], done["address"], tuple(done["former"]))

    def _kept(self) -> dict[str, dict[str, Any]]:
        oldest = self.now.timestamp() - self.minutes * 60
        kept = self.session.get(_KEY) or {}
        return {uid: one for uid, one in kept.items() if one["at"] > oldest}

    def _put(self, uid: str, value: dict[str, Any]) -> None:
        kept = self._kept()
        kept.pop(uid, None)
        kept[uid] = value
        newest = sorted(kept, key=lambda one: kept[one]["at"])[-_MOST:]
        self.session[_KEY] = {one: kept[one] for one in newest}
