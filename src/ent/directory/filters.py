"""LDAP search filters (RFC 4515), built here and nowhere else.

A `Filter` can only be made by the functions of this module, which escape every
value; so a value typed by a person can never change the shape of a filter.
"""

import re
from dataclasses import dataclass

# attributedescription of RFC 4512: a name or a dotted OID, then options.
_ATTRIBUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]+)*")
# What RFC 4515 wants escaped in a value: NUL ( ) * and the backslash.
_SPECIAL = frozenset(b"\x00()*\\")


class FilterError(ValueError):
    """A filter cannot be built from what was given; the message says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One complete, correctly escaped filter; `str()` gives its text."""

    text: str

    def __str__(self) -> str:
        return self.text


def escape(value: str | bytes) -> str:
    """Return `value` as an assertion value of RFC 4515.

    Bytes that are not UTF-8 text are escaped one by one, so any binary value
    can be searched for.
    """
    try:
        raw = value.encode("utf-8") if isinstance(value, str) else value
    except UnicodeEncodeError as error:
        raise FilterError(f"not text that UTF-8 can hold: {value!r}") from error
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\{byte:02x}" for byte in raw)
    return b"".join(b"\\%02x" % byte if byte in _SPECIAL else bytes([byte]) for byte in raw).decode(
        "utf-8"
    )


def _attribute(name: str) -> str:
    if not _ATTRIBUTE.fullmatch(name):
        raise FilterError(f"not an attribute description: {name!r}")
    return name


def _value(attribute: str, value: str | bytes) -> str:
    if not value:
        raise FilterError(
            f"empty value for {attribute}: use present({attribute!r}) to match any value"
        )
    return escape(value)


def equals(attribute: str, value: str | bytes) -> Filter:
    """(attribute=value)."""
    return Filter(f"({_attribute(attribute)}={_value(attribute, value)})")


def present(attribute: str) -> Filter:
    """(attribute=*)."""
    return Filter(f"({_attribute(attribute)}=*)")


def starts_with(attribute: str, value: str) -> Filter:
    """(attribute=value*)."""
    return Filter(f"({_attribute(attribute)}={_value(attribute, value)}*)")


def ends_with(attribute: str, value: str) -> Filter:
    """(attribute=*value)."""
    return Filter(f"({_attribute(attribute)}=*{_value(attribute, value)})")


def contains(attribute: str, value: str) -> Filter:
    """(attribute=*value*)."""
    return Filter(f"({_attribute(attribute)}=*{_value(attribute, value)}*)")


def at_least(attribute: str, value: str) -> Filter:
    """(attribute>=value), in the attribute's own ordering."""
    return Filter(f"({_attribute(attribute)}>={_value(attribute, value)})")


def at_most(attribute: str, value: str) -> Filter:
    """(attribute<=value), in the attribute's own ordering."""
    return Filter(f"({_attribute(attribute)}<={_value(attribute, value)})")


def _combined(operator: str, filters: tuple[Filter, ...]) -> Filter:
    # An empty (&) is true and an empty (|) is false (RFC 4526): nobody means either.
    if not filters:
        raise FilterError(f"no filters to combine with {operator!r}")
    if len(filters) == 1:
        return filters[0]
    return Filter(f"({operator}{''.join(str(one) for one in filters)})")


def all_of(*filters: Filter) -> Filter:
    """Matches when every one of `filters` does."""
    return _combined("&", filters)


def any_of(*filters: Filter) -> Filter:
    """Matches when at least one of `filters` does."""
    return _combined("|", filters)


def negation(inner: Filter) -> Filter:
    """Matches when `inner` does not."""
    return Filter(f"(!{inner})")
