"""The lists host: who may reach what, what runs how, and what an upgrade leaves as it is."""

from __future__ import annotations

import re

import pytest
import requests

from lab import LabUnderTest, wait_for
from sympa import Reader, Sympa

pytestmark = [
    pytest.mark.uses("lists1"),
    pytest.mark.service("lists1", "sympa", "wwsympa", "sympasoap", "nginx", "postfix"),
]
_DAEMONS = ["sympa", "sympa-bulk", "sympa-archived", "sympa-bounced", "sympa-task_manager"]
_CALL = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<soap:Body><ns:authenticateRemoteAppAndRun xmlns:ns="urn:sympasoap">
<appname xsi:type="xsd:string">portal</appname>
<apppassword xsi:type="xsd:string">{password}</apppassword>
<vars xsi:type="xsd:string">USER_EMAIL=jeanne.martin@{domain}</vars>
<service xsi:type="xsd:string">{service}</service>
<parameters xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/"
 xsi:type="enc:Array" enc:arrayType="xsd:string[{count}]">{parameters}</parameters>
</ns:authenticateRemoteAppAndRun></soap:Body></soap:Envelope>"""
_SEND = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(),
    {"Content-Type": "text/xml; charset=utf-8",
     "SOAPAction": "urn:sympasoap#authenticateRemoteAppAndRun"})
try:
    print(urllib.request.urlopen(request, timeout=30).read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


@pytest.fixture
def sympa(lab: LabUnderTest) -> Sympa:
    return Sympa(lab)


def _call(lab: LabUnderTest, host: str, service: str, password: str, *parameters: str) -> str:
    envelope = _CALL.format(
        service=service,
        password=password,
        domain=lab.domain,
        count=len(parameters),
        parameters="".join(f'<item xsi:type="xsd:string">{one}</item>' for one in parameters),
    )
    url = f"https://listes.{lab.domain}/sympasoap"
    done = lab.run(host, "printf '%%s' %s | python3 -c %s %s", envelope, _SEND, url)
    return str(done.stdout)


def test_soap_is_the_portals(lab: LabUnderTest, sympa: Sympa) -> None:
    password = lab.secret("sympa-portal")
    assert f"dsi@{sympa.domain}" in _call(lab, "portal1", "complexWhich", password)
    for stranger in ("client1", "annuaire1", "lists1"):
        assert _call(lab, stranger, "complexWhich", password).startswith("403")
    answer = requests.post(
        f"https://{sympa.domain}/sympasoap", data="x", verify=lab.ca_file, timeout=20
    )
    assert answer.status_code == 403


def test_the_portal_may_ask_only_what_it_needs(lab: LabUnderTest) -> None:
    password = lab.secret("sympa-portal")
    assert "Authentication failed" in _call(lab, "portal1", "closeList", password)
    assert "Authentication failed" in _call(lab, "portal1", "complexWhich", "wrong")


@pytest.mark.alone("db1")
def test_people_join_after_the_database_was_restarted(lab: LabUnderTest, sympa: Sympa) -> None:
    """In a process that is older than the restart: its connections are all new ones."""
    password = lab.secret("sympa-portal")
    name = "essai-apres-arret"
    with sympa.lists({"name": name, "subject": "Après un arrêt"}):
        assert f"{name}@" in _call(lab, "portal1", "complexLists", password)
        with lab.stopped("db1", "postgresql@17-main"):
            pass

        def joined() -> bool:
            _call(lab, "portal1", "subscribe", password, name, "Jeanne Martin")
            return sympa.members(name) == [f"jeanne.martin@{lab.domain}"]

        wait_for(joined, what="a subscription")


def test_no_secret_is_readable_by_others(lab: LabUnderTest) -> None:
    found = lab.run(
        "lists1",
        "for user in nobody www-data ent-sympa-logout postfix; do for file in"
        " /etc/sympa/sympa/sympa.conf /etc/sympa/auth.conf /etc/sympa/*/auth.conf"
        " /etc/sympa/*/dkim.pem /etc/sympa/*/trusted_applications.conf"
        " /etc/sympa/*/data_sources/*.incl /etc/ent-sympa/lists.json"
        " /etc/ent-sympa/listmasters.json; do"
        " runuser -u $user -- head -c1 $file >/dev/null 2>&1 && echo $user $file; done; done; true",
    )
    assert found.stdout == ""
    assert lab.run("lists1", "runuser -u sympa -- head -c1 /etc/ent-sympa/logout.json").rc


@pytest.mark.parametrize("unit", [*_DAEMONS, "wwsympa", "sympasoap", "ent-sympa-logout"])
def test_services_are_locked_in(lab: LabUnderTest, unit: str) -> None:
    pid = lab.run("lists1", "systemctl show -P MainPID %s", unit).stdout.strip()
    mounts = lab.run("lists1", f"awk '$5 == \"/\" {{print $6}}' /proc/{pid}/mountinfo").stdout
    assert "ro" in mounts.split()[-1].split(","), "only its own folders can be written"
    user = lab.run("lists1", f"stat --format=%U /proc/{pid}").stdout.strip()
    assert user == ("ent-sympa-logout" if unit == "ent-sympa-logout" else "sympa")


def test_the_database_role_of_sign_outs_reads_no_more(lab: LabUnderTest) -> None:
    query = (
        "use DBI; use JSON::PP; local $/; open my $f, '<', '/etc/ent-sympa/logout.json';"
        ' my $s = decode_json(<$f>); my $d = DBI->connect("dbi:Pg:dbname=sympa;host=$s->{db_host};'
        "sslmode=verify-full;sslrootcert=$s->{ca_file}\", 'sympa_logout', $s->{db_password},"
        " {PrintError => 1}) or die; exit($d->selectall_arrayref($ARGV[0]) ? 0 : 1)"
    )
    allowed, refused = (
        "SELECT email_session FROM session_table",
        (
            "SELECT id_session FROM session_table",
            "SELECT * FROM subscriber_table",
            "SELECT * FROM user_table",
        ),
    )
    assert lab.run("lists1", "perl -e %s %s", query, allowed).rc == 0
    for statement in refused:
        denied = lab.run("lists1", "perl -e %s %s", query, statement)
        assert "permission denied" in denied.stderr, statement


def test_the_archive_is_the_members(lab: LabUnderTest, sympa: Sympa) -> None:
    member, stranger, nobody = Reader(lab), Reader(lab), Reader(lab)
    member.enter("jmartin")
    stranger.enter("tnguyen")
    path = "/arc/dsi"
    assert stranger.who
    text = stranger.page(path).text
    assert "mhonarc" not in text.lower()
    assert re.search(r"arc_protected|autorisé|abonné", text)
    assert "jeanne.martin" not in nobody.page("/review/dsi").text
    assert "sophie.faure" not in member.page("/review/dsi").text, "members are the owners' to see"


@pytest.mark.alone("lists1")
def test_an_upgrade_leaves_the_settings(lab: LabUnderTest) -> None:
    """What the package's scripts do at each upgrade."""
    look = (
        "cd /etc/sympa && find . -type f ! -name '*.bin' ! -name '*version'"
        " -exec sha256sum {} + | sort -k2"
    )
    before = lab.run("lists1", look).stdout
    done = lab.run("lists1", "DEBIAN_FRONTEND=noninteractive dpkg-reconfigure sympa")
    assert done.rc == 0, done.stderr[-2000:]
    assert lab.run("lists1", look).stdout == before
    for unit in [*_DAEMONS, "wwsympa.socket", "sympasoap.socket"]:
        assert lab.run("lists1", "systemctl is-active %s", unit).stdout.strip() == "active"
    wait_for(lambda: Reader(lab).page("/lists").status_code == 200, what="the pages")
