"""`ent.directory` changes the real directory: all or nothing, and each refusal by its name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ent.directory import (
    AccountLocked,
    AccountState,
    AlreadyExists,
    Change,
    Conflict,
    Directory,
    DirectorySettings,
    DirectoryUnavailable,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    StaleEntry,
    WriteUncertain,
    WrongPassword,
)
from lab import LabUnderTest, wait_for
from openldap_client import Directory as Root
from openldap_client import person

pytestmark = [
    pytest.mark.uses("harpege"),
    pytest.mark.service("ldap1", "slapd"),
]
UID = "dw-essai"


def as_service(lab: LabUnderTest, name: str, **changes: object) -> Directory:
    values: dict[str, object] = {
        "uri": f"ldaps://ldap.{lab.domain}",
        "suffix": lab.suffix,
        "bind_dn": f"cn={name},ou=system,{lab.suffix}",
        "password": lab.secret(f"ldap-{name}"),
        "ca_file": lab.ca_file,
        "fail_fast": 0.1,
    }
    return Directory(DirectorySettings(**(values | changes)))  # type: ignore[arg-type]


@pytest.fixture
def every_connection_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that answered within the last second, which a change trusts otherwise."""
    monkeypatch.setattr("ent.directory.connection._SURELY_ALIVE", 0.0)


@pytest.fixture
def root(lab: LabUnderTest) -> Iterator[Root]:
    root = Root(lab)
    root.delete(root.dn(UID), root.dn(UID + "2"))
    yield root
    root.delete(root.dn(UID), root.dn(UID + "2"))


@pytest.fixture
def dn(root: Root) -> str:
    """A person who has not activated."""
    root.add(root.dn(UID), person(UID, "I:SupannPrecree", supannEmpId=UID))
    return root.dn(UID)


@pytest.fixture
def activation(lab: LabUnderTest) -> Iterator[Directory]:
    one = as_service(lab, "annuaire-activation")
    yield one
    one.close()


def activate(password: str, address: str) -> list[Change]:
    return [
        Change.replace("userPassword", password),
        Change.delete("supannRessourceEtat", AccountState.PRE_CREATED.value),
        Change.add("supannRessourceEtat", AccountState.ACTIVE.value),
        Change.add("supannAutreMail", address),
        Change.add("mail", address),
    ]


def state(root: Root, dn: str) -> str:
    return root.root_search(dn, "(objectClass=*)", "supannRessourceEtat", "mail", scope="base")


def test_an_entry_is_made_once(lab: LabUnderTest, root: Root) -> None:
    feed = as_service(lab, "feed")
    attributes = {
        name: [value] if isinstance(value, str) else value
        for name, value in person(UID, "I:SupannPrecree", supannEmpId=UID).items()
    }
    feed.add(root.dn(UID), attributes)
    with pytest.raises(AlreadyExists):
        feed.add(root.dn(UID), attributes)
    with pytest.raises(Conflict, match="supannEmpId"):
        feed.add(root.dn(UID + "2"), {**attributes, "uid": [UID + "2"]})
    with pytest.raises(NotAllowed):
        feed.modify(root.dn(UID), [Change.add("userPassword", "abc123")])
    with pytest.raises(StaleEntry):
        feed.modify(root.dn(UID), [Change.delete("sn", "Autre"), Change.add("sn", "Nouveau")])
    with pytest.raises(NoSuchEntry):
        feed.modify(root.dn(UID + "2"), [Change.replace("sn", "Personne")])


def test_a_refused_part_refuses_the_whole(
    lab: LabUnderTest, root: Root, dn: str, activation: Directory
) -> None:
    address = f"{UID}@{lab.domain}"
    with pytest.raises(PasswordRefused) as refused:
        activation.modify(dn, activate("abcdef", address))
    assert refused.value.reason == "insufficientPasswordQuality"
    with pytest.raises(PasswordRefused) as refused:
        activation.modify(dn, activate("a1", address))
    assert refused.value.reason == "passwordTooShort"
    with pytest.raises(Conflict, match="non-unique"):
        activation.modify(dn, activate("abc123", f"jeanne.martin@{lab.domain}"))
    assert "I:SupannPrecree" in state(root, dn)
    assert "mail:" not in state(root, dn)
    assert not activation.check_password(dn, "abc123")
    activation.modify(dn, activate("abc123", address))
    assert activation.check_password(dn, "abc123")
    with pytest.raises((Conflict, NotAllowed)):
        activation.modify(dn, activate("other123", address))
    assert activation.check_password(dn, "abc123")


def test_proofs_are_compared(dn: str, activation: Directory) -> None:
    assert activation.compare(dn, "supannEmpId", UID)
    assert not activation.compare(dn, "supannEmpId", "autre")
    assert not activation.compare(dn, "supannOIDCDateDeNaissance", "1970-01-01")
    assert not activation.compare(dn.replace(UID, "personne"), "supannEmpId", UID)


def test_people_change_their_password_themselves(
    root: Root, lab: LabUnderTest, activation: Directory
) -> None:
    dn = root.dn(UID)
    root.add(dn, person(UID, supannEmpId=UID, userPassword="abc123"))
    with pytest.raises(WrongPassword):
        activation.change_password(dn, "abc124", "new123")
    with pytest.raises(WrongPassword):
        activation.change_password(dn, "", "new123")
    with pytest.raises(PasswordRefused):
        activation.change_password(dn, "abc123", "newnew")
    activation.change_password(dn, "abc123", "new123")
    assert activation.check_password(dn, "new123")
    assert not activation.check_password(dn, "abc123")


def test_a_lock_is_told_from_a_wrong_password(root: Root, activation: Directory) -> None:
    dn = root.dn(UID)
    root.add(dn, person(UID, supannEmpId=UID, userPassword="abc123"))

    def locked() -> bool:
        try:
            activation.check_password(dn, "faux")
        except AccountLocked:
            return True
        return False

    wait_for(locked, what="lock after wrong passwords")
    with pytest.raises(AccountLocked):
        activation.check_password(dn, "abc123")


@pytest.mark.alone("ldap1")
@pytest.mark.usefixtures("every_connection_is_asked")
def test_a_server_that_says_nothing_is_noticed_before_a_change(
    lab: LabUnderTest, root: Root, dn: str
) -> None:
    # with StartTLS: Debian 12's libldap, where this runs, waits without limit in ldaps
    feed = as_service(
        lab, "feed", uri=f"ldap://ldap.{lab.domain}", timeout=1.0, connect_timeout=1.0
    )
    feed.ping()
    with lab.frozen("ldap1", "slapd"), pytest.raises(DirectoryUnavailable) as unavailable:
        feed.modify(dn, [Change.replace("sn", "Nouveau")])
    assert not isinstance(unavailable.value, WriteUncertain)
    assert "sn: Essai" in root.root_search(dn, "(objectClass=*)", "sn", scope="base")


@pytest.mark.alone("ldap1")
@pytest.mark.usefixtures("every_connection_is_asked")
def test_an_idle_connection_that_was_lost_is_noticed_before_a_change(
    lab: LabUnderTest, root: Root, dn: str
) -> None:
    feed = as_service(lab, "feed")
    feed.ping()
    assert lab.run("ldap1", "systemctl restart slapd").rc == 0
    wait_for(lambda: lab.run("ldap1", "ss -Hltn sport = :636").stdout, what="slapd is back")
    feed.modify(dn, [Change.replace("sn", "Nouveau")])
    assert "sn: Nouveau" in root.root_search(dn, "(objectClass=*)", "sn", scope="base")
