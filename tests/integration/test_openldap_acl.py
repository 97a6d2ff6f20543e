"""Every cell of the ACL table, executed: what is granted works, what is not is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap
import ldap.filter
import pytest
import yaml

from lab import LabUnderTest
from module_utils import openldap_acl as acl
from openldap_client import Connection, Directory, ldif_add, person

pytestmark = [
    pytest.mark.uses("harpege"),
    pytest.mark.service("ldap1", "slapd"),
]

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = yaml.safe_load((REPOSITORY / "roles/openldap/files/acl.yml").read_text())
ROWS = acl.parse(TABLE)
WHO = acl.identities(TABLE)
PASSWORD = "acl-Essai-2026"
#: Attributes which the server writes; nobody's rights let anyone else do it.
OPERATIONAL = {
    "structuralObjectClass",
    "entryUUID",
    "entryCSN",
    "contextCSN",
    "memberOf",
    "modifyTimestamp",
    "pwdAccountLockedTime",
    "pwdChangedTime",
}
#: Values by attribute where the syntax asks for more than a word.
VALUES = {
    "supannListeRouge": "FALSE",
    "entTelephoneHidden": "FALSE",
    "supannAutreTelephone": "04 65 71 00 91",
    "telephoneNumber": "04 65 71 00 92",
    "facsimileTelephoneNumber": "04 65 71 00 93",
    "mobile": "04 65 71 00 94",
    "mailForwardingAddress": "ailleurs@example.org",
    "entMailQuota": "100",
    "preferredLanguage": "fr",
    "supannEmpDateFin": "20300101000000Z",
    "supannExtDateFin": "20300101000000Z",
    "supannEtuDateFin": "20300101000000Z",
    "supannEtuAnneeInscription": "2026",
    "supannCodeINSEEVilleDeNaissance": "13055",
    "supannCodeINSEEPaysDeNaissance": "99100",
    "supannOIDCDateDeNaissance": "1970-01-02",
    "supannCivilite": "Mme",
}
#: Attributes whose value is a DN.
NAMES = {
    "member",
    "supannParrainDN",
    "eduPersonOrgDN",
    "eduPersonOrgUnitDN",
    "eduPersonPrimaryOrgUnitDN",
}
#: Where the constraints of the directory allow one value only: taken away and given again in one
#: operation.
SINGLE = {"mail", "supannRessourceEtat"}
#: The login: a second one is refused to everybody (constraint); test_the_feed_makes_people shows
#: who may give one.
ONLY_AT_CREATION = {"uid"}
#: Without an equality rule there is nothing to compare, and no value to take away: read only is
#: tested.
NO_EQUALITY = {"facsimileTelephoneNumber"}

#: condition (None: the plain row) -> people who show it: state, more attributes
PEOPLE: dict[str | None, dict[str, tuple[str, dict[str, str]]]] = {
    None: {"acl-plain": ("A:SupannActif", {}), "acl-grace": ("A:SupannSursis", {})},
    "pre-created": {"acl-new": ("I:SupannPrecree", {})},
    "closed-or-unlisted": {
        "acl-red": ("A:SupannActif", {"supannListeRouge": "TRUE"}),
        "acl-closed": ("I:SupannExpire", {}),
    },
    "telephone-hidden": {"acl-hidden": ("A:SupannActif", {"entTelephoneHidden": "TRUE"})},
    "suspended-by-administration": {"acl-barred": ("S:SupannVerrouAdministratif", {})},
    "may-not-sign-in": {"acl-suspended": ("S:SupannVerrouAdministratif", {})},
}


@dataclass
class Scene:
    """The entries of these tests, and a connection for each identity."""

    directory: Directory
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    connections: dict[tuple[str, str], Connection | None] = field(default_factory=dict)

    def connection(self, who: str, target: str) -> Connection | None:
        """Signed in as who; None when that person may not sign in."""
        key = (who, target if who == "self" else "")
        if key not in self.connections:
            if who == "anonymous":
                self.connections[key] = self.directory.connect()
            elif who in ("self", "authenticated"):
                dn = target if who == "self" else self.directory.dn("acl-other")
                try:
                    self.connections[key] = self.directory.bind(dn, PASSWORD)
                except ldap.INVALID_CREDENTIALS:
                    self.connections[key] = None
            else:
                self.connections[key] = self.directory.as_service(who)
        return self.connections[key]


def _attributes(region: str) -> list[str]:
    return list(
        dict.fromkeys(a for row in ROWS if row.region == region for a in TABLE["sets"][row.set])
    )


def _person(directory: Directory, uid: str, state: str, more: dict[str, str]) -> dict[str, Any]:
    entry = person(uid, state)
    for name in _attributes("people"):
        if name in ("entry", "userPassword", *OPERATIONAL) or name in entry:
            continue
        if name in NAMES:
            entry[name] = directory.suffix
        elif name in ("mail", "supannAutreMail"):
            entry[name] = f"{uid}@{directory.lab.domain}"
        else:
            entry[name] = VALUES.get(name, f"x-{uid}")
    return {**entry, **more, "userPassword": PASSWORD}


@pytest.fixture(scope="module")
def scene(lab: LabUnderTest) -> Iterator[Scene]:
    directory = Directory(lab)
    scene = Scene(directory)
    people = {uid: args for group in PEOPLE.values() for uid, args in group.items()}
    people["acl-other"] = ("A:SupannActif", {})
    people["acl-locked"] = ("A:SupannActif", {})
    group = f"cn=acl-group,ou=groups,{lab.suffix}"
    dns = [group, *(directory.dn(uid) for uid in people), directory.dn("acl-fed")]
    directory.delete(*dns)
    text = ""
    for uid, (state, more) in people.items():
        entry = _person(directory, uid, state, more)
        text += ldif_add(directory.dn(uid), entry)
        scene.values[directory.dn(uid)] = {
            k: v if isinstance(v, str) else v[1] for k, v in entry.items()
        }
    group_entry = {
        "objectClass": ["groupOfNames"],
        "cn": "acl-group",
        "member": [directory.dn(uid) for uid in people],
    }
    text += ldif_add(group, group_entry)
    text += (
        # a password that was changed has a time
        f"dn: {directory.dn('acl-locked')}\nchangetype: modify\nreplace: userPassword\n"
        f"userPassword: {PASSWORD}\n\n"
        f"dn: {directory.dn('acl-locked')}\nchangetype: modify\nadd: pwdAccountLockedTime\n"
        "pwdAccountLockedTime: 20200101000000Z\n\n"
    )
    directory.as_root(text)
    structure = f"supannCodeEntite=DSI,ou=structures,{lab.suffix}"
    policy = f"cn=people,ou=policies,{lab.suffix}"
    scene.values |= {
        group: {"cn": "acl-group", "member": directory.dn("acl-plain")},
        structure: {"supannCodeEntite": "DSI", "ou": "Direction des systèmes d’information"},
        policy: {"cn": "people", "pwdMinLength": "6"},
        lab.suffix: {"dc": lab.suffix.split(",", maxsplit=1)[0].removeprefix("dc=")},
        f"ou=people,{lab.suffix}": {"ou": "people"},
        directory.service("portal"): {},
    }
    for dn, values in scene.values.items():
        for line in directory.root_search(dn, "(objectClass=*)", "+", scope="base").splitlines():
            name, _, value = line.partition(": ")
            if name in OPERATIONAL:
                values[name] = value
    yield scene
    directory.delete(*dns)


def targets(scene: Scene, row: acl.Row) -> list[str]:
    """Entries on which this row decides."""
    suffix = scene.directory.suffix
    if row.region == "people":
        if row.set in ("lock", "password-time"):
            return [scene.directory.dn("acl-locked")]
        return [scene.directory.dn(uid) for uid in PEOPLE[row.when]]
    return {
        "root": [suffix],
        "containers": [f"ou=people,{suffix}"],
        "structures": [f"supannCodeEntite=DSI,ou=structures,{suffix}"],
        "group entries": [f"cn=acl-group,ou=groups,{suffix}"],
        "service identities": [scene.directory.service("portal")],
        "rest": [f"cn=people,ou=policies,{suffix}"],
    }[row.region]


def reads(connection: Connection, dn: str, attribute: str) -> bool:
    try:
        found = connection.search_s(
            dn, ldap.SCOPE_BASE, "(objectClass=*)" if attribute != "entry" else None, [attribute]
        )
    except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
        return False
    return any(attribute.lower() in (n.lower() for n in entry) for _, entry in found)


def sees(connection: Connection, dn: str, what: str) -> bool:
    """Whether a search of one entry with this filter finds it."""
    try:
        return bool(connection.search_s(dn, ldap.SCOPE_BASE, what, ["1.1"]))
    except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
        return False


def compares(connection: Connection, dn: str, attribute: str, value: str) -> bool:
    try:
        return bool(connection.compare_s(dn, attribute, value.encode()))
    except (ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT):
        return False


def may_modify(connection: Connection, dn: str, mods: list[Any]) -> bool:
    """Whether rights allow a change that changes nothing.

    slapd checks the rights of a whole operation first. A value that is there already, or one that
    is not there to be removed, is refused only after that, with another code.
    """
    try:
        connection.modify_s(dn, mods)
    except (ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT, ldap.STRONG_AUTH_REQUIRED):
        return False
    except (ldap.TYPE_OR_VALUE_EXISTS, ldap.NO_SUCH_ATTRIBUTE):
        return True
    return True


OTHER = {
    "supannListeRouge": "TRUE",
    "entTelephoneHidden": "TRUE",
    "entMailQuota": "101",
    "supannEmpDateFin": "20310101000000Z",
    "supannExtDateFin": "20310101000000Z",
    "supannEtuDateFin": "20310101000000Z",
    "supannEtuAnneeInscription": "1999",
    "supannCodeINSEEVilleDeNaissance": "13001",
    "supannCodeINSEEPaysDeNaissance": "99101",
    "objectClass": "device",
    "supannAutreMail": "n@n.fr",
    "mailForwardingAddress": "n@n.fr",
    "pwdMinLength": "7",
}


#: (set, whether the row is for some values) -> a value that the row decides on, and another such
#: value that no entry has. For sets of which other rows decide on some values.
SAMPLES = {("class", True): ("supannPerson", "person"), ("class", False): ("device", "account")}


def can(
    scene: Scene, connection: Connection, dn: str, attribute: str, row: acl.Row
) -> tuple[set[str], set[str]]:
    """What the holder of a connection can do with an attribute of an entry, and what was tried."""
    value = scene.values[dn].get(attribute)
    assert value is not None, f"the scene lacks {attribute} of {dn}"
    other = scene.directory.dn("x") if attribute in NAMES else OTHER.get(attribute, "04 99")
    sample = row.example if row.values else value
    if (row.set, bool(row.values)) in SAMPLES:
        sample, other = SAMPLES[row.set, bool(row.values)]
    assert sample is not None
    out = {"read"} if reads(connection, dn, attribute) else set()
    tried = {"read", "search", "compare", "add", "delete"}
    if sample not in (value, "supannPerson"):
        # The entry has not this value: it can be neither found nor compared.
        tried -= {"search", "compare"}
    return out | _more(connection, dn, attribute, sample, other, tried), tried


def _more(
    connection: Connection, dn: str, attribute: str, value: str, other: str, tried: set[str]
) -> set[str]:
    """What can be done besides reading."""
    out: set[str] = set()
    if (
        attribute in NO_EQUALITY or attribute == "contextCSN"
    ):  # the latter is in memory, and in no filter's reach
        return out
    if "search" in tried and sees(
        connection, dn, f"({attribute}={ldap.filter.escape_filter_chars(value)})"
    ):
        out.add("search")
    if "compare" in tried and compares(connection, dn, attribute, value):
        out.add("compare")
    if attribute in OPERATIONAL or attribute in ONLY_AT_CREATION:
        return out
    if attribute in SINGLE:
        again = [
            (ldap.MOD_DELETE, attribute, [value.encode()]),
            (ldap.MOD_ADD, attribute, [value.encode()]),
        ]
        return out | ({"add", "delete"} if may_modify(connection, dn, again) else set())
    if may_modify(connection, dn, [(ldap.MOD_ADD, attribute, [value.encode()])]):
        out.add("add")
    if may_modify(connection, dn, [(ldap.MOD_DELETE, attribute, [other.encode()])]):
        out.add("delete")
    return out


CELLS = [
    pytest.param(row, who, id=f"{row.label}-{who}".replace(" ", "_"))
    for row in ROWS
    for who in WHO
    if row.set != "children" and not (who == "self" and row.region != "people")
]


@pytest.mark.parametrize(("row", "who"), CELLS)
def test_cell(scene: Scene, row: acl.Row, who: str) -> None:
    granted = acl.RIGHTS[row.right(who)][1]
    for dn in targets(scene, row):
        if row.set == "password":
            assert password_rights(scene, who, dn) == granted & {"auth", "add", "delete"}, dn
            continue
        if row.set == "lock" and who == "self":
            continue  # to sign in ends the lock that would be read
        connection = scene.connection(who, dn)
        if connection is None:
            # The state of this person forbids it, so no right of theirs can be used: that is a row
            # of its own.
            assert row.when in (
                *("pre-created", "closed-or-unlisted"),
                *("suspended-by-administration", "may-not-sign-in"),
            )
            continue
        attributes = TABLE["sets"][row.set]
        if row.set == "entry":
            assert sees(connection, dn, "(objectClass=*)") == ("read" in granted), dn
            continue
        if attributes == ["*"]:
            attributes = list(scene.values[dn].keys() - OPERATIONAL)
        for attribute in attributes:
            if attribute not in scene.values[dn] and row.region in ("root", "containers"):
                continue
            allowed = (
                granted - {"add", "delete"}
                if attribute in (*OPERATIONAL, *ONLY_AT_CREATION)
                else granted
            )
            if attribute in NO_EQUALITY or attribute == "contextCSN":
                allowed = allowed & {"read"}
            # `see` needs the entry itself to be readable, which it is wherever an attribute is.
            found, tried = can(scene, connection, dn, attribute, row)
            allowed &= tried
            if attribute == "mail":  # to compare also asks the right on its subtype supannAutreMail
                found, allowed = found - {"compare"}, allowed - {"compare"}
            assert found == allowed, f"{attribute} of {dn}"


def password_rights(scene: Scene, who: str, dn: str) -> set[str]:
    """What who can do with the password of dn; never more than try or set it."""
    service = dn.startswith("cn=")
    secret = scene.directory.lab.secret("ldap-portal") if service else PASSWORD
    if who == "anonymous":
        try:
            scene.directory.bind(dn, secret)
        except ldap.INVALID_CREDENTIALS:
            return set()
        return {"auth"}
    connection = scene.connection(who, dn)
    if connection is None:
        return set()
    assert not reads(connection, dn, "userPassword")
    assert not sees(connection, dn, "(userPassword=*)")
    assert not compares(connection, dn, "userPassword", secret)
    change = [(ldap.MOD_REPLACE, "userPassword", [secret.encode()])]
    return {"add", "delete"} if may_modify(connection, dn, change) else set()


@pytest.mark.parametrize("who", WHO)
def test_only_the_feed_makes_people_and_nobody_removes_them(scene: Scene, who: str) -> None:
    directory = scene.directory
    uid = "acl-fed" if who == "feed" else "acl-not-fed"
    dn = directory.dn(uid)
    connection = scene.connection(who, directory.dn("acl-plain"))
    assert connection is not None
    entry = [
        (k, [x.encode() for x in ([v] if isinstance(v, str) else v)])
        for k, v in person(uid, "I:SupannPrecree", supannEmpId=uid).items()
    ]
    if who == "feed":
        # A password is no attribute of the feed's, not even in a new entry.
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            connection.add_s(dn, [*entry, ("userPassword", [b"abc123"])])
        connection.add_s(dn, entry)
    else:
        with pytest.raises(
            (ldap.INSUFFICIENT_ACCESS, ldap.STRONG_AUTH_REQUIRED, ldap.NO_SUCH_OBJECT)
        ):
            connection.add_s(dn, entry)
    with pytest.raises((ldap.INSUFFICIENT_ACCESS, ldap.STRONG_AUTH_REQUIRED, ldap.NO_SUCH_OBJECT)):
        connection.delete_s(dn if who == "feed" else directory.dn("acl-plain"))


def activate(connection: Connection, dn: str, state: str, address: str) -> None:
    """Activation as the design has it: one operation."""
    connection.modify_s(
        dn,
        [
            (ldap.MOD_ADD, "userPassword", [b"abc123"]),
            (ldap.MOD_DELETE, "supannRessourceEtat", [b"{COMPTE}I:SupannPrecree"]),
            (ldap.MOD_ADD, "supannRessourceEtat", [state.encode()]),
            (ldap.MOD_ADD, "supannAutreMail", [address.encode()]),
            (ldap.MOD_ADD, "mail", [address.encode()]),
            (ldap.MOD_ADD, "supannConsentement", [b"{CHARTE}1"]),
        ],
    )


@pytest.mark.guide("G6f")
def test_activation_is_one_operation_and_happens_once(scene: Scene, lab: LabUnderTest) -> None:
    directory = scene.directory
    dn = directory.dn("acl-activate")
    directory.delete(dn)
    directory.add(dn, person("acl-activate", "I:SupannPrecree", supannEmpId="acl-77"))
    try:
        connection = directory.as_service("annuaire-activation")
        address = f"acl.activate@{lab.domain}"
        for wrong in ("{COMPTE}A:SupannSursis", "{COMPTE}I:SupannExpire"):
            with pytest.raises(ldap.INSUFFICIENT_ACCESS):
                activate(connection, dn, wrong, address)
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(dn, "abc123")
        activate(connection, dn, "{COMPTE}A:SupannActif", address)
        directory.bind(dn, "abc123")
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            connection.modify_s(dn, [(ldap.MOD_REPLACE, "userPassword", [b"other123"])])
        # A second address is refused by a constraint before slapd comes to the rights.
        with pytest.raises((ldap.INSUFFICIENT_ACCESS, ldap.CONSTRAINT_VIOLATION)):
            activate(connection, dn, "{COMPTE}A:SupannActif", address)
    finally:
        directory.delete(dn)


def test_without_signing_in_there_is_nothing_but_the_server_itself(lab: LabUnderTest) -> None:
    connection = Directory(lab).connect()
    ((_, root),) = connection.search_s(
        "", ldap.SCOPE_BASE, "(objectClass=*)", ["namingContexts", "supportedSASLMechanisms"]
    )
    assert lab.suffix.encode() in root["namingContexts"]
    for base in (
        lab.suffix,
        f"ou=people,{lab.suffix}",
        "cn=config",
        "cn=monitor",
        "cn=accesslog",
        "cn=Subschema",
    ):
        with contextlib.suppress(ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            assert (
                connection.search_s(base, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["1.1"]) == []
            ), base


@pytest.mark.parametrize("who", [w for w in WHO if w not in ("self", "anonymous")])
def test_only_root_reads_configuration_and_audit_trail_and_only_monitoring_the_monitor(
    scene: Scene, who: str
) -> None:
    connection = scene.connection(who, "")
    assert connection is not None
    for base in ("cn=config", "cn=accesslog"):
        assert not sees(connection, base, "(objectClass=*)"), base
    assert sees(connection, "cn=monitor", "(objectClass=*)") == (who == "monitoring")
