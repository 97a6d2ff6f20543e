"""Birth dates as people write them in French."""

import re
import unicodedata
from datetime import date

_EARLIEST = 1900
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})[/.\- ](?P<month>[0-9]{1,2})[/.\- ](?P<year>[0-9]+)")
_YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})[/.\- ](?P<month>[0-9]{1,2})[/.\- ](?P<day>[0-9]{1,2})"
)
_TOGETHER = re.compile(r"(?P<day>[0-9]{2})(?P<month>[0-9]{2})(?P<year>[0-9]{4})")
_IN_WORDS = re.compile(r"(?P<day>[0-9]{1,2})(?:er)? +(?P<word>[a-z]+)[. ](?P<year>[0-9]+)")
_MONTHS = (
    *("janvier", "fevrier", "mars", "avril", "mai", "juin"),
    *("juillet", "aout", "septembre", "octobre", "novembre", "decembre"),
)
_LONGEST = 40


class NotADate(ValueError):  # noqa: N818 - says what it is
    """The text is no birth date."""


class ShortYear(NotADate):
    """The year has not four digits: 03/02/75 may be a mistake for anything."""


def parse_birth_date(text: str, today: date) -> date:
    """The date that `text` means, day before month.

    Read are 03/02/1975, 3-2-1975, 3.2.1975, 3 2 1975, 03021975, 3 février 1975,
    1er mars 1975, and 1975-02-03 (as a browser's or a computer's format).

    Raises NotADate when it means none, or none in which a living person was
    born by `today`; ShortYear when only the year is incomplete.
    """
    # compatibility forms: digits of other widths; case and accents of months
    plain = unicodedata.normalize("NFKD", text[: 2 * _LONGEST]).casefold()
    plain = " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())
    plain = re.sub(r" ?([/.\-]) ?", r"\1", plain)
    for form in (_YEAR_FIRST, _DAY_FIRST, _TOGETHER, _IN_WORDS):
        if match := form.fullmatch(plain):
            return _date(match, today)
    raise NotADate("not a form of a date")


def _date(match: re.Match[str], today: date) -> date:
    parts = match.groupdict()
    if len(parts["year"]) == 2:
        raise ShortYear("the year has two digits")
    if len(parts["year"]) != 4:
        raise NotADate("no such year")
    month = _month(parts["word"]) if "word" in parts else int(parts["month"])
    try:
        found = date(int(parts["year"]), month, int(parts["day"]))
    except ValueError as error:
        raise NotADate("no such day") from error
    if found.year < _EARLIEST or found > today:
        raise NotADate("not a day of birth")
    return found


def _month(word: str) -> int:
    # janv, févr, sept, oct … but not the j of janvier, juin and juillet
    found = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(word)]
    if len(found) != 1 or len(word) < 3:
        raise NotADate("no such month")
    return found[0]
