"""PostgreSQL: who gets in, from where, how; and the nightly dump."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("db1"),
    pytest.mark.service("db1", "postgresql@17-main", "ent-postgresql-backup"),
]

# Perl's DBD::Pg is on the single sign-on host for LemonLDAP's sessions.
_CONNECT = """
use DBI;
my ($dsn, $user, $sql) = @ARGV;
my $password = <STDIN>; chomp $password;
my $db = DBI->connect("dbi:Pg:$dsn", $user, $password, {PrintError => 0, RaiseError => 0})
    or do { print "REFUSED ", DBI->errstr; exit 3 };
my $row = $db->selectrow_arrayref($sql) or do { print "ERROR ", $db->errstr; exit 4 };
print join " ", @$row;
"""
_SYSTEM_CAS = "sslmode=verify-full;sslrootcert=/etc/ssl/certs/ca-certificates.crt"


def query(
    lab: LabUnderTest,
    sql: str = "SELECT current_user",
    *,
    host: str = "db.univ-provence.fr",
    database: str = "lemonldap",
    user: str = "lemonldap",
    password: str | None = None,
    tls: str = _SYSTEM_CAS,
) -> str:
    """What the server answers to the single sign-on host: values, REFUSED … or ERROR …."""
    run = lab.run(
        "sso1",
        "printf '%%s\\n' %s | perl -e %s %s %s %s",
        password if password is not None else lab.secret(f"db-{user}"),
        _CONNECT,
        f"host={host};dbname={database};{tls}",
        user,
        sql,
    )
    answer: str = run.stdout.strip()
    return answer or str(run.stderr)


def _as_postgres(lab: LabUnderTest, sql: str, database: str = "postgres") -> str:
    run = lab.run("db1", "runuser -u postgres -- psql -XAtqd %s -c %s", database, sql)
    assert run.rc == 0, run.stderr
    return str(run.stdout.strip())


def test_right_password_over_verified_tls(lab: LabUnderTest) -> None:
    version = query(lab, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert version == "TLSv1.3"


def test_wrong_password(lab: LabUnderTest) -> None:
    assert re.match("REFUSED .*password authentication failed", query(lab, password="wrong"), re.S)


def test_no_connection_without_tls(lab: LabUnderTest) -> None:
    assert re.match("REFUSED .*no encryption", query(lab, tls="sslmode=disable"), re.S)


def test_server_under_another_name_is_refused_by_the_client(lab: LabUnderTest) -> None:
    answer = query(lab, host=lab.ip("db1"))
    assert re.match("REFUSED .*does not match host name", answer, re.S), answer


@pytest.mark.parametrize("database", ["portal", "postgres", "template1"])
def test_other_databases_are_closed(lab: LabUnderTest, database: str) -> None:
    assert re.match(r"REFUSED .*no pg_hba\.conf entry", query(lab, database=database), re.S)


def test_role_of_another_host_is_refused(lab: LabUnderTest) -> None:
    """The portal's password is of no use on the host of the single sign-on."""
    answer = query(lab, user="portal", database="portal")
    assert re.match(r"REFUSED .*no pg_hba\.conf entry", answer, re.S), answer


def test_superuser_cannot_come_from_outside(lab: LabUnderTest) -> None:
    answer = query(lab, user="postgres", database="postgres", password="x")
    assert re.match(r"REFUSED .*no pg_hba\.conf entry", answer, re.S), answer


@pytest.mark.parametrize(
    ("role", "database", "allowed"),
    [
        ("lemonldap", "lemonldap", "t"),
        ("portal", "portal", "t"),
        ("lemonldap", "portal", "f"),
        ("portal", "lemonldap", "f"),
        ("portal", "postgres", "f"),
        ("annuaire", "annuaire", "t"),
        ("helpdesk", "lemonldap", "t"),
        ("annuaire", "lemonldap", "f"),
        ("harpege_feed", "harpege", "t"),
        ("harpege_feed", "annuaire", "f"),
    ],
)
def test_rights_without_pg_hba(lab: LabUnderTest, role: str, database: str, allowed: str) -> None:
    """Should a client rule ever be too wide, the database itself still says no."""
    sql = f"SELECT has_database_privilege('{role}', '{database}', 'CONNECT')"
    assert _as_postgres(lab, sql) == allowed


def test_roles_have_no_power(lab: LabUnderTest) -> None:
    sql = (
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('lemonldap', 'portal',"
        " 'annuaire_owner', 'annuaire', 'helpdesk', 'harpege', 'harpege_feed')"
        " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    )
    assert _as_postgres(lab, sql) == "0"
    assert "permission denied" in query(lab, "SELECT rolpassword FROM pg_authid")


def test_names_sort_as_in_french(lab: LabUnderTest) -> None:
    sql = "SELECT string_agg(n, ' ' ORDER BY n) FROM unnest(ARRAY['Zoé', 'Émile', 'eve']) n"
    assert query(lab, sql) == "Émile eve Zoé"


def test_passwords_are_in_no_log(lab: LabUnderTest) -> None:
    for role in ("lemonldap", "portal"):
        run = lab.run(
            "db1",
            "{ journalctl --no-pager; cat /var/log/postgresql/*.log; } | grep -c -e %s -e %s",
            lab.secret(f"db-{role}"),
            "SCRAM-SHA-256[$]",
        )
        assert run.stdout.strip() == "0", role


@pytest.fixture
def changed_password(lab: LabUnderTest) -> Iterator[None]:
    """A role whose password somebody changed by hand on the server."""
    _as_postgres(lab, "ALTER ROLE lemonldap PASSWORD 'other'")
    yield
    lab.ansible("playbooks/database.yml")


@pytest.mark.alone("db1")
@pytest.mark.usefixtures("changed_password")
def test_converge_sets_a_password_that_differs_and_then_nothing(lab: LabUnderTest) -> None:
    assert query(lab).startswith("REFUSED")
    first = lab.ansible("playbooks/database.yml")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "changed=1" in first.stdout
    assert query(lab) == "lemonldap"
    assert "changed=0" in lab.ansible("playbooks/database.yml").stdout


@pytest.fixture(scope="module")
def dumps(lab: LabUnderTest) -> Any:
    """The files of a dump made now."""
    run = lab.run("db1", "systemctl start ent-postgresql-backup")
    assert run.rc == 0, run.stderr
    return lab.run("db1", "stat --format='%n %U %a %s' /var/backups/postgresql/*").stdout


def test_dump_is_complete_and_private(lab: LabUnderTest, dumps: str) -> None:
    assert {re.sub(r"-20.*", "", line.rpartition("/")[2]) for line in dumps.splitlines()} == {
        "annuaire",
        "globals",
        "harpege",
        "lemonldap",
        "listmove",
        "portal",
        "sympa",
    }
    for line in dumps.splitlines():
        assert re.search(r" postgres 600 [1-9]\d*$", line), line
    folder = lab.run("db1", "stat --format='%U %a' /var/backups/postgresql").stdout.strip()
    assert folder == "postgres 700"


def test_dump_can_be_restored(lab: LabUnderTest, dumps: str) -> None:
    """What was in the database is in the dump, read back into another database."""
    assert "portal" in dumps
    _as_postgres(lab, "CREATE TABLE ground_test AS SELECT 'Amélie' AS name", "portal")
    try:
        assert lab.run("db1", "systemctl start ent-postgresql-backup").rc == 0
        restored = lab.run(
            "db1",
            "cd / && set -e; runuser -u postgres -- createdb -T template0 ground_restore;"
            " runuser -u postgres -- sh -c 'pg_restore -d ground_restore --no-owner"
            ' "$(ls -t /var/backups/postgresql/portal-*.dump | head -1)"\'',
        )
        assert restored.rc == 0, restored.stderr
        assert _as_postgres(lab, "SELECT name FROM ground_test", "ground_restore") == "Amélie"
    finally:
        _as_postgres(lab, "DROP TABLE ground_test", "portal")
        _as_postgres(lab, "DROP DATABASE IF EXISTS ground_restore")


def test_old_dumps_are_removed_and_others_are_not(lab: LabUnderTest, dumps: str) -> None:
    folder = "/var/backups/postgresql"
    assert dumps
    lab.run(
        "db1",
        "touch -d '16 days ago' %s/portal-old.dump %s/kept-by-hand;"
        " touch -d '13 days ago' %s/portal-recent.dump",
        *[folder] * 3,
    )
    try:
        assert lab.run("db1", "systemctl start ent-postgresql-backup").rc == 0
        left = lab.run("db1", "ls %s", folder).stdout.split()
        assert "portal-old.dump" not in left
        assert "portal-recent.dump" in left
        assert "kept-by-hand" in left
    finally:
        lab.run(
            "db1", "rm -f %s/portal-old.dump %s/portal-recent.dump %s/kept-by-hand", *[folder] * 3
        )


def test_dump_is_scheduled(lab: LabUnderTest) -> None:
    timer = lab.run("db1", "systemctl is-active ent-postgresql-backup.timer")
    assert timer.stdout.strip() == "active"
