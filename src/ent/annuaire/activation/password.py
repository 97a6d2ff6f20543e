"""The password rule, in characters.

slapd enforces the rule for every writer and counts bytes (ppolicy), so a form
that relies on it alone would take `éé1a`. Here characters are counted, and
letters and digits mean ASCII, as they do to slapd: what passes here passes there.
Nothing else is forbidden, but what cannot be typed again.
"""

import enum
import unicodedata

MIN_LENGTH = 6
# As many as anybody types, and far below what slapd, CAS and mail programs take.
MAX_LENGTH = 128
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
# Controls, halves of characters, line and paragraph separators: no keyboard gives them to a field.
_NOT_TYPED = frozenset({"Cc", "Cs", "Zl", "Zp"})
# What a decoder puts in the place of bytes that it did not understand.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Fault(enum.Enum):
    """Why a password breaks the rule."""

    SHORT = "short"
    NO_LETTER = "no letter"
    NO_DIGIT = "no digit"
    LONG = "long"
    NOT_TYPED = "not typed"
    LOGIN = "login"


def faults(password: str, login: str = "") -> tuple[Fault, ...]:
    """What is wrong with the password (guide, G6e); empty: nothing.

    login: whose it will be, which it must not be; "": not known here, or not to be told yet.

    At least 6 characters with an ASCII letter and an ASCII digit, at most
    MAX_LENGTH, no control character. A character is a Unicode code point: an
    accented letter is one, however many bytes it takes.
    """
    found = []
    if len(password) < MIN_LENGTH:
        found.append(Fault.SHORT)
    if not _LETTERS.intersection(password):
        found.append(Fault.NO_LETTER)
    if not _DIGITS.intersection(password):
        found.append(Fault.NO_DIGIT)
    if len(password) > MAX_LENGTH:
        found.append(Fault.LONG)
    if any(one == _REPLACEMENT or unicodedata.category(one) in _NOT_TYPED for one in set(password)):
        found.append(Fault.NOT_TYPED)
    if login and password.casefold() == login.casefold():
        found.append(Fault.LOGIN)
    return tuple(found)
