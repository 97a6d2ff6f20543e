"""When something breaks: the run, the directory, the database, or what Harpège says."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import ldap
import pytest

from harpege_source import DATABASE, Feed, Harpege, career, person
from lab import PATIENCE, LabUnderTest, wait_for
from openldap_client import HOST

pytestmark = [
    pytest.mark.uses("ldap1", "db1", "mail1"),
    pytest.mark.alone("harpege"),
    pytest.mark.service("ldap1", "ent-harpege", "slapd"),
]

FIRST = 91_000
CROWD = 300
OTHER = "/var/lib/ent-harpege-essai"
VIEWS = "essai"
TABLES = (
    *("individu", "personnel", "affectation", "occupation", "carriere", "element_carriere"),
    *("contrat_travail", "structure", "corps", "type_population", "type_contrat_travail"),
)


@pytest.fixture(scope="module")
def feed(lab: LabUnderTest) -> Feed:
    return Feed(lab)


@pytest.fixture(scope="module")
def crowd(lab: LabUnderTest, feed: Feed) -> Iterator[Harpege]:
    """Hundreds of people in Harpège, of whom the directory knows nothing yet."""
    harpege = Harpege(lab)
    harpege.remove()
    feed.remove()
    feed("apply", "--accept-departures", "1000")
    last = FIRST + CROWD - 1
    harpege.sql(f"""
        INSERT INTO individu
          SELECT n, 'M.', 'Feedfoule' || translate(n::text, '0123456789', 'abcdefghij'),
          NULL, 'Guy', '1980-01-01', NULL FROM generate_series({FIRST}, {last}) n;
        INSERT INTO personnel SELECT n FROM generate_series({FIRST}, {last}) n;
        INSERT INTO carriere
          SELECT n, 1, 'IA', '2015-01-01', NULL FROM generate_series({FIRST}, {last}) n;
        INSERT INTO element_carriere
          SELECT n, 1, '841', '2015-01-01', NULL, NULL, 'N' FROM generate_series({FIRST}, {last}) n;
        INSERT INTO occupation
          SELECT n, 1, 1, NULL, '2015-01-01', NULL FROM generate_series({FIRST}, {last}) n;
        INSERT INTO affectation (no_dossier_pers, no_occupation, c_structure, d_deb_affectation)
          SELECT n, 1, 'DSI', '2015-01-01' FROM generate_series({FIRST}, {last}) n;
    """)
    yield harpege
    harpege.remove()
    feed.remove()


def _start(lab: LabUnderTest, *arguments: str) -> subprocess.Popen[str]:
    """The command, in the background."""
    return subprocess.Popen(
        [
            *("docker", "exec", "--env", "LANGUAGE=en", "--env", "LC_ALL=C.UTF-8"),
            *(f"{lab.name}-{HOST}", "ent-harpege", *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _count(feed: Feed, above: int = -1) -> int:
    """How many of the crowd are there, as soon as there are more than so many.

    Asked over one connection and without a pause, since a run is quicker than a shell.
    """
    connection = feed.directory.as_service("feed")
    deadline = time.monotonic() + 90
    while True:
        found = connection.search_s(
            f"ou=people,{feed.lab.suffix}", ldap.SCOPE_ONELEVEL, "(sn=feedfoule*)", ["1.1"]
        )
        if len(found) > above:
            connection.unbind_s()
            return len(found)
        assert time.monotonic() < deadline, f"{len(found)} people, expected more than {above}"


def _holder(lab: LabUnderTest) -> dict[str, str]:
    """Who holds the lock of runs, as the file says."""
    text = lab.run(HOST, "cat /var/lib/ent-harpege/lock").stdout
    return json.loads(text) if text.strip() else {}


@pytest.mark.alone("ldap1")
def test_cut_off_anywhere_and_finished_by_the_next_run(
    lab: LabUnderTest, feed: Feed, crowd: Harpege
) -> None:
    """kill -9 in the middle; then the directory stopped in the middle; then a run to the end."""
    run = _start(lab, "apply")
    holder = wait_for(lambda: _holder(lab), what="the run that has the lock")
    _count(feed, above=20)
    killed = lab.run(HOST, "kill -9 %s", holder["pid"])
    assert killed.rc == 0, killed.stderr
    run.communicate(timeout=PATIENCE)
    assert run.returncode != 0
    after_kill = _count(feed)
    assert 20 < after_kill < CROWD

    run = _start(lab, "apply")
    _count(feed, above=after_kill + 20)
    with lab.stopped(HOST, "slapd"):
        said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 5, said
    assert "LDAP" in said
    assert _count(feed) < CROWD
    for entry in feed.people(FIRST, FIRST + CROWD).values():
        assert entry["supannRessourceEtat"] == ["{COMPTE}I:SupannPrecree"]
        assert entry["eduPersonPrimaryAffiliation"] == ["staff"]
        assert entry["supannEntiteAffectationPrincipale"] == ["DSI"]

    feed("apply")
    people = feed.people(FIRST, FIRST + CROWD)
    assert sorted(people) == list(range(FIRST, FIRST + CROWD))
    assert len({entry["uid"][0] for entry in people.values()}) == CROWD
    mark = feed.mark()
    feed("apply")
    assert feed.writes(mark) == []


def _session(lab: LabUnderTest, statements: str) -> subprocess.Popen[bytes]:
    """A session in Harpège's database that goes on in the background."""
    return subprocess.Popen(
        [
            *("docker", "exec", f"{lab.name}-{DATABASE}", "runuser", "-u", "postgres", "--"),
            *("psql", "-Xq", "-d", "harpege", "-c", statements),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def locked_table(lab: LabUnderTest) -> Iterator[None]:
    """A reader of Harpège waits for this table until the database is stopped."""
    sleeper = _session(lab, "BEGIN; LOCK TABLE harpege.contrat_travail; SELECT pg_sleep(60)")
    harpege = Harpege(lab)
    wait_for(
        lambda: (
            harpege.sql(
                "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'"
                " AND relation = 'contrat_travail'::regclass"
            ).strip()
            == "1"
        ),
        what="the lock",
    )
    yield
    sleeper.terminate()
    sleeper.wait(timeout=PATIENCE)


@pytest.mark.alone("db1")
@pytest.mark.usefixtures("locked_table")
def test_two_runs_at_once_and_the_database_stopped_in_the_middle(
    lab: LabUnderTest, feed: Feed
) -> None:
    harpege = Harpege(lab)
    mark = feed.mark()
    run = _start(lab, "apply")
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ent-harpege'"
        " AND wait_event_type = 'Lock'"
    )
    wait_for(lambda: harpege.sql(waits).strip() == "1", what="the feed in the middle of reading")

    second = feed("apply")
    holder = _holder(lab)
    assert second.rc == 6
    assert holder["pid"] in second.stdout + second.stderr

    with lab.stopped(DATABASE, "postgresql@17-main"):
        said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 4, said
    assert "postgresql+psycopg://harpege_feed@" in said, said
    assert lab.secret("db-harpege_feed") not in said
    assert feed.writes(mark) == []
    wait_for(lambda: feed("plan").rc in (0, 1), what="a run after the database is back")


def test_a_run_sees_harpege_at_one_moment(lab: LabUnderTest, feed: Feed) -> None:
    """Somebody entered while a run reads is for the next run, as a whole."""
    harpege = Harpege(lab)
    number = FIRST + CROWD + 1
    # reading the last of the small tables waits for whoever holds this lock
    harpege.sql(
        _views({}, {}) + f"CREATE OR REPLACE VIEW {VIEWS}.type_contrat_travail AS SELECT t.* FROM"
        " type_contrat_travail t, LATERAL (SELECT pg_advisory_xact_lock_shared(42)) l;"
    )
    settings = feed.settings(OTHER, schema=VIEWS)
    sleeper = _session(lab, "SELECT pg_advisory_lock(42); SELECT pg_sleep(60)")
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        " AND datname = current_database()"
    )
    # pg_locks knows the locks of every service of this server
    held = (
        "FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    try:
        wait_for(lambda: harpege.sql(f"SELECT count(*) {held}").strip() == "1", what="the lock")
        run = _start(lab, "--settings", settings, "plan", "--json")
        wait_for(lambda: harpege.sql(waits).strip() == "1", what="the feed in the middle")
        harpege.sql(person(number, "Feedentretemps") + career(number))
        harpege.sql(f"SELECT pg_terminate_backend(pid) {held}")
        said, _ = run.communicate(timeout=PATIENCE)
        assert run.returncode in (0, 1), said
        assert "Feedentretemps" not in said
        assert "Feedentretemps" in feed("--settings", settings, "plan", "--json").stdout
    finally:
        sleeper.terminate()
        sleeper.wait(timeout=PATIENCE)
        harpege.remove(number, number)
        harpege.sql(f"DROP SCHEMA {VIEWS} CASCADE;")
        lab.run(HOST, "rm -rf %s %s.state", OTHER, OTHER)


def _views(where: dict[str, str], columns: dict[str, str]) -> str:
    """SQL for a schema of views on Harpège, with other rows or columns of some tables."""
    return (
        f"DROP SCHEMA IF EXISTS {VIEWS} CASCADE; CREATE SCHEMA {VIEWS};"
        + "".join(
            f"CREATE VIEW {VIEWS}.{table} AS SELECT {columns.get(table, '*')} FROM {table}"
            f" WHERE {where.get(table, 'true')};"
            for table in TABLES
        )
        + f"GRANT USAGE ON SCHEMA {VIEWS} TO harpege_feed;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {VIEWS} TO harpege_feed;"
    )


@pytest.fixture(scope="module")
def fed(feed: Feed, crowd: Harpege) -> Harpege:
    """The crowd is in the directory."""
    assert feed("apply").rc in (0, 1)
    return crowd


@pytest.fixture
def other(lab: LabUnderTest, feed: Feed) -> Iterator[Any]:
    """The feed with another Harpège: views on the real one, and a state of its own."""
    harpege = Harpege(lab)
    settings = feed.settings(OTHER, schema=VIEWS)

    def run(where: dict[str, str], columns: dict[str, str] | None = None) -> Any:
        harpege.sql(_views(where, columns or {}))
        return feed("apply", settings=settings)

    yield run
    harpege.sql(f"DROP SCHEMA IF EXISTS {VIEWS} CASCADE;")
    lab.run(HOST, "rm -rf %s %s.state", OTHER, OTHER)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (dict.fromkeys(TABLES, "false"), "INDIVIDU"),
        ({"affectation": "false"}, "AFFECTATION"),
        ({"structure": "false"}, "STRUCTURE"),
        ({"individu": "no_individu < 10010", "personnel": "no_dossier_pers < 10010"}, "departures"),
        ({"affectation": "no_dossier_pers < 10010"}, "departures"),
    ],
    ids=["empty", "no assignments", "no structures", "fewer people", "fewer assignments"],
)
@pytest.mark.usefixtures("fed")
def test_a_source_that_cannot_be_right_is_refused_before_any_write(
    feed: Feed, other: Any, where: dict[str, str], said: str
) -> None:
    mark = feed.mark()
    result = other(where)
    assert result.rc == 3, result.stdout + result.stderr
    assert said in result.stdout + result.stderr
    assert feed.writes(mark) == []


def test_missing_columns_are_named_all_of_them(feed: Feed, other: Any) -> None:
    mark = feed.mark()
    result = other(
        {},
        {
            "individu": "no_individu, c_civilite, nom_usuel, nom_patronymique, prenom, d_deces",
            "corps": "c_corps, lc_corps",
        },
    )
    assert result.rc == 4
    for name in ("INDIVIDU.D_NAISSANCE", "CORPS.LL_CORPS"):
        assert name in result.stdout + result.stderr
    assert "INDIVIDU.PRENOM" not in result.stdout + result.stderr
    assert feed.writes(mark) == []


def test_a_wrong_password_is_said_and_not_shown(lab: LabUnderTest, feed: Feed) -> None:
    settings = feed.settings(OTHER, password="Faux-2026")
    try:
        result = feed("plan", settings=settings)
    finally:
        lab.run(HOST, "rm -rf %s %s.state", OTHER, OTHER)
    said = result.stdout + result.stderr
    assert result.rc == 4
    assert "password authentication failed" in said
    assert "Faux-2026" not in said
