"""Runs of the role on a server with data: what changes, what stays, what leaves."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ldap
import pytest
import yaml

from lab import REPOSITORY, LabUnderTest, wait_for
from openldap_client import HOST, Directory, person

pytestmark = [
    pytest.mark.uses("ldap1"),
    pytest.mark.alone("ldap1"),
    pytest.mark.service("ldap1", "slapd"),
]

#: What comes before (packages, files of the service) is not what these tests are about.
START = "openldap : Configure slapd"
_changed_by_test: set[str] = set()
ROLE = REPOSITORY / "roles" / "openldap"


@pytest.fixture(scope="module")
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


def run(lab: LabUnderTest, *options: str, **variables: Any) -> tuple[int, str]:
    """Run the directory's playbook; returns the number of changes (-1: failed) and what it said."""
    arguments = ["playbooks/directory.yml", "--limit", HOST, "--start-at-task", START, *options]
    _changed_by_test.add("variables") if variables else _changed_by_test.discard("variables")
    if variables:
        arguments += ["--extra-vars", json.dumps(variables)]
    result = lab.ansible(*arguments)
    said = result.stdout + result.stderr
    counts = re.search(rf"^{HOST}\s*: .*changed=(\d+)", said, re.MULTILINE)
    if result.returncode:
        return -1, said
    assert counts, said
    return int(counts.group(1)), said


@pytest.fixture
def restored(lab: LabUnderTest) -> Iterator[None]:
    """After the test the lab is what its inventory says."""
    yield
    if _changed_by_test:
        changed, said = run(lab)
        assert changed >= 0, said


def main_pid(lab: LabUnderTest) -> str:
    return str(lab.run(HOST, "systemctl show slapd -p MainPID").stdout)


def config(directory: Directory) -> str:
    return directory.root_search("cn=config")


def test_a_second_run_writes_nothing(lab: LabUnderTest, directory: Directory) -> None:
    what = ("(objectClass=*)", "1.1")
    before = (
        directory.root_search("cn=accesslog", *what),
        directory.root_search("cn=config", what[0], "modifyTimestamp"),
    )
    result = lab.ansible("playbooks/directory.yml", "--limit", HOST)  # all of the role
    assert result.returncode == 0, result.stdout
    assert re.search(rf"^{HOST}\s*: .*changed=0", result.stdout, re.MULTILINE), result.stdout
    assert before == (
        directory.root_search("cn=accesslog", *what),
        directory.root_search("cn=config", what[0], "modifyTimestamp"),
    )


@pytest.mark.usefixtures("restored")
def test_a_schema_attribute_is_added_to_a_running_server_and_leaves_when_unused(
    lab: LabUnderTest, directory: Directory, tmp_path: Path
) -> None:
    text = (ROLE / "files/schema/ent.ldif").read_text()
    arc = "2.25.189631865037294464199511605752148809413.1.999"
    new = (
        f"olcAttributeTypes: ( {arc} NAME 'entEssai' EQUALITY caseIgnoreMatch\n"
        "  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} )\n"
    )
    text = text.replace("olcObjectClasses:", new + "olcObjectClasses:").replace(
        "MAY ( entMailQuota", "MAY ( entEssai $ entMailQuota"
    )
    changed_schema = tmp_path / "ent.ldif"
    changed_schema.write_text(text)
    pid = main_pid(lab)
    schemas = {
        "openldap_schemas": ["schema/eduperson.ldif", "schema/supann.ldif", str(changed_schema)]
    }
    changed, said = run(lab, "--check", "--diff", **schemas)
    assert changed == 1, said
    assert "entEssai" in said
    assert "entEssai" not in config(directory)
    assert run(lab, **schemas)[0] == 1
    assert main_pid(lab) == pid
    dn = directory.dn("schema-essai")
    directory.delete(dn)
    directory.add(dn, person("schema-essai", entEssai="valeur"))
    try:
        # In use: it stays, and the administrator reads why and what to do.
        changed, said = run(lab)
        assert changed == -1
        assert "entEssai cannot leave the schema: the data uses it" in said
        assert dn in said
    finally:
        directory.delete(dn)
    assert run(lab)[0] == 1
    assert "entEssai" not in config(directory)
    assert main_pid(lab) == pid


@pytest.mark.usefixtures("restored")
def test_what_is_removed_from_the_variables_leaves_the_server(
    lab: LabUnderTest, directory: Directory, tmp_path: Path
) -> None:
    table = (ROLE / "files/acl.yml").read_text()
    row = next(line for line in table.splitlines() if "set: forwarding, rights" in line)
    table_file = tmp_path / "acl.yml"
    table_file.write_text(table.replace(row + "\n", ""))
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    indexes = [i for i in defaults["openldap_indexes"] if not i.startswith("mailForwardingAddress")]
    overlays = [o for o in defaults["openldap_overlays"] if o != "refint"]
    before = config(directory)
    for text in (
        "olcDbIndex: mailForwardingAddress eq",
        "attrs=mailForwardingAddress ",
        "olcRefintAttribute",
        "}refint\n",
        "cn=sympa,ou=system," + lab.suffix + '" size',
    ):
        assert text in before, text
    changed, said = run(
        lab,
        openldap_acl_file=str(table_file),
        openldap_indexes=indexes,
        openldap_overlays=overlays,
        openldap_limits=[{"identity": "feed", "limit": "size=unlimited time=300"}],
        openldap_idle_timeout=301,
    )
    assert changed == 1, said
    after = config(directory)
    for text in (
        "mailForwardingAddress eq",
        "attrs=mailForwardingAddress ",
        "refint",
        "ou=system," + lab.suffix + '" size=1000',
    ):
        assert text not in after, text
    assert "olcIdleTimeout: 301" in after
    # The order in which overlays stand comes back too.
    assert run(lab)[0] == 1

    def order(text: str) -> list[str]:
        return re.findall(r"^olcOverlay: (.*)$", text, re.MULTILINE)

    assert sorted(order(config(directory))) == sorted(order(before))


@pytest.mark.usefixtures("restored")
def test_a_failure_in_the_middle_is_finished_by_the_next_run(
    lab: LabUnderTest, directory: Directory
) -> None:
    changed, said = run(lab, openldap_idle_timeout=302, openldap_constraint_uid="[")
    assert changed == -1
    assert "olcConstraintAttribute" in said
    changed, said = run(lab)
    assert changed == 1, said
    assert "olcIdleTimeout: 302" not in config(directory)


@pytest.mark.usefixtures("restored")
def test_parameters_of_argon2_take_effect(lab: LabUnderTest, directory: Directory) -> None:
    dn = directory.dn("argon-essai")
    directory.delete(dn)
    assert run(lab, openldap_argon2_memory=8192, openldap_argon2_iterations=3)[0] == 1
    directory.add(dn, person("argon-essai", userPassword="abc123"))
    try:
        script = (
            f"ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -o ldif-wrap=no -b '{dn}' userPassword"
        )
        hashed = lab.run(HOST, script + " | sed -n 's/^userPassword:: //p' | base64 -d").stdout
        assert hashed.startswith("{ARGON2}$argon2id$v=19$m=8192,t=3,p=1$")
    finally:
        directory.delete(dn)


def test_a_service_password_follows_its_secret(lab: LabUnderTest, directory: Directory) -> None:
    path = lab.state / "secrets" / "ldap-monitoring"
    usual = path.read_text()
    path.write_text("nouveauSecret2026\n")
    try:
        assert run(lab)[0] == 1
        directory.as_service("monitoring")
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(directory.service("monitoring"), usual.strip())
    finally:
        path.write_text(usual)
        assert run(lab)[0] == 1


def test_passwords_and_states_of_people_are_given_once(
    lab: LabUnderTest, directory: Directory
) -> None:
    dn = directory.dn("tnguyen")
    usual = lab.secret("person-tnguyen")
    directory.bind(dn, usual).passwd_s(dn, None, "choisi2026")
    try:
        assert run(lab)[0] == 0
        directory.bind(dn, "choisi2026").passwd_s(dn, None, usual)
    finally:
        directory.as_service("annuaire-helpdesk").passwd_s(dn, None, usual)


def test_a_renewed_certificate_is_served_without_a_restart(
    lab: LabUnderTest, directory: Directory
) -> None:
    folder = f"/etc/ssl/ent/ldap.{lab.domain}"
    pid = main_pid(lab)

    def served() -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # which certificate it is, not whether to trust it
        with (
            socket.create_connection((f"ldap.{lab.domain}", 636), timeout=10) as plain,
            context.wrap_socket(plain) as secured,
        ):
            found = secured.getpeercert(binary_form=True)
            assert found
            return found

    before = served()
    idle = directory.as_service("portal")
    script = f"""set -e
cp -a {folder} /root/saved-certificate
cd /root
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=essai -keyout k -out c 2>/dev/null
cat /root/k > {folder}/key.pem; cat /root/c > {folder}/fullchain.pem; rm /root/k /root/c
systemctl reload slapd"""
    try:
        result = lab.run(HOST, "sh -c %s", script)
        assert result.rc == 0, result.stderr
        wait_for(lambda: served() != before, what="the new certificate")
    finally:
        lab.run(
            HOST,
            f"cp -a /root/saved-certificate/. {folder}/; rm -r /root/saved-certificate; "
            "systemctl reload slapd",
        )
    wait_for(lambda: served() == before, what="the usual certificate")
    assert idle.whoami_s() == f"dn:{directory.service('portal')}"
    assert main_pid(lab) == pid
