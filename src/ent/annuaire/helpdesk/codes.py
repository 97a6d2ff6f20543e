"""One-time codes: made to be read over the telephone, checked, and kept only as a keyed hash.

A code is nine digits in three groups, "482 719 354": digits are what French
ears confuse least (letters rhyme: B, C, D, G, P, T), and what every telephone
conversation is used to. Eight are random and the ninth is a check digit, so a
digit heard wrong, or two exchanged, is noticed before it counts as a try.
"""

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

RANDOM_DIGITS = 8
LENGTH = RANDOM_DIGITS + 1

# Damm's quasigroup of order 10 (H. M. Damm, 2004): finds every single wrong digit and
# every exchange of neighbours.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
# What people put between groups, or a word processor for them.
_BETWEEN = frozenset(" .-_/\u00a0\u202f\u2009\u2010\u2011\u2013\u2014\t")


class NotACode(ValueError):  # noqa: N818 - says what is wrong, as callers read it
    """What was typed cannot be a code: too few or too many digits, or one of them wrong."""


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """A code in clear: its digits. It has no repr, so that no log or error report shows one."""

    digits: str

    def __repr__(self) -> str:
        return "Code(…)"

    @property
    def groups(self) -> tuple[str, ...]:
        """As it is read out: three groups of three digits."""
        return tuple(self.digits[start : start + 3] for start in range(0, LENGTH, 3))

    def digest(self, key: bytes, person: str) -> bytes:
        """What is stored: of no use without the key, and for this person only."""
        text = f"help-desk-code:{person.lower()}:{self.digits}"
        return hmac.digest(key, text.encode(), hashlib.sha256)


def new_code() -> Code:
    """A code that nobody can guess: one in a hundred million."""
    digits = f"{secrets.randbelow(10**RANDOM_DIGITS):0{RANDOM_DIGITS}d}"
    return Code(digits + str(_check(digits)))


def read_code(typed: str) -> Code:
    """The code that somebody typed, with or without spaces, hyphens or dots.

    Raises NotACode: nothing was tried with it.
    """
    digits = []
    for character in unicodedata.normalize("NFKC", typed[:100]):
        if character in _BETWEEN:
            continue
        value = unicodedata.digit(character, -1)
        if value < 0:
            raise NotACode("not a digit")
        digits.append(str(value))
    text = "".join(digits)
    if len(text) != LENGTH:
        raise NotACode(f"{len(text)} digits, expected {LENGTH}")
    if _check(text) != 0:
        raise NotACode("a digit is wrong")
    return Code(text)


def _check(digits: str) -> int:
    """Damm's check digit of these; 0 when they end in theirs."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
