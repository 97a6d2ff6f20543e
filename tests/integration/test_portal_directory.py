"""`ent.directory` against the real server: TLS, identities, reconnection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from ent.directory import (
    AccountState,
    Directory,
    DirectoryMisconfigured,
    DirectorySettings,
    DirectoryUnavailable,
    equals,
    present,
)
from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("ldap1"),
    pytest.mark.service("ldap1", "slapd"),
]


def settings(lab: LabUnderTest, **changes: object) -> DirectorySettings:
    values: dict[str, object] = {
        "uri": f"ldaps://ldap.{lab.domain}",
        "suffix": lab.suffix,
        "bind_dn": f"cn=portal,ou=system,{lab.suffix}",
        "password": lab.secret("ldap-portal"),
        "ca_file": lab.ca_file,
        "fail_fast": 0.1,
    }
    return DirectorySettings(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def directory(lab: LabUnderTest) -> Iterator[Directory]:
    one = Directory(settings(lab))
    yield one
    one.close()


def test_a_person_and_their_structure(directory: Directory) -> None:
    person = directory.person("jmartin")
    assert person
    assert person.display_name == "Jeanne Martin"
    assert {"employee", "staff", "member"} <= set(person.affiliations)
    assert person.state is AccountState.ACTIVE
    structure = directory.structure(person.main_structure)
    assert structure
    assert structure.code == person.main_structure
    assert structure.name


def test_states_of_the_demonstration_people(directory: Directory) -> None:
    states = {uid: directory.person(uid) for uid in ("ygarnier", "mroux", "pdurand")}
    assert {uid: person and person.state for uid, person in states.items()} == {
        "ygarnier": AccountState.PRE_CREATED,
        "mroux": AccountState.SUSPENDED,
        "pdurand": AccountState.EXPIRED,
    }


@pytest.mark.parametrize("uid", ["nobody", "*", "jmart*", "jmartin)(uid=*", "jmartin\0"])
def test_nobody(directory: Directory, uid: str) -> None:
    assert directory.person(uid) is None


def test_pages(lab: LabUnderTest, directory: Directory) -> None:
    base = f"ou=people,{lab.suffix}"
    whole = {entry.dn for entry in directory.search(base, present("uid"), ["uid"])}
    paged = [entry.dn for entry in directory.paged(base, present("uid"), ["uid"], page_size=2)]
    assert len(paged) == len(set(paged)) >= 5
    assert set(paged) == whole
    assert len(directory.search(base, present("uid"), ["uid"], limit=2)) == 2


def test_the_certificate_is_verified(lab: LabUnderTest) -> None:
    for changes in (
        {"ca_file": "/etc/ssl/certs/ca-certificates.crt"},  # the machine's, without the lab's
        {"uri": f"ldaps://{lab.ip('ldap1')}"},  # a name that is not in the certificate
    ):
        with pytest.raises(DirectoryUnavailable) as caught:
            Directory(settings(lab, **changes)).ping()
        assert not isinstance(caught.value, DirectoryMisconfigured)


def test_start_tls(lab: LabUnderTest) -> None:
    Directory(settings(lab, uri=f"ldap://ldap.{lab.domain}")).ping()


def test_a_wrong_password_is_a_wrong_setting(lab: LabUnderTest) -> None:
    with pytest.raises(DirectoryMisconfigured):
        Directory(settings(lab, password="wrong")).ping()


def test_a_dropped_connection_is_replaced(directory: Directory) -> None:
    directory.ping()
    [(connection, _)] = directory._idle
    with socket.socket(fileno=connection.fileno()) as raw:
        raw.shutdown(socket.SHUT_RDWR)
        raw.detach()
    assert directory.person("jmartin")


@pytest.mark.alone("ldap1")
def test_a_restart_of_the_server_is_not_noticed(lab: LabUnderTest, directory: Directory) -> None:
    directory.ping()
    lab.run("ldap1", "systemctl restart slapd")
    assert wait_for(lambda: directory.person("jmartin"), what="the directory")


@pytest.mark.alone("ldap1")
def test_down_is_said_and_up_is_found(lab: LabUnderTest, directory: Directory) -> None:
    directory.ping()
    with lab.stopped("ldap1", "slapd"), pytest.raises(DirectoryUnavailable):
        directory.person("jmartin")

    def answers() -> bool:
        try:
            directory.ping()
        except DirectoryUnavailable:
            return False
        return True

    wait_for(answers, what="the directory")


def test_threads(lab: LabUnderTest, directory: Directory) -> None:
    wrong: list[object] = []

    def work(uid: str) -> None:
        for _ in range(25):
            person = directory.person(uid)
            if person is None or person.uid != uid:
                wrong.append((uid, person))

    people = ["jmartin", "alefevre", "kbenali", "tnguyen"] * 4
    threads = [threading.Thread(target=work, args=(uid,)) for uid in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_silent_server_costs_the_time_limit(lab: LabUnderTest) -> None:
    """On the host, with the libldap that the portal uses."""
    result = lab.run("portal1", "timeout 10 python3 -c %s", _SILENT)
    assert result.rc == 0, result.stderr
    assert float(result.stdout) < 4


_SILENT = """
import socket, sys, time
sys.path.insert(0, "/opt/ent/portal/current/lib")
from ent.directory import Directory, DirectorySettings, DirectoryUnavailable
listener = socket.create_server(("127.0.0.1", 0))
uri = f"ldaps://127.0.0.1:{listener.getsockname()[1]}"
begin = time.monotonic()
try:
    Directory(DirectorySettings(uri, "dc=x", "cn=x", "x", connect_timeout=1, timeout=1)).ping()
except DirectoryUnavailable:
    print(time.monotonic() - begin)
"""


def test_one_entry_by_filter(lab: LabUnderTest, directory: Directory) -> None:
    found = directory.one(f"ou=people,{lab.suffix}", equals("uid", "jmartin"), [])
    assert found
    assert found.dn.startswith("uid=jmartin,")
    assert found.attributes == {}
