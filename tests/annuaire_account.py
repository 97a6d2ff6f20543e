"""A directory in memory as annuaire-account and its people see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annuaire_activation import DOMAIN, MemoryDirectory
from ent.directory import (
    AccountLocked,
    AccountState,
    Change,
    Conflict,
    NoSuchEntry,
    PasswordRefused,
    StaleEntry,
    Structure,
    WrongPassword,
)

PASSWORD = "present-2026"
SINGLE = {"supannListeRouge", "entTelephoneHidden"}
# What one's own page may write, by the table of access (roles/openldap/files/acl.yml).
WRITABLE = SINGLE | {"supannMailPerso"}
ADDED_TO = {"supannConsentement"}


class AccountDirectory(MemoryDirectory):
    """People who have accounts; wrong passwords lock like slapd's."""

    lock_after = 10

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[str, str] = {}
        self.failures = 0
        self.structures = {"DSI": "Direction des systèmes d’information"}
        self.modified: list[tuple[str, tuple[Change, ...]]] = []

    def account(self, uid: str = "jdurand", **more: Any) -> str:
        """An active account with a password."""
        self.make(
            uid,
            "Jeanne",
            "Durand",
            supannRessourceEtat=AccountState.ACTIVE.value,
            mail=f"{uid}@{DOMAIN}",
            supannAutreMail=[f"{uid}@{DOMAIN}"],
            telephoneNumber="04 65 71 00 41",
            eduPersonAffiliation=["employee", "staff", "member"],
            eduPersonPrimaryAffiliation="staff",
            supannEntiteAffectationPrincipale="DSI",
            supannConsentement="{CHARTE}2026-1:20261123083000Z",
            **more,
        )
        self.passwords[uid] = PASSWORD
        return uid

    def values(self, uid: str, attribute: str) -> list[str]:
        return self.people[uid].get(attribute, [])

    def structure(self, code: str) -> Structure | None:
        self.before_read()
        name = self.structures.get(code)
        return Structure(f"supannCodeEntite={code}", code, name, "") if name else None

    def modify(self, dn: str, changes: Sequence[Change]) -> None:
        self.writes += 1
        number = self.writes
        self.before_write(number)
        person = self._person(dn)
        if not person:
            raise NoSuchEntry(dn)
        after = {name: list(values) for name, values in person.items()}
        for change in changes:
            self._one(after, change)
        person.clear()
        person.update({name: values for name, values in after.items() if values})
        self.modified.append((dn, tuple(changes)))
        self.after_write(number)

    def _one(self, entry: dict[str, list[str]], change: Change) -> None:
        name, operation = change.attribute, change.operation.name
        assert name in WRITABLE or (name in ADDED_TO and operation == "ADD"), change
        values = entry.setdefault(name, [])
        for value in change.values:
            if operation == "DELETE":
                if value not in values:
                    raise StaleEntry(name)
                values.remove(value)
            else:
                if value in values:
                    raise StaleEntry(name)
                if values and name in SINGLE:
                    raise Conflict("multiple values provided")
                if "refused" in value:
                    raise Conflict("constraint")
                values.append(value)

    def change_password(self, dn: str, old: str, new: str) -> None:
        self.before_read()
        uid = dn.partition(",")[0].removeprefix("uid=")
        self._try(uid, old)
        self.writes += 1
        number = self.writes
        self.before_write(number)
        if "refused" in new:
            raise PasswordRefused("rule", "passwordInHistory")
        self.passwords[uid] = new
        self.after_write(number)

    def check_password(self, dn: str, password: str) -> bool:
        self.before_read()
        uid = dn.partition(",")[0].removeprefix("uid=")
        try:
            self._try(uid, password)
        except AccountLocked:
            raise
        except WrongPassword:
            return False
        return True

    def _try(self, uid: str, password: str) -> None:
        if self.locked or self.failures >= self.lock_after:
            raise AccountLocked(uid)
        if self.passwords.get(uid) != password:
            self.failures += 1
            raise WrongPassword(uid)
        self.failures = 0
