"""Activation, step by step, without HTTP: find, prove, activate.

Everything that activation changes is in one LDAP modify: password, state,
address, acceptance of the charter. It removes the value "pre-created" by name,
so of two at the same time one is refused, whichever comes second, and it can be
repeated when no answer came.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ent.annuaire.activation.charter import Acceptance
from ent.annuaire.uncertain import OutcomeUnknown, patiently
from ent.directory import (
    AccountLocked,
    AccountState,
    Change,
    Conflict,
    Directory,
    DirectoryMisconfigured,
    DirectoryUnavailable,
    Entry,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    StaleEntry,
    WriteUncertain,
    any_of,
    equals,
)
from ent.naming import address_candidates

log = logging.getLogger(__name__)

# Somebody changed the entry meanwhile, or no answer came: look again, so often.
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody of the directory, as activation sees them.

    aliases: every address they have or had (supannAutreMail), mail included.
    state: None when the directory knows none, or one that this software does not.
    """

    dn: str
    uid: str
    name: str
    given_name: str
    surname: str
    mail: str
    aliases: tuple[str, ...]
    state: AccountState | None

    ATTRIBUTES = (
        "uid",
        "displayName",
        "cn",
        "givenName",
        "sn",
        "mail",
        "supannAutreMail",
        "supannRessourceEtat",
    )

    @classmethod
    def from_entry(cls, entry: Entry) -> "Candidate":
        """From an entry read with ATTRIBUTES."""
        return cls(
            dn=entry.dn,
            uid=entry.text("uid"),
            name=entry.name,
            given_name=entry.text("givenName"),
            surname=entry.text("sn"),
            mail=entry.text("mail"),
            aliases=entry.texts("supannAutreMail"),
            state=AccountState.of(entry.texts("supannRessourceEtat")),
        )

    @property
    def offered(self) -> bool:
        """Whether « activer mon compte » is for them: not activated yet."""
        return self.state is AccountState.PRE_CREATED


@dataclass(frozen=True, slots=True)
class Activated:
    """What the last page tells.

    former: addresses of the legacy mail servers, which from now on lead to `address`.
    """

    uid: str
    name: str
    address: str
    former: tuple[str, ...]


class NotOffered(Exception):  # noqa: N818 - says what happened, as callers read it
    """The account is not, or not any more, to be activated; nothing was changed now.

    state: what it is instead; None: there is no such account.
    """

    def __init__(self, state: AccountState | None) -> None:
        super().__init__(state.name if state else "no account")
        self.state = state


@dataclass(frozen=True)
class Activation:
    """The steps, on the directory as identity annuaire-activation sees it.

    domain: of the addresses that are given.
    legacy_domains: of the old mail servers.
    patience: seconds to wait for a directory that stopped answering in the middle.
    """

    directory: Directory
    domain: str
    legacy_domains: tuple[str, ...] = ()
    patience: float = 4.0

    def find(self, uid: str) -> Candidate | None:
        """The person with this login; None: there is none.

        Raises DirectoryUnavailable.
        """
        entry = self.directory.one(
            f"ou=people,{self.directory.settings.suffix}",
            equals("uid", uid),
            Candidate.ATTRIBUTES,
        )
        return Candidate.from_entry(entry) if entry else None

    def proves(self, candidate: Candidate, code: str, birth_date: date) -> bool:
        """Whether both proofs of identity are right; which one is wrong is nobody's to know.

        The directory compares; nothing is read. Both comparisons are always
        made, so that the time taken tells nothing.

        Raises DirectoryUnavailable.
        """
        right_code = self.directory.compare(candidate.dn, "supannEmpId", code)
        right_date = self.directory.compare(
            candidate.dn, "supannOIDCDateDeNaissance", birth_date.isoformat()
        )
        return right_code and right_date

    def activate(self, uid: str, password: str, acceptance: Acceptance) -> Activated:
        """Activate the account of somebody who has proved who they are.

        Done twice with the same password (double click, reload, an answer that
        was lost), it says both times what was done.

        Raises:
            NotOffered: activated with another password, closed, or gone.
            PasswordRefused: the directory's rule; nothing was changed.
            OutcomeUnknown: no answer, and none to the question what became of it.
            DirectoryUnavailable: nothing was changed.

        """
        unanswered = False
        last: Exception | None = None
        for _ in range(_ROUNDS):
            person = self._look(uid) if unanswered else self.find(uid)
            if person is None or not person.offered:
                return self._settled(person, password)
            try:
                address = self._write(person, password, acceptance)
            except PasswordRefused:
                raise
            except (StaleEntry, NotAllowed, NoSuchEntry, Conflict) as error:
                # Changed between the look and the write: the next look says into what.
                # A second activation comes as any of these, whichever rule slapd applies first.
                last = error
            except WriteUncertain as error:
                # to write again is safe: the state can be moved once only
                log.warning("activation of %s: no answer, looking again: %s", uid, error)
                unanswered, last = True, error
            except DirectoryUnavailable as error:
                if not unanswered:
                    raise
                last = error
            else:
                log.info("activated: %s", person.uid)
                return self._activated(person, address)
        if unanswered:
            raise OutcomeUnknown(uid) from last
        raise DirectoryMisconfigured(f"{uid}: refused {_ROUNDS} times: {last}") from last

    def _look(self, uid: str) -> Candidate | None:
        """Find, with patience: what was written without an answer has to become known."""
        try:
            return patiently(lambda: self.find(uid), self.patience)
        except DirectoryUnavailable as error:
            raise OutcomeUnknown(uid) from error

    def _settled(self, person: Candidate | None, password: str) -> Activated:
        """The account is not to be activated (any more): maybe this very request did it."""
        if person is None:
            raise NotOffered(None)
        if person.state is not None and person.state.may_sign_in:
            try:
                same = self.directory.check_password(person.dn, password)
            except AccountLocked:
                same = False
            except DirectoryUnavailable as error:
                raise OutcomeUnknown(person.uid) from error
            if same:
                return self._activated(person, person.mail)
        raise NotOffered(person.state)

    def _write(self, person: Candidate, password: str, acceptance: Acceptance) -> str:
        """The one modify, with the first address that the directory lets through; returns it."""
        for address in self._addresses(person):
            try:
                self.directory.modify(person.dn, _changes(person, address, password, acceptance))
            except PasswordRefused:
                raise
            except Conflict:
                if not self._taken(address, person.dn):
                    raise
                log.info("activation of %s: %s is somebody else's", person.uid, address)
            else:
                return address
        raise DirectoryMisconfigured(f"{person.dn}: each of their addresses is somebody else's")

    def _addresses(self, person: Candidate) -> Iterator[str]:
        """Addresses to try: who had one keeps it, for others the naming rule (guide, G7b)."""
        if person.mail:
            yield person.mail
            return
        yield from (one for one in person.aliases if _domain(one) == self.domain)
        for address in address_candidates(person.given_name, person.surname, self.domain):
            if not self._taken(address, person.dn):
                yield address

    def _taken(self, address: str, dn: str) -> bool:
        """Whether somebody else has or had this address; the unique overlay has the last word."""
        found = self.directory.search(
            f"ou=people,{self.directory.settings.suffix}",
            any_of(equals("mail", address), equals("supannAutreMail", address)),
            [],
            limit=2,
        )
        return any(entry.dn.lower() != dn.lower() for entry in found)

    def _activated(self, person: Candidate, address: str) -> Activated:
        return Activated(
            uid=person.uid,
            name=person.name,
            address=address,
            former=tuple(
                sorted(one for one in person.aliases if _domain(one) in self.legacy_domains)
            ),
        )


def _changes(
    person: Candidate, address: str, password: str, acceptance: Acceptance
) -> list[Change]:
    changes = [
        Change.delete("supannRessourceEtat", AccountState.PRE_CREATED.value),
        Change.add("supannRessourceEtat", AccountState.ACTIVE.value),
        # in clear over TLS: slapd checks its rule and hashes
        Change.replace("userPassword", password),
        Change.add("supannConsentement", acceptance.consent),
    ]
    if not person.mail:
        if address.lower() not in (one.lower() for one in person.aliases):
            changes.append(Change.add("supannAutreMail", address))
        changes.append(Change.add("mail", address))
    return changes


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
