"""The one layer between the applications and the LDAP directory.

    from ent.directory import Directory, DirectorySettings, DirectoryUnavailable, equals

    directory = Directory(DirectorySettings(uri="ldaps://ldap.example.org", ...))
    person = directory.person("jmartin")

A `Directory` may be shared by threads. Every failure to get an answer is a
`DirectoryUnavailable`; "there is no such entry" is `None` or an empty result; a
change that the directory refuses is a `DirectoryRefused`.
"""

from ent.directory.connection import Directory, DirectorySettings, Scope
from ent.directory.errors import (
    AccountLocked,
    AlreadyExists,
    Conflict,
    DirectoryMisconfigured,
    DirectoryRefused,
    DirectoryUnavailable,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    StaleEntry,
    WriteUncertain,
    WrongPassword,
)
from ent.directory.filters import (
    Filter,
    FilterError,
    all_of,
    any_of,
    at_least,
    at_most,
    contains,
    ends_with,
    equals,
    negation,
    present,
    starts_with,
)
from ent.directory.model import AccountState, Entry, Person, Structure
from ent.directory.times import day, instant
from ent.directory.writing import Change

__all__ = [
    "AccountLocked",
    "AccountState",
    "AlreadyExists",
    "Change",
    "Conflict",
    "Directory",
    "DirectoryMisconfigured",
    "DirectoryRefused",
    "DirectorySettings",
    "DirectoryUnavailable",
    "Entry",
    "Filter",
    "FilterError",
    "NoSuchEntry",
    "NotAllowed",
    "PasswordRefused",
    "Person",
    "Scope",
    "StaleEntry",
    "Structure",
    "WriteUncertain",
    "WrongPassword",
    "all_of",
    "any_of",
    "at_least",
    "at_most",
    "contains",
    "day",
    "ends_with",
    "equals",
    "instant",
    "negation",
    "present",
    "starts_with",
]
