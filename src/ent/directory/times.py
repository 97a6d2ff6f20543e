"""Days and times as the directory writes them."""

from datetime import UTC, date, datetime


def day(text: str) -> date | None:
    """The day of 20261130 or 20261130000000Z; None when it is neither."""
    try:
        return datetime.strptime(text[:8], "%Y%m%d").date()
    except ValueError:
        return None


def instant(text: str) -> datetime | None:
    """A generalized time in UTC as slapd writes it (RFC 4517, 3.3.13), fractions left out.

    20261123083000Z; None when it is none.
    """
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
