"""The line that each change leaves in the journal: who, what, from where, with what outcome.

No secret is in it, and no personal address: of that only whether there is one.
The directory's own audit trail (docs/directory.md) has the values.
"""

import enum
import logging

log = logging.getLogger(__name__)


class Action(enum.StrEnum):
    """What somebody did on their own page."""

    DISPLAY = "display"
    RECOVERY = "recovery-address"
    PASSWORD = "password"  # noqa: S105 - the name of an action
    CHARTER = "charter"
    CLOSED = "closed-account"


class Outcome(enum.StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


def record(action: Action, outcome: Outcome, uid: str, address: str, detail: str = "") -> None:
    """Write the line.

    uid: login as the directory has it.
    address: network address of the browser (`ent.web.network.client_address`).
    detail: in a word or two, nothing secret.
    """
    level = logging.INFO if outcome is Outcome.DONE else logging.WARNING
    log.log(
        level,
        "action=%s outcome=%s uid=%s address=%s detail=%r",
        action,
        outcome,
        uid,
        address or "-",
        detail,
    )
