"""The feed's settings file (/etc/ent/harpege/settings.json), written by role `harpege_feed`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ent.directory import DirectorySettings
from ent.harpege.source import SourceSettings
from ent.web.config import load

DEFAULT_PATH = Path("/etc/ent/harpege/settings.json")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True)
class Ldap:
    """How to reach the directory (`ent.directory.DirectorySettings`).

    connections: changes under way at the same moment.
    """

    uri: str
    suffix: str
    bind_dn: str
    password: str = field(repr=False)
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    connect_timeout: float | int = 5
    timeout: float | int = 30
    connections: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= 32:
            raise ValueError(f"connections is {self.connections}, expected 1 to 32")
        self.settings()

    def settings(self) -> DirectorySettings:
        """For `ent.directory.Directory`."""
        return DirectorySettings(
            uri=self.uri,
            suffix=self.suffix,
            bind_dn=self.bind_dn,
            password=self.password,
            ca_file=self.ca_file,
            connect_timeout=float(self.connect_timeout),
            timeout=float(self.timeout),
            # one more than writes: the search that holds a connection while its pages are read
            pool_size=self.connections + 1,
        )


@dataclass(frozen=True)
class Title:
    """How a corps is called on pages, as public function of a man and of a woman."""

    masculine: str
    feminine: str


@dataclass(frozen=True)
class Policy:
    """What the university decides. Delays are in days.

    arrival_lead: before the first day of an assignment from which somebody is in the directory.
    grace: after the last day during which somebody still signs in.
    suspended: after that, no sign-in, mail still arrives; then the account is expired.
    excluded_contract_types: C_TYPE_CONTRAT_TRAV that make nobody staff (hourly teaching).
    researcher_populations, researcher_contract_types: C_TYPE_POPULATION and
        C_TYPE_CONTRAT_TRAV of researchers; teachers are who TEM_ENSEIGNANT says.
    accept_provisional: take career rows which are not firm (TEM_PROVISOIRE other than N).
    titles: C_CORPS → what pages say; other corps are called by LL_CORPS.
    corps_nomenclature: label of supannEmpCorps values ({NCORPS}301).
    establishment: {UAI}NUMBER of the university for supannEmpProfil, of which it is a
        mandatory part; "" writes no supannEmpProfil.
    """

    arrival_lead: int = 30
    grace: int = 30
    suspended: int = 180
    excluded_contract_types: tuple[str, ...] = ("VF", "VN")
    researcher_populations: tuple[str, ...] = ()
    researcher_contract_types: tuple[str, ...] = ()
    accept_provisional: bool = False
    titles: dict[str, Title] = field(default_factory=dict)
    corps_nomenclature: str = "NCORPS"
    establishment: str = ""

    def __post_init__(self) -> None:
        for name in ("arrival_lead", "grace", "suspended"):
            if not 0 <= getattr(self, name) <= 3650:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 3650 days")
        if self.establishment and not re.fullmatch(r"\{[A-Z]+\}[0-9A-Za-z]+", self.establishment):
            raise ValueError(f"establishment is {self.establishment!r}, expected {{UAI}}NUMBER")


@dataclass(frozen=True)
class Limits:
    """How many people may leave in one run before a person has to look.

    People whose last day the directory already knew and who leave on it do not count:
    they were announced. The others (vanished from Harpège, ended from one day to the
    next) are refused together when they are more than

    departures: this number, or
    share: this part of those who are there (0.05: one in twenty);
    few: but so many may always leave, whatever their share.
    """

    departures: int = 50
    share: float | int = 0.05
    few: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}, expected 0 to 1")
        if self.departures < 0 or self.few < 0:
            raise ValueError("departures and few are numbers of people, expected 0 or more")

    def allowed(self, present: int) -> int:
        """How many of `present` people may leave unannounced in one run."""
        return min(self.departures, max(self.few, int(present * self.share)))


@dataclass(frozen=True)
class Report:
    """The mail after a run that has something to say.

    to: addresses; with none, no mail is sent.
    smtp_host: "" sends through the program `sendmail`.
    smtp_tls: STARTTLS, with a certificate that the system's authorities vouch for: rejects
        name people.
    language: fr or en.
    """

    to: tuple[str, ...] = ()
    sender: str = "root"
    smtp_host: str = ""
    smtp_port: int = 25
    smtp_tls: bool = True
    sendmail: str = "/usr/sbin/sendmail"
    language: str = "fr"

    def __post_init__(self) -> None:
        if wrong := [one for one in self.to if not _ADDRESS.fullmatch(one)]:
            raise ValueError(f"to has {wrong[0]!r}, expected mail addresses")
        if self.language not in ("fr", "en"):
            raise ValueError(f"language is {self.language!r}, expected fr or en")


@dataclass(frozen=True)
class FeedConfig:
    """Everything the feed needs to know.

    domain: of the university: eduPersonPrincipalName is login@domain.
    legacy_domains: whose addresses `mailup` may write.
    state_directory: run records and the lock.
    timer: the systemd timer that `status` asks for the next run.
    overdue: hours after the last completed run from which `status` says so.
    """

    domain: str
    source: SourceSettings
    ldap: Ldap
    legacy_domains: tuple[str, ...] = ()
    policy: Policy = Policy()
    limits: Limits = Limits()
    report: Report = Report()
    state_directory: str = "/var/lib/ent-harpege"
    timer: str = "ent-harpege.timer"
    overdue: int = 30

    def __post_init__(self) -> None:
        for one in (self.domain, *self.legacy_domains):
            if not _DOMAIN.fullmatch(one):
                raise ValueError(f"{one!r} is no mail domain, expected one like univ-provence.fr")


def feed_config(path: Path | None = None) -> FeedConfig:
    """The settings in `path`, or in the file that ENT_HARPEGE_SETTINGS names."""
    return load(path or Path(os.environ.get("ENT_HARPEGE_SETTINGS", DEFAULT_PATH)), FeedConfig)
