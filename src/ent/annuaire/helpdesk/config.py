"""Section `helpdesk` of the help desk's settings file."""

from dataclasses import dataclass, field

from ent.web.config import Database
from ent.web.texts import Text

# What the database lets nobody take away from the trail before (migration 0001).
SHORTEST_RETENTION_DAYS = 365


@dataclass(frozen=True, kw_only=True)
class SignOnConfig:
    """How to ask the sign-on how often a login failed there.

    database: its database, as a role that may call the functions of schema helpdesk only.
    failures_key: the key with which the sign-on hashes logins (`lemonldap_failures_key`).
    """

    database: Database
    failures_key: str

    def __post_init__(self) -> None:
        if len(self.failures_key) < 32:
            raise ValueError(
                f"failures_key has {len(self.failures_key)} characters, expected at least 32"
            )


@dataclass(frozen=True, kw_only=True)
class HelpdeskConfig:
    """What a site decides about the help desk.

    moves: database of the worker that moves subscriptions to new addresses; without a name:
        there is no such worker.
    staff_group, auditors_group: DN of the directory's groups of staff and of auditors.
    code_key: with this key codes are hashed; who reads the database alone can try none.
    code_minutes: life of a code. code_tries: wrong tries that end it.
    verification_minutes: for how long staff may give codes to a caller they verified.
    person_tries: verifications of one person that may fail in an hour, by anybody.
    agent_tries: verifications that may fail in an hour for one member of staff.
    idle_minutes: a session unused for longer ends.
    lockout_seconds: for how long the directory locks an account (pwdLockoutDuration).
    audit_days: how long a line of the trail is kept.
    not_found: paragraphs for staff when a caller is not in the directory.
    portal_url: where people go once they have a new password.
    """

    staff_group: str
    auditors_group: str
    code_key: str
    sign_on: SignOnConfig
    portal_url: str
    moves: Database = field(default_factory=lambda: Database(name=""))
    code_minutes: int = 10
    code_tries: int = 5
    verification_minutes: int = 15
    person_tries: int = 5
    agent_tries: int = 20
    idle_minutes: int = 20
    lockout_seconds: int = 900
    audit_days: int = 400
    not_found: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        for name in ("staff_group", "auditors_group"):
            if "=" not in getattr(self, name):
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected the DN of a group")
        if self.staff_group.lower() == self.auditors_group.lower():
            raise ValueError(
                "staff_group and auditors_group are the same group: "
                "who acts must not be the one who checks"
            )
        if len(self.code_key) < 32:
            raise ValueError(f"code_key has {len(self.code_key)} characters, expected at least 32")
        for name, least, most in (
            ("code_minutes", 1, 60),
            ("code_tries", 1, 10),
            ("verification_minutes", 1, 60),
            ("person_tries", 1, 20),
            ("agent_tries", 1, 100),
            ("idle_minutes", 1, 480),
            ("lockout_seconds", 0, 10**9),
            ("audit_days", SHORTEST_RETENTION_DAYS, 10**5),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
