"""The settings file, /etc/ent/mailmove/settings.json, written by role `mailbox_migration`."""

from dataclasses import dataclass, field

from ent.web.config import Ldap


@dataclass(frozen=True, kw_only=True)
class Target:
    """The new server: IMAP over TLS, as a user that may act for whom it names.

    host: its name, which its certificate must carry.
    ca_file: authorities that may have signed the certificate.
    timeout: seconds to wait for an answer.
    """

    host: str
    port: int
    ca_file: str
    user: str
    password: str = field(repr=False)
    timeout: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the worker needs to know.

    mailboxes: folder of the legacy mailboxes, one folder per login in it.
    imap: program that speaks IMAP on its standard input for the login after `-u`.
    state_dir: folder of the ledger. status_dir: folder of what others may know.
    movers: people whose mailboxes are copied at the same time.
    look_seconds: how often mailboxes already moved are looked at for latecomers.
    retry_seconds: the longest pause before something that is away is tried again.
    reconcile_seconds: how often every mailbox is compared with the directory.
    keep_days: days that messages stay on the legacy server after they were copied.
    """

    ldap: Ldap
    target: Target
    mailboxes: str
    imap: str
    state_dir: str
    status_dir: str
    movers: int
    look_seconds: int
    retry_seconds: int
    reconcile_seconds: int
    keep_days: int

    def __post_init__(self) -> None:
        for name, least in (
            ("movers", 1),
            ("look_seconds", 1),
            ("retry_seconds", 1),
            ("reconcile_seconds", 1),
            ("keep_days", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} or more")
        if not self.target.password:
            raise ValueError("target.password is empty, expected the password of target.user")
