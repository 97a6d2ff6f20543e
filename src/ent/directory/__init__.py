"""The one layer between the applications and the LDAP directory.

    from ent.directory import Directory, DirectorySettings, DirectoryUnavailable, equals

    directory = Directory(DirectorySettings(uri="ldaps://ldap.example.org", ...))
    person = directory.person("jmartin")

A `Directory` may be shared by threads. Every failure to get an answer is a
`DirectoryUnavailable`; "there is no such entry" is `None` or an empty result.
"""

from ent.directory.connection import (
    Directory,
    DirectoryMisconfigured,
    DirectorySettings,
    DirectoryUnavailable,
    Scope,
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

__all__ = [
    "AccountState",
    "Directory",
    "DirectoryMisconfigured",
    "DirectorySettings",
    "DirectoryUnavailable",
    "Entry",
    "Filter",
    "FilterError",
    "Person",
    "Scope",
    "Structure",
    "all_of",
    "any_of",
    "at_least",
    "at_most",
    "contains",
    "ends_with",
    "equals",
    "negation",
    "present",
    "starts_with",
]
