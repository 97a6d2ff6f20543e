"""People as the help desk sees them: the state of their account, and nothing private."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ent.directory import AccountState, Directory, Entry, equals, instant

# pwdAccountLockedTime of an account that no time unlocks (draft-behera-ldap-password-policy).
_FOR_GOOD = "000001010000Z"


@dataclass(frozen=True, slots=True)
class Account:
    """A person of ou=people, as identity annuaire-helpdesk reads them.

    state: None when the directory holds none, or one this software does not know.
    since, until: of the state, when known (supannRessourceEtatDate).
    locked_at: when wrong passwords locked the account, if that is recorded; it may
        be over.
    locked_for_good: locked by the directory's administrator.
    """

    dn: str
    uid: str
    name: str
    mail: str
    affiliation: str
    structure: str
    state: AccountState | None
    since: date | None
    until: date | None
    locked_at: datetime | None
    locked_for_good: bool

    ATTRIBUTES = (
        "uid",
        "displayName",
        "cn",
        "givenName",
        "sn",
        "mail",
        "eduPersonPrimaryAffiliation",
        "supannEntiteAffectationPrincipale",
        "supannRessourceEtat",
        "supannRessourceEtatDate",
        "pwdAccountLockedTime",
    )

    @classmethod
    def from_entry(cls, entry: Entry) -> "Account":
        """From an entry read with ATTRIBUTES."""
        states = entry.texts("supannRessourceEtat")
        state = AccountState.of(states)
        dates = entry.texts("supannRessourceEtatDate")
        since, until = state.dates(dates) if state else (None, None)
        locked = entry.text("pwdAccountLockedTime")
        return cls(
            dn=entry.dn,
            uid=entry.text("uid"),
            name=entry.name,
            mail=entry.text("mail"),
            affiliation=entry.text("eduPersonPrimaryAffiliation"),
            structure=entry.text("supannEntiteAffectationPrincipale"),
            state=state,
            since=since,
            until=until,
            locked_at=None if locked == _FOR_GOOD else instant(locked),
            locked_for_good=locked == _FOR_GOOD,
        )

    @property
    def may_sign_in(self) -> bool:
        """Active, or in the grace period; locks apart."""
        return self.state is not None and self.state.may_sign_in

    def locked_until(self, now: datetime, lockout_seconds: int) -> datetime | None:
        """When the directory's lock ends; None when there is none (any more).

        lockout_seconds: pwdLockoutDuration; 0: until somebody lifts it, which is
        told as datetime.max.
        """
        if self.locked_for_good or (self.locked_at and lockout_seconds == 0):
            return datetime.max.replace(tzinfo=UTC)
        if self.locked_at is None:
            return None
        end = self.locked_at + timedelta(seconds=lockout_seconds)
        return end if end > now else None


def find_account(directory: Directory, uid: str) -> Account | None:
    """The person with this login. Raises DirectoryUnavailable."""
    if not uid:
        return None
    entry = directory.one(
        f"ou=people,{directory.settings.suffix}", equals("uid", uid), Account.ATTRIBUTES
    )
    return Account.from_entry(entry) if entry else None


def is_member(directory: Directory, group: str, account: Account) -> bool:
    """Whether the account is a member of the group, at this moment. Raises DirectoryUnavailable."""
    return directory.compare(group, "member", account.dn)
