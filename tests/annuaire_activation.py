"""A directory in memory: atomic changes, unique addresses, faults on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ent.directory import (
    AccountLocked,
    AccountState,
    Change,
    Conflict,
    Directory,
    DirectoryRefused,
    DirectorySettings,
    DirectoryUnavailable,
    Entry,
    Filter,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    Scope,
    StaleEntry,
)

SUFFIX = "dc=univ-provence,dc=fr"
DOMAIN = "univ-provence.fr"
LEGACY = ("up.univ-aix.fr", "up.univ-mrs.fr")
ADDRESSES = ("mail", "supannAutreMail")


def dn(uid: str) -> str:
    return f"uid={uid},ou=people,{SUFFIX}"


class MemoryDirectory(Directory):
    """People by login; what identity annuaire-activation may do with them.

    before_write, after_write: called around each change, with its number from 1;
        what they raise is what the caller sees (after: although it was made).
    before_read: called before each search and comparison.
    stale: what a change of an account says that is not pre-created any more; slapd
        answers in several ways, as its overlays and rules come to it.
    """

    def __init__(self) -> None:
        self.settings = DirectorySettings("ldaps://ldap.invalid", SUFFIX, "cn=x", "secret")
        self.people: dict[str, dict[str, list[str]]] = {}
        self.compared: list[tuple[str, str]] = []
        self.writes = 0
        self.locked = False
        self.stale: type[DirectoryRefused] = NotAllowed
        self.before_read: Callable[[], None] = lambda: None
        self.before_write: Callable[[int], None] = lambda _: None
        self.after_write: Callable[[int], None] = lambda _: None
        self._mutex = threading.RLock()

    def make(self, uid: str, given_name: str = "Ann", surname: str = "Oui", **more: Any) -> str:
        """A person not activated yet, with Harpège code 4711 born on 3 February 1975."""
        self.people[uid] = {
            "uid": [uid],
            "givenName": [given_name],
            "sn": [surname],
            "displayName": [f"{given_name} {surname}"],
            "supannRessourceEtat": [AccountState.PRE_CREATED.value],
            "supannEmpId": ["4711"],
            "supannOIDCDateDeNaissance": ["1975-02-03"],
        } | {name: [one] if isinstance(one, str) else list(one) for name, one in more.items()}
        return uid

    def one(
        self, base: str, where: Filter, attributes: Sequence[str], scope: Scope = Scope.SUBTREE
    ) -> Entry | None:
        found = self.search(base, where, attributes, scope, limit=2)
        return found[0] if found else None

    def search(
        self,
        base: str,
        where: Filter,
        attributes: Sequence[str],
        scope: Scope = Scope.SUBTREE,
        *,
        limit: int = 0,
    ) -> list[Entry]:
        self.before_read()
        wanted = re.findall(r"\((\w+)=([^()]*)\)", str(where))
        with self._mutex:
            return [
                Entry.from_ldap(
                    dn(uid),
                    {name: [one.encode() for one in person.get(name, [])] for name in attributes},
                )
                for uid, person in self.people.items()
                if any(
                    value.lower() in (one.lower() for one in person.get(name, []))
                    for name, value in wanted
                )
            ]

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        self.before_read()
        self.compared.append((attribute, value))
        return value in self._person(dn).get(attribute, [])

    def modify(self, dn: str, changes: Sequence[Change]) -> None:
        with self._mutex:
            self.writes += 1
            number = self.writes
        self.before_write(number)
        with self._mutex:
            person = self._person(dn)
            if not person:
                raise NoSuchEntry(dn)
            if person["supannRessourceEtat"] != [AccountState.PRE_CREATED.value]:
                raise self.stale(dn)
            after = {name: list(values) for name, values in person.items()}
            for change in changes:
                self._apply(dn, after, change)
            assert set(after.get("mail", [])) <= set(after.get("supannAutreMail", []))
            person.clear()
            person.update(after)
        self.after_write(number)

    def _apply(self, dn: str, entry: dict[str, list[str]], change: Change) -> None:
        values = entry.setdefault(change.attribute, [])
        operation = change.operation.name
        if operation == "REPLACE":
            values.clear()
        for value in change.values:
            present = value.lower() in (one.lower() for one in values)
            if operation == "DELETE":
                if not present:
                    raise StaleEntry(change.attribute)
                values.remove(value)
                continue
            if present:
                raise StaleEntry(change.attribute)
            if change.attribute in ADDRESSES and self._of_another(dn, value):
                raise Conflict("some attributes not unique")
            if change.attribute == "userPassword" and (
                len(value.encode()) < 6 or "refused" in value
            ):
                raise PasswordRefused("rule", "insufficientPasswordQuality")
            values.append(value)

    def _of_another(self, dn_: str, address: str) -> bool:
        return any(
            address.lower() == one.lower()
            for uid, person in self.people.items()
            if dn(uid) != dn_
            for name in ADDRESSES
            for one in person.get(name, [])
        )

    def check_password(self, dn: str, password: str) -> bool:
        self.before_read()
        if self.locked:
            raise AccountLocked(dn)
        return self._person(dn).get("userPassword") == [password]

    def ping(self) -> None:
        self.before_read()

    def _person(self, dn: str) -> dict[str, list[str]]:
        return self.people.get(dn.partition(",")[0].removeprefix("uid="), {})


class Down:
    """For before_read and before_write: the directory is away for the next `times` calls."""

    def __init__(self, times: int = 10**9) -> None:
        self.times = times

    def __call__(self, *_: Any) -> None:
        if self.times > 0:
            self.times -= 1
            raise DirectoryUnavailable("down")
