"""What the audit trail says, and how its lines hold together.

Every line carries the SHA-256 of itself and of the line before it, made by the
database (`storage`, migration 0001). Whoever takes a line out, changes one or
puts one in breaks the chain from there on; `check` finds where. Cutting off the
end is noticed by comparing with the journal, where each line stands as well.
"""

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

# The line before the first.
START = "0" * 64


class Action(enum.StrEnum):
    """What was done, or tried."""

    ACCESS = "access"
    SEARCH = "search"
    VIEW = "view"
    VERIFY = "verify"
    ISSUE = "issue"
    UNLOCK = "unlock"
    REDEEM = "redeem"
    READ = "read"
    EXPORT = "export"
    CHECK = "check"
    EXPIRE = "expire"


class Outcome(enum.StrEnum):
    """How it ended. After BEGUN another line of the operation follows, unless something died."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line to be written.

    agent: login of who acts; "" is the person themself, on the public page.
    address: network address they came from, "" when there is none.
    person: login of whom it concerns, "" when nobody in particular.
    operation: the same for the lines of one action.
    detail: a word of `texts.DETAILS`, or word:value. Never anything secret.
    """

    action: Action
    outcome: Outcome
    agent: str
    address: str
    person: str = ""
    operation: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands: an entry, with what the database gave it."""

    number: int
    at: datetime
    agent: str
    address: str
    action: str
    person: str
    outcome: str
    operation: str
    detail: str
    previous: str
    hash: str


def digest(line: Line) -> str:
    """The hash that `line` must carry: SHA-256 of its fields, each after its length in bytes."""
    fields = (
        line.previous,
        str(line.number),
        line.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        line.agent,
        line.address,
        line.action,
        line.person,
        line.outcome,
        line.operation,
        line.detail,
    )
    text = "".join(f"{len(one.encode())}:{one}" for one in fields)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the trail found.

    lines: how many were read.
    first, last: their numbers; 0 when there is none.
    hash: of the last, to be compared with the journal or a note.
    broken: number of the first line that does not fit, None when all do.
    expired: lines before the first were taken away by the rule of retention.
    """

    lines: int
    first: int
    last: int
    hash: str
    broken: int | None
    expired: bool = field(default=False)


def check(lines: Iterable[Line]) -> Verdict:
    """Follow the chain. `lines`: all of them, in the order of their numbers.

    The trail begins with line 1, or with the line after the last one that
    expired; a later line of the action EXPIRE says which that was and its hash
    (detail "until:NUMBER:HASH").
    """
    count, first, last = 0, 0, 0
    expected: str | None = None
    begins_after = ""
    vouched = False
    broken: int | None = None
    for line in lines:
        count += 1
        if expected is None:
            first = line.number
            begins_after = f"until:{line.number - 1}:{line.previous}"
            vouched = line.number == 1 and line.previous == START
            fits = True
        else:
            fits = line.number == last + 1 and line.previous == expected
        if line.action == Action.EXPIRE and line.detail == begins_after:
            vouched = True
        if broken is None and not (fits and line.hash == digest(line)):
            broken = line.number
        last, expected = line.number, line.hash
    if broken is None and count and not vouched:
        broken = first
    return Verdict(
        lines=count,
        first=first,
        last=last,
        hash=expected or "",
        broken=broken,
        expired=first > 1,
    )
