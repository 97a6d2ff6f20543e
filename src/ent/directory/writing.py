"""Changes of entries, and what the directory's refusals mean."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import ldap
from ldap.controls import DecodeControlTuples
from ldap.controls.ppolicy import PasswordPolicyControl, PasswordPolicyError

from ent.directory.errors import (
    AlreadyExists,
    Conflict,
    DirectoryRefused,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    StaleEntry,
)


class _Operation(enum.IntEnum):
    ADD = ldap.MOD_ADD
    DELETE = ldap.MOD_DELETE
    REPLACE = ldap.MOD_REPLACE


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one attribute. Values are hidden in its repr: they may be passwords."""

    operation: _Operation
    attribute: str
    values: tuple[str, ...] = field(repr=False)

    @classmethod
    def add(cls, attribute: str, *values: str) -> Self:
        """Add values; one that is there already makes the operation fail (StaleEntry)."""
        if not values:
            raise ValueError(f"no value of {attribute} to add")
        return cls(_Operation.ADD, attribute, values)

    @classmethod
    def delete(cls, attribute: str, *values: str) -> Self:
        """Remove values, or with none all values; what is not there is StaleEntry."""
        return cls(_Operation.DELETE, attribute, values)

    @classmethod
    def replace(cls, attribute: str, *values: str) -> Self:
        """Put these values in the place of whatever is there; with none, remove all."""
        return cls(_Operation.REPLACE, attribute, values)

    def to_ldap(self) -> tuple[int, str, list[bytes] | None]:
        """In the form that python-ldap takes."""
        return int(self.operation), self.attribute, [one.encode() for one in self.values] or None


_KINDS: tuple[tuple[tuple[type[ldap.LDAPError], ...], type[DirectoryRefused]], ...] = (
    ((ldap.ALREADY_EXISTS,), AlreadyExists),
    ((ldap.NO_SUCH_OBJECT,), NoSuchEntry),
    ((ldap.INSUFFICIENT_ACCESS, ldap.STRONG_AUTH_REQUIRED), NotAllowed),
    ((ldap.TYPE_OR_VALUE_EXISTS, ldap.NO_SUCH_ATTRIBUTE, ldap.ASSERTION_FAILED), StaleEntry),
    (
        (
            ldap.CONSTRAINT_VIOLATION,
            ldap.OBJECT_CLASS_VIOLATION,
            ldap.INVALID_SYNTAX,
            ldap.UNDEFINED_TYPE,
            ldap.NAMING_VIOLATION,
            ldap.NOT_ALLOWED_ON_RDN,
        ),
        Conflict,
    ),
)


def refusal(error: ldap.LDAPError, message: str) -> DirectoryRefused | None:
    """The refusal that python-ldap's error stands for; None when it is not one."""
    for kinds, refused in _KINDS:
        if isinstance(error, kinds):
            reasons = policy_errors(error)
            if refused is Conflict and reasons:
                return PasswordRefused(message, reasons[0])
            return refused(message)
    return None


def policy_errors(error: ldap.LDAPError) -> Sequence[str]:
    """Names of errors in the password policy control that came with the answer, if one did."""
    detail: Any = error.args[0] if error.args else {}
    controls = detail.get("ctrls") or [] if isinstance(detail, dict) else []
    known = {PasswordPolicyControl.controlType: PasswordPolicyControl}
    return [
        PasswordPolicyError.namedValues.getName(control.error)
        for control in DecodeControlTuples(controls, known)
        if isinstance(control, PasswordPolicyControl) and control.error is not None
    ]
