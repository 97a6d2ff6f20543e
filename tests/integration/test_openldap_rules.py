"""What slapd itself enforces: encryption, passwords, addresses, references; and what it records."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import ldap
import pytest
from ldap.controls.ppolicy import PasswordPolicyControl
from ldap.syncrepl import SyncDoneControl, SyncRequestControl

from lab import LabUnderTest, wait_for
from openldap_client import HOST, Connection, Directory, ldif_add, person

pytestmark = [
    pytest.mark.uses("ldap1"),
    pytest.mark.service("ldap1", "slapd"),
]

PASSWORD = "depart-2026"
ACCOUNT_LOCKED = 1  # draft-behera-ldap-password-policy
ACCEPTED = [
    "abc123",
    "ABC123",
    "a1____",
    "éé1a",
]  # the last has 4 characters in 6 bytes: slapd counts bytes
REFUSED = [
    "abc12",
    "abcdef",
    "123456",
    "!!!!!1",
    "ab1é",
    "éàùç12",
]  # 5 bytes; accented letters are no letters


@pytest.fixture(scope="module")
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture
def make(directory: Directory) -> Iterator[Callable[..., str]]:
    """Make invented people, who are gone after the test."""
    made: list[str] = []

    def one(uid: str, state: str = "A:SupannActif", **attributes: Any) -> str:
        dn = directory.dn(uid)
        directory.delete(dn)
        made.append(dn)
        directory.add(dn, person(uid, state, **{"userPassword": PASSWORD, **attributes}))
        return dn

    yield one
    directory.delete(*made)


def replace(connection: Connection, dn: str, attribute: str, *values: str) -> None:
    connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute, [v.encode() for v in values])])


# Encryption


def test_a_password_in_clear_is_refused(directory: Directory, lab: LabUnderTest) -> None:
    connection = directory.connect("ldap")
    with pytest.raises(ldap.CONFIDENTIALITY_REQUIRED):
        connection.simple_bind_s(directory.service("portal"), lab.secret("ldap-portal"))
    with pytest.raises(ldap.CONFIDENTIALITY_REQUIRED):
        connection.search_s("", ldap.SCOPE_BASE)


def test_starttls_is_accepted(directory: Directory, lab: LabUnderTest) -> None:
    connection = directory.connect("ldap")
    connection.start_tls_s()
    connection.simple_bind_s(directory.service("portal"), lab.secret("ldap-portal"))
    assert connection.whoami_s() == f"dn:{directory.service('portal')}"


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_versions(lab: LabUnderTest, version: ssl.TLSVersion, accepted: bool) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    name = f"ldap.{lab.domain}"
    with socket.create_connection((name, 636), timeout=10) as plain:
        if not accepted:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain, server_hostname=name)
        else:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                assert secured.version()


# Passwords


@pytest.mark.guide("G6e")
@pytest.mark.parametrize("password", [*ACCEPTED, *REFUSED])
@pytest.mark.parametrize(
    "writer",
    [
        "self by ldappasswd",
        "self by modify",
        "help desk by ldappasswd",
        "help desk by modify",
        "activation",
    ],
)
def test_password_rule(
    directory: Directory, make: Callable[..., str], writer: str, password: str
) -> None:
    if writer == "activation":
        dn = make("regle", "I:SupannPrecree", userPassword=[])
        connection = directory.as_service("annuaire-activation")
    else:
        dn = make("regle")
        connection = (
            directory.bind(dn, PASSWORD)
            if writer.startswith("self")
            else directory.as_service("annuaire-helpdesk")
        )

    def write() -> None:
        if writer.endswith("ldappasswd"):
            connection.passwd_s(dn, None, password)
        elif writer == "activation":
            connection.modify_s(
                dn,
                [
                    (ldap.MOD_ADD, "userPassword", [password.encode()]),
                    (ldap.MOD_DELETE, "supannRessourceEtat", [b"{COMPTE}I:SupannPrecree"]),
                    (ldap.MOD_ADD, "supannRessourceEtat", [b"{COMPTE}A:SupannActif"]),
                ],
            )
        else:
            replace(connection, dn, "userPassword", password)

    if password in ACCEPTED:
        write()
        directory.bind(dn, password)
        stored = directory.root_search(dn, "(objectClass=*)", "userPassword", scope="base")
        assert "userPassword:: e0FSR09OMn0" in stored  # {ARGON2}
    else:
        with pytest.raises(ldap.CONSTRAINT_VIOLATION):
            write()
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(dn, password)


def test_a_hash_made_elsewhere_is_refused(directory: Directory, make: Callable[..., str]) -> None:
    dn = make("hache")
    with pytest.raises(ldap.CONSTRAINT_VIOLATION):
        replace(
            directory.as_service("annuaire-helpdesk"),
            dn,
            "userPassword",
            "{SSHA}bm90IGEgcmVhbCBoYXNo",
        )


def policy(directory: Directory, name: str) -> str:
    found = directory.root_search(
        f"cn=people,ou=policies,{directory.suffix}", "(objectClass=*)", name, scope="base"
    )
    return found.split(f"{name}: ")[1].split("\n")[0]


def lock(directory: Directory, dn: str) -> None:
    """As many wrong passwords as lock an account."""
    for _ in range(int(policy(directory, "pwdMaxFailure"))):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(dn, "wrong-password-1")


def bind_error(directory: Directory, dn: str, password: str) -> int | None:
    """What the password policy control of a refused sign-in says; None when it is accepted."""
    connection = directory.connect()
    message = connection.simple_bind(dn, password, serverctrls=[PasswordPolicyControl()])
    try:
        connection.result3(message)
    except ldap.INVALID_CREDENTIALS as error:
        for oid, _, value in error.args[0]["ctrls"]:
            if oid == PasswordPolicyControl.controlType:
                control = PasswordPolicyControl()
                control.decodeControlValue(value)
                return int(control.error) if control.error is not None else -1
        return -1
    return None


def test_lockout_and_its_lifting_by_a_new_password(
    directory: Directory, make: Callable[..., str]
) -> None:
    dn = make("verrou")
    lock(directory, dn)
    assert bind_error(directory, dn, PASSWORD) == ACCOUNT_LOCKED
    directory.as_service("annuaire-helpdesk").passwd_s(dn, None, "nouveau2026")
    directory.bind(dn, "nouveau2026")


def test_lockout_ends_by_itself(directory: Directory, make: Callable[..., str]) -> None:
    dn = make("verroutemps")
    entry = f"cn=people,ou=policies,{directory.suffix}"
    usual = policy(directory, "pwdLockoutDuration")
    change = "dn: {}\nchangetype: modify\nreplace: pwdLockoutDuration\npwdLockoutDuration: {}\n"
    directory.as_root(change.format(entry, 5))
    try:
        lock(directory, dn)
        assert bind_error(directory, dn, PASSWORD) == ACCOUNT_LOCKED
        wait_for(lambda: bind_error(directory, dn, PASSWORD) is None, what="the lock ends")
    finally:
        directory.as_root(change.format(entry, usual))


def test_nobody_can_lock_a_service_out(directory: Directory) -> None:
    lock(directory, directory.service("portal"))
    directory.as_service("portal")


@pytest.mark.parametrize("uid", ["ygarnier", "mroux", "pdurand"])
def test_who_may_not_sign_in_cannot_bind(directory: Directory, lab: LabUnderTest, uid: str) -> None:
    password = "anything1" if uid == "ygarnier" else lab.secret(f"person-{uid}")
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        directory.bind(directory.dn(uid), password)


@pytest.mark.parametrize("uid", ["jmartin", "alefevre", "kbenali", "tnguyen"])
def test_who_may_sign_in_binds(directory: Directory, lab: LabUnderTest, uid: str) -> None:
    assert (
        directory.bind(directory.dn(uid), lab.secret(f"person-{uid}")).whoami_s()
        == f"dn:{directory.dn(uid)}"
    )


# Values


@pytest.mark.parametrize("held", ["mail", "supannAutreMail"])
@pytest.mark.parametrize("wanted", ["mail", "supannAutreMail"])
def test_an_address_belongs_to_one_person(
    directory: Directory, make: Callable[..., str], held: str, wanted: str
) -> None:
    address = f"unique.essai@{directory.lab.domain}"
    other = f"autre.essai@{directory.lab.domain}"
    first = {
        "mail": {"mail": address, "supannAutreMail": address},
        "supannAutreMail": {"mail": other, "supannAutreMail": [address, other]},
    }[held]
    make("unique1", **first)
    second = make("unique2", "I:SupannPrecree", supannAutreMail=f"unique2@{directory.lab.domain}")
    upper = address.upper()
    change = f"dn: {second}\nchangetype: modify\nadd: supannAutreMail\nsupannAutreMail: {upper}\n"
    if wanted == "mail":
        change += f"-\nadd: mail\nmail: {upper}\n"
    with pytest.raises(AssertionError, match="non-unique"):
        directory.as_root(change)
    # The same in a new entry.
    attributes = (
        {"mail": upper, "supannAutreMail": upper}
        if wanted == "mail"
        else {"supannAutreMail": upper}
    )
    with pytest.raises(AssertionError, match="non-unique"):
        make("unique3", **attributes)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"mail": "seul@univ.fr"}, "constraint"),  # not among the addresses of the person
        ({"mail": ["a@b.fr", "c@b.fr"], "supannAutreMail": ["a@b.fr", "c@b.fr"]}, "constraint"),
        ({"supannAutreMail": "pas une adresse"}, "constraint"),
        ({"supannRessourceEtat": "{COMPTE}A:Inconnu"}, "constraint"),
        (
            {"supannRessourceEtat": ["{COMPTE}A:SupannActif", "{COMPTE}I:SupannExpire"]},
            "constraint",
        ),
        ({"supannEmpId": "10001"}, "non-unique"),
        ({"supannListeRouge": "peut-être"}, "invalid per syntax"),
    ],
)
def test_values_which_would_break_a_rule_are_refused(
    directory: Directory, attributes: dict[str, Any], said: str
) -> None:
    dn = directory.dn("contrainte")
    try:
        with pytest.raises(AssertionError, match=said):
            directory.add(dn, person("contrainte") | attributes)
    finally:
        directory.delete(dn)


def test_a_login_has_its_form(directory: Directory) -> None:
    for uid in ("Majuscule", "1chiffre", "espace uid", "é"):
        with pytest.raises(AssertionError, match="constraint"):
            directory.add(directory.dn(uid), person(uid))


def test_groups_follow_people(directory: Directory, make: Callable[..., str]) -> None:
    dn, other = make("membre"), make("membre2")
    group = f"cn=essai-membres,ou=groups,{directory.suffix}"
    directory.delete(group)
    directory.add(
        group,
        {
            "objectClass": ["groupOfNames", "supannGroupe"],
            "cn": "essai-membres",
            "member": [dn, other],
            "supannGroupeAdminDN": dn,
        },
    )
    try:
        assert f"memberOf: {group}" in directory.root_search(
            dn, "(objectClass=*)", "memberOf", scope="base"
        )
        directory.delete(dn)
        wait_for(
            lambda: dn not in directory.root_search(group, scope="base"),
            what="references to a person end",
        )
        directory.delete(other)
        # A group may not be empty.
        wait_for(
            lambda: "member: cn=nobody" in directory.root_search(group, scope="base"),
            what="the stand-in",
        )
    finally:
        directory.delete(group)


# Limits


def test_a_reader_gets_as_many_entries_as_it_needs(directory: Directory, lab: LabUnderTest) -> None:
    text = "".join(ldif_add(directory.dn(f"nombre{n}"), person(f"nombre{n}")) for n in range(60))
    dns = [directory.dn(f"nombre{n}") for n in range(60)]
    directory.as_root(text)
    try:
        where = (f"ou=people,{lab.suffix}", ldap.SCOPE_ONELEVEL, "(uid=nombre*)", ["uid"])
        assert len(directory.as_service("sympa").search_s(*where)) == 60
        with pytest.raises(ldap.SIZELIMIT_EXCEEDED):
            directory.as_service("lemonldap").search_s(*where)
    finally:
        directory.as_root("".join(f"dn: {dn}\nchangetype: delete\n\n" for dn in dns))


# Following and recording


def test_the_audit_trail_says_who_did_what_when(
    lab: LabUnderTest, directory: Directory, make: Callable[..., str]
) -> None:
    since = lab.run(HOST, "date -u +%Y%m%d%H%M%SZ").stdout.strip()
    dn = make("audit")
    directory.as_service("annuaire-helpdesk").passwd_s(dn, None, "audit2026")
    found = directory.root_search(
        "cn=accesslog", f"(&(objectClass=auditModify)(reqDN={dn})(reqStart>={since}))"
    )
    assert f"reqAuthzID: {directory.service('annuaire-helpdesk')}" in found
    assert re.search(r"reqStart: \d{14}\.\d+Z", found)
    assert re.search(r"reqMod: userPassword:= \{ARGON2\}", found) or "reqMod::" in found
    assert "audit2026" not in found


def test_content_synchronisation(
    directory: Directory, lab: LabUnderTest, make: Callable[..., str]
) -> None:
    connection = directory.as_service("replication")

    def refresh(cookie: str | None) -> tuple[set[str], str]:
        message = connection.search_ext(
            f"ou=people,{lab.suffix}",
            ldap.SCOPE_ONELEVEL,
            "(objectClass=*)",
            ["uid"],
            serverctrls=[SyncRequestControl(cookie=cookie, mode="refreshOnly")],
        )
        uids, new = set(), cookie
        while True:
            kind, data, _, controls, *_ = connection.result4(
                message,
                all=0,
                add_ctrls=1,
                add_intermediates=1,
                resp_ctrl_classes={SyncDoneControl.controlType: SyncDoneControl},
            )
            uids |= {
                entry[1]["uid"][0].decode()
                for entry in data
                if isinstance(entry[1], dict) and "uid" in entry[1]
            }
            for control in controls:
                new = getattr(control, "cookie", None) or new
            if kind == ldap.RES_SEARCH_RESULT:
                return uids, str(new)

    everybody, cookie = refresh(None)
    assert {"jmartin", "ygarnier"} <= everybody
    make("suivi")
    changed, _ = refresh(cookie)
    assert changed == {"suivi"}


def test_the_monitor(directory: Directory) -> None:
    found = directory.as_service("monitoring").search_s(
        "cn=Current,cn=Connections,cn=Monitor",
        ldap.SCOPE_BASE,
        "(objectClass=*)",
        ["monitorCounter"],
    )
    assert int(found[0][1]["monitorCounter"][0]) >= 1


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [
        ("uid", "eq"),
        ("mail", "eq"),
        ("supannAutreMail", "eq"),
        ("cn", "sub"),
        ("sn", "sub"),
        ("displayName", "sub"),
        ("supannRessourceEtat", "eq"),
        ("supannEmpId", "eq"),
        ("eduPersonAffiliation", "eq"),
        ("supannEntiteAffectation", "eq"),
        ("supannCodeEntite", "eq"),
        ("member", "eq"),
        ("entryCSN", "eq"),
    ],
)
def test_filters_of_the_stack_have_an_index(
    directory: Directory, attribute: str, kind: str
) -> None:
    found = directory.root_search("cn=config", f"(olcSuffix={directory.suffix})", "olcDbIndex")
    indexes = re.findall(r"^olcDbIndex: (\S+) (\S+)$", found, re.MULTILINE)
    assert any(attribute in a.split(",") and kind in k.split(",") for a, k in indexes)


@pytest.mark.alone("ldap1")
def test_a_snapshot_can_be_restored(lab: LabUnderTest) -> None:
    scratch = "/var/tmp/essai-restauration"
    script = rf"""
set -eu
systemctl start slapd-snapshot.service
rm -rf {scratch}; mkdir -p {scratch}/slapd.d {scratch}/data {scratch}/log; cd /var/backups/ldap
stat -c '%a %U' "$(ls -1t data-*.ldif.gz | head -1)"
zcat "$(ls -1t config-*.ldif.gz | head -1)" |
  sed -e 's#^\(olcDbDirectory\): .*accesslog.*#\1: {scratch}/log#' -e t \
      -e 's#^\(olcDbDirectory\): .*#\1: {scratch}/data#' |
  slapadd -n 0 -F {scratch}/slapd.d
zcat "$(ls -1t data-*.ldif.gz | head -1)" | slapadd -q -F {scratch}/slapd.d -b '{lab.suffix}'
slapcat -F {scratch}/slapd.d -b '{lab.suffix}' | sha256sum
slapcat -b '{lab.suffix}' | sha256sum
"""
    try:
        result = lab.run(HOST, "sh -c %s", script)
        assert result.rc == 0, result.stderr
        mode, restored, live = result.stdout.splitlines()[-3:]
        assert mode == "600 root"
        assert restored == live
    finally:
        lab.run(HOST, f"rm -rf {scratch}")
