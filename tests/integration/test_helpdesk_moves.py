"""The help desk's page of a person and the worker's table of moved subscriptions, both real."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from html import unescape

import pytest

from helpdesk_browser import Visitor
from helpdesk_people import OLD, Someone, lines_about, someone, sql
from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("helpdesk", "listmove", "harpege"),
    pytest.mark.service("annuaire1", "ent-helpdesk"),
    pytest.mark.service("lists1", "ent-listmove"),
]
DATABASE = "listmove"
AWAY = "On ne peut pas lire pour l’instant"


@pytest.fixture(scope="module")
def desk(lab: LabUnderTest) -> Iterator[Visitor]:
    with someone(lab, "Agathe", groups=("helpdesk",)) as agent:
        visitor = Visitor(lab)
        visitor.enter(agent.uid, OLD)
        yield visitor


@pytest.fixture
def caller(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab) as who:
        yield who
        sql(lab, f"DELETE FROM move WHERE login = '{who.uid}'", DATABASE)


def moved(
    lab: LabUnderTest,
    who: Someone,
    name: str,
    outcome: str = "moved",
    reason: str = "",
    *,
    role: str = "subscriber",
    minutes: int = 0,
) -> None:
    """What the worker writes down; minutes: how long ago."""
    done = sql(
        lab,
        "INSERT INTO move (at, login, old_address, new_address, list, role, outcome, reason)"
        f" VALUES (now() - interval '{minutes} min', '{who.uid}', 'O.Essai@up.univ-aix.fr',"
        f" 'essai.{who.uid}@{lab.domain}', '{name}@listes.{lab.domain}', '{role}', '{outcome}',"
        f" '{reason}')",
        DATABASE,
    )
    assert done.rc == 0, done.stderr


def rows(desk: Visitor, who: Someone) -> list[list[str]]:
    """The table on the page; the rest of the page is there, whatever that is."""
    return re_rows(page(desk, who))


def page(desk: Visitor, who: Someone) -> str:
    answer = desk.go(f"/personne/{who.uid}")
    assert answer.status_code == 200
    assert 'id="identite"' in answer.text
    assert answer.text.rstrip().endswith("</html>")
    return answer.text


def re_rows(text: str) -> list[list[str]]:
    found = re.search(r'<section aria-labelledby="listes">.*?</section>', text, re.S)
    body = re.search(r"<tbody>(.*)</tbody>", found[0], re.S) if found else None
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td>.*?</td>", row)]
        for row in (re.findall(r"<tr>(.*?)</tr>", body[1], re.S) if body else [])
    ]


def test_what_the_worker_did_is_shown(lab: LabUnderTest, desk: Visitor, caller: Someone) -> None:
    moved(lab, caller, "velo", "failed", "refused", minutes=9)
    moved(lab, caller, "velo", minutes=8)
    moved(lab, caller, "conseil", "merged", role="owner", minutes=7)
    moved(lab, caller, "ancienne", "failed", "closed", minutes=6)
    shown = rows(desk, caller)
    domain = f"listes.{lab.domain}"
    old, new = "O.Essai@up.univ-aix.fr", f"essai.{caller.uid}@{lab.domain}"
    assert [row[1:] for row in shown] == [
        [f"ancienne@{domain}", "Abonnement", old, new, "Pas passé\u00a0: la liste est fermée."],
        [
            f"conseil@{domain}",
            "Propriétaire",
            old,
            new,
            "Réuni avec ce que la nouvelle adresse avait déjà.",
        ],
        [f"velo@{domain}", "Abonnement", old, new, "Passé à la nouvelle adresse."],
    ], "only how each ended"
    assert all(re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", row[0]) for row in shown)


def test_looking_leaves_the_line_that_it_always_leaves(
    lab: LabUnderTest, desk: Visitor, caller: Someone
) -> None:
    moved(lab, caller, "velo")
    rows(desk, caller)
    assert [line.split()[:2] for line in lines_about(lab, caller.uid)] == [["view", "done"]]


def test_nothing_of_others_and_nothing_where_nothing_was(
    lab: LabUnderTest, desk: Visitor, caller: Someone
) -> None:
    with someone(lab, "Yann") as other:
        moved(lab, caller, "velo")
        assert "listes" not in page(desk, other).partition("<main")[2].partition("</main")[0]


@contextmanager
def refused(lab: LabUnderTest) -> Iterator[None]:
    """The role may not read the table."""
    sql(lab, "REVOKE SELECT ON move FROM helpdesk", DATABASE)
    try:
        yield
    finally:
        assert sql(lab, "GRANT SELECT ON move TO helpdesk", DATABASE).rc == 0


@contextmanager
def held(lab: LabUnderTest) -> Iterator[None]:
    """Somebody holds the table; whoever reads it waits."""
    lab.run(
        "db1",
        "cd / && runuser -u postgres -- env PGAPPNAME=hold-move psql -qX %s -c %s"
        " >/dev/null 2>&1 &",
        DATABASE,
        "BEGIN; LOCK TABLE move; SELECT pg_sleep(60)",
    )
    holder = "FROM pg_stat_activity WHERE application_name = 'hold-move'"
    locked = f"SELECT 1 {holder} AND wait_event = 'PgSleep'"
    wait_for(lambda: sql(lab, locked, DATABASE).stdout.strip() == "1", what="the table to be held")
    try:
        yield
    finally:
        sql(lab, f"SELECT pg_terminate_backend(pid) {holder}", DATABASE)


@contextmanager
def shut(lab: LabUnderTest) -> Iterator[None]:
    """Nobody gets into the database."""
    sql(lab, f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false", "postgres")
    kick = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
    sql(lab, kick, "postgres")
    try:
        yield
    finally:
        sql(lab, f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true", "postgres")


FAULTS: dict[str, Callable[[LabUnderTest], AbstractContextManager[None]]] = {
    "refused": refused,
    "held": held,
    "shut": shut,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_page_is_whole_without_it(
    lab: LabUnderTest, desk: Visitor, caller: Someone, fault: str
) -> None:
    moved(lab, caller, "velo")
    assert len(rows(desk, caller)) == 1
    with FAULTS[fault](lab):
        assert AWAY in page(desk, caller)
    assert len(rows(desk, caller)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO move (login, old_address, new_address, list, role, outcome)"
        " VALUES ('x', 'x', 'x', 'x', 'owner', 'moved')",
        "UPDATE move SET login = 'x'",
        "DELETE FROM move",
        "TRUNCATE move",
        "CREATE TABLE public.mine (x int)",
    ],
)
def test_the_help_desk_only_reads(lab: LabUnderTest, statement: str) -> None:
    may = sql(lab, "BEGIN; SET ROLE helpdesk; SELECT 1 FROM move LIMIT 1; ROLLBACK", DATABASE)
    assert may.rc == 0, may.stderr
    said = sql(lab, f"BEGIN; SET ROLE helpdesk; {statement}; ROLLBACK", DATABASE)
    assert re.search("permission denied|droit refusé", said.stderr), said.stderr


def test_of_the_worker_s_database_it_reads_nothing_else(lab: LabUnderTest) -> None:
    found = sql(
        lab,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')"
        " AND relnamespace = 'public'::regnamespace"
        " AND has_table_privilege('helpdesk', oid, 'SELECT')",
        DATABASE,
    )
    assert found.stdout.split() == ["move"]
