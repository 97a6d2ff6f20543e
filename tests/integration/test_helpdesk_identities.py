"""Each LDAP identity and database role, tried at the others' work; the trail, tried by all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import ldap
import pytest

import helpdesk_desk
from ent.annuaire.helpdesk.trail import Action, Entry, Line, Outcome, check
from helpdesk_people import NEW, OLD, Someone, someone, sql
from lab import LabUnderTest
from openldap_client import Connection, Directory

pytestmark = [
    pytest.mark.uses("helpdesk", "harpege"),
    pytest.mark.service("ldap1", "slapd"),
    pytest.mark.service("annuaire1", "ent-helpdesk"),
]
SEARCH, ACTIVATION = "annuaire-search", "annuaire-activation"
ACCOUNT, HELPDESK = "annuaire-account", "annuaire-helpdesk"
IDENTITIES = (SEARCH, ACTIVATION, ACCOUNT, HELPDESK)


@pytest.fixture(scope="module")
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture(scope="module")
def active(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab) as who:
        yield who


@pytest.fixture(scope="module")
def new(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab, state="I:SupannPrecree", mail="", supannAutreMail="", userPassword="") as who:
        yield who


@pytest.fixture(scope="module")
def suspended(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab, state="S:SupannVerrouAdministratif") as who:
        yield who


def works(work: Callable[[], object]) -> bool:
    """Whether slapd let it be done."""
    try:
        return work() is not False
    except (ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT, ldap.UNDEFINED_TYPE):
        return False


def setting(dn: str, attribute: str, value: bytes) -> Callable[[Connection], object]:
    return lambda connection: connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute, [value])])


def comparing(dn: str, attribute: str, value: str) -> Callable[[Connection], object]:
    return lambda connection: connection.compare_s(dn, attribute, value.encode())


def reading(dn: str, attribute: str) -> Callable[[Connection], object]:
    def read(connection: Connection) -> bool:
        found = connection.search_s(dn, ldap.SCOPE_BASE, "(objectClass=*)", [attribute])
        return any(entry for _, entry in found)

    return read


@pytest.mark.parametrize(
    ("allowed", "whom", "work"),
    [
        # the help desk's own work
        ({HELPDESK}, "active", "password"),
        ({HELPDESK}, "active", "unlock"),
        ({HELPDESK, ACTIVATION}, "active", "compare number"),
        ({HELPDESK, ACTIVATION}, "active", "compare birth date"),
        ({HELPDESK}, "active", "read group"),
        ({HELPDESK, ACTIVATION, ACCOUNT}, "active", "read old addresses"),
        # the others'
        ({ACTIVATION}, "new", "password"),
        ({ACTIVATION}, "new", "state"),
        ({ACCOUNT}, "active", "red list"),
        # nobody's
        (set(), "suspended", "password"),
        (set(), "suspended", "state"),
        (set(), "active", "state"),
        (set(), "active", "read number"),
        (set(), "active", "read birth date"),
        (set(), "active", "read password"),
        (set(), "active", "join group"),
    ],
)
def test_each_identity_does_its_own_work_only(
    directory: Directory,
    active: Someone,
    new: Someone,
    suspended: Someone,
    allowed: set[str],
    whom: str,
    work: str,
) -> None:
    who = {"active": active, "new": new, "suspended": suspended}[whom]
    group = f"cn=helpdesk,ou=groups,{directory.suffix}"
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ")
    does: dict[str, Callable[[Connection], object]] = {
        "password": setting(who.dn, "userPassword", NEW.encode()),
        "unlock": lambda connection: connection.modify_s(
            who.dn, [(ldap.MOD_DELETE, "pwdAccountLockedTime", None)]
        ),
        "state": setting(who.dn, "supannRessourceEtat", b"{COMPTE}A:SupannSursis"),
        "red list": setting(who.dn, "supannListeRouge", b"TRUE"),
        "join group": setting(group, "member", who.dn.encode()),
        "compare number": comparing(who.dn, "supannEmpId", who.number),
        "compare birth date": comparing(who.dn, "supannOIDCDateDeNaissance", "1979-08-09"),
        "read number": reading(who.dn, "supannEmpId"),
        "read birth date": reading(who.dn, "supannOIDCDateDeNaissance"),
        "read password": reading(who.dn, "userPassword"),
        "read old addresses": reading(who.dn, "supannAutreMail"),
        "read group": reading(group, "member"),
    }
    if whom == "new":
        does["state"] = lambda connection: connection.modify_s(
            who.dn,
            [
                (ldap.MOD_DELETE, "supannRessourceEtat", [b"{COMPTE}I:SupannPrecree"]),
                (ldap.MOD_ADD, "supannRessourceEtat", [b"{COMPTE}A:SupannActif"]),
            ],
        )
    found = set()
    for identity in IDENTITIES:
        if work == "unlock":
            directory.as_root(
                f"dn: {who.dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\n"
                f"pwdAccountLockedTime: {now}\n\n"
            )
        if works(lambda i=identity: does[work](directory.as_service(i))):  # type: ignore[misc]
            found.add(identity)
            if (whom, work) == ("new", "state"):
                _restore(directory, who)
    assert found == allowed


def _restore(directory: Directory, who: Someone) -> None:
    directory.as_root(
        f"dn: {who.dn}\nchangetype: modify\nreplace: supannRessourceEtat\n"
        "supannRessourceEtat: {COMPTE}I:SupannPrecree\n\n"
    )


def test_lifting_the_lock_really_lifts_it(lab: LabUnderTest, directory: Directory) -> None:
    """slapd counts wrong passwords; the help desk's identity ends the lock, and the count."""
    with someone(lab) as who:

        def bind(password: str) -> bool:
            try:
                directory.bind(who.dn, password)
            except ldap.INVALID_CREDENTIALS:
                return False
            return True

        def lock() -> None:
            for _ in range(int(lab.var("ldap1", "ent_lockout_failures"))):
                assert not bind("faux-2026")
            assert not bind(OLD), "locked: even the right password is refused"

        lock()
        helpdesk = directory.as_service(HELPDESK)
        helpdesk.modify_s(who.dn, [(ldap.MOD_DELETE, "pwdAccountLockedTime", None)])
        assert bind(OLD)
        # the count is gone as well: one more wrong password does not lock again
        assert not bind("faux-2026")
        assert bind(OLD)

        # and a new password ends a lock
        lock()
        helpdesk.modify_s(who.dn, [(ldap.MOD_REPLACE, "userPassword", [NEW.encode()])])
        assert bind(NEW)
        assert not bind(OLD)


# PostgreSQL


def as_role(lab: LabUnderTest, role: str, statement: str, database: str = "annuaire") -> str:
    """What the server answers this role: "ok" or its refusal."""
    result = sql(lab, f"SET ROLE {role}; BEGIN; {statement}; ROLLBACK", database)
    return "ok" if result.rc == 0 else str(result.stderr).strip()


LINE = (
    "INSERT INTO helpdesk.helpdesk_trailline (number, at, agent, address, action, person, outcome,"
    " operation, detail, previous, hash)"
    " VALUES (0, '2001-01-01', 'x', '', 'view', 'y', 'done', '', '', '', '')"
)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("annuaire", "SELECT 1 FROM helpdesk.helpdesk_onetimecode"),
        ("annuaire", "SELECT 1 FROM helpdesk.helpdesk_trailline"),
        ("annuaire", LINE),
        ("annuaire", "SELECT 1 FROM helpdesk.django_session"),
        ("annuaire", "SELECT helpdesk.helpdesk_expire(400)"),
        ("helpdesk", "SELECT 1 FROM annuaire.django_session"),
        ("helpdesk", "SELECT 1 FROM annuaire.auth_user"),
        ("helpdesk", "UPDATE helpdesk.helpdesk_trailline SET person = 'z'"),
        ("helpdesk", "DELETE FROM helpdesk.helpdesk_trailline"),
        ("helpdesk", "TRUNCATE helpdesk.helpdesk_trailline"),
        ("helpdesk", "ALTER TABLE helpdesk.helpdesk_trailline DISABLE TRIGGER keep"),
        ("helpdesk", "DROP TABLE helpdesk.helpdesk_trailline"),
        ("helpdesk", "CREATE TABLE helpdesk.mine (x int)"),
        ("helpdesk", "SET session_replication_role = replica"),
    ],
)
def test_what_a_role_of_the_database_may_not(lab: LabUnderTest, role: str, statement: str) -> None:
    said = as_role(lab, role, statement)
    assert re.search("permission denied|droit refusé|must be owner|doit être propriétaire", said), (
        said
    )


@pytest.mark.parametrize(
    "statement",
    [
        LINE,
        "SELECT 1 FROM helpdesk.helpdesk_trailline",
        "SELECT 1 FROM helpdesk.helpdesk_onetimecode",
        "SELECT 1 FROM annuaire.annuaire_limits_count",
        "SELECT helpdesk.helpdesk_expire(400)",
    ],
)
def test_what_the_help_desk_may(lab: LabUnderTest, statement: str) -> None:
    assert as_role(lab, "helpdesk", statement) == "ok"


@pytest.mark.parametrize("role", ["annuaire_owner", "postgres"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE helpdesk.helpdesk_trailline SET person = 'z'",
        "DELETE FROM helpdesk.helpdesk_trailline",
        "TRUNCATE helpdesk.helpdesk_trailline",
        "SET session_replication_role = replica; DELETE FROM helpdesk.helpdesk_trailline",
    ],
)
def test_not_even_the_owner_alters_the_trail(lab: LabUnderTest, role: str, statement: str) -> None:
    if role == "annuaire_owner" and "replication_role" in statement:
        statement = statement.partition("; ")[2]
    # there is a line to alter
    said = as_role(lab, role, f"{LINE}; {statement}")
    assert "only added to" in said, said


@pytest.mark.parametrize("days", [0, 30, 364])
def test_the_trail_is_kept_for_a_year_at_least(lab: LabUnderTest, days: int) -> None:
    said = as_role(lab, "helpdesk", f"SELECT helpdesk.helpdesk_expire({days})")
    assert "365 days at least" in said


def test_nobody_backdates_a_line(lab: LabUnderTest) -> None:
    query = (
        f"{LINE} RETURNING (now() - at < interval '1 minute') AND number > 0 AND length(hash) = 64"
    )
    result = sql(lab, f"SET ROLE helpdesk; BEGIN; {query}; ROLLBACK")
    assert result.stdout.strip() == "t", result.stderr


_COLUMNS = (
    "number", "at", "agent", "address", "action", "person", "outcome", "operation", "detail",
    "previous", "hash",
)  # fmt: skip


def lines_of(text: str) -> list[Line]:
    """Lines of the trail from what psql printed, a field separated by U+001F."""
    found = []
    for row in text.splitlines():
        if "\x1f" in row:
            values = dict(zip(_COLUMNS, row.split("\x1f"), strict=True))
            at = datetime.fromisoformat(values.pop("at"))
            found.append(Line(at=at, number=int(values.pop("number")), **values))
    return found


_ALL = (
    "SELECT concat_ws(E'\\x1f', number, to_char(at AT TIME ZONE 'UTC',"
    " 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00'), agent, address, action, person, outcome, operation,"
    " detail, previous, hash) FROM helpdesk.helpdesk_trailline ORDER BY number"
)


def test_the_real_trail_is_whole(lab: LabUnderTest) -> None:
    """The server made these hashes; what checks them here is other code."""
    line = LINE.replace("'y'", "'é€😀'")
    result = sql(lab, f"SET ROLE helpdesk; BEGIN; {line}; {_ALL}; ROLLBACK")
    assert result.rc == 0, result.stderr
    lines = lines_of(result.stdout)
    assert lines[-1].person == "é€😀"
    verdict = check(lines)
    assert verdict.broken is None, verdict
    assert verdict.lines == len(lines) > 0


def test_lines_expire_and_the_chain_says_so(lab: LabUnderTest) -> None:
    """Old lines are made with the clock's trigger out of the way, in a transaction that ends."""
    old = (datetime.now(UTC) - timedelta(days=500)).isoformat()
    made = list(
        helpdesk_desk.chained(
            [
                (
                    datetime.fromisoformat(old),
                    Entry(Action.VIEW, Outcome.DONE, "x", "", f"p{at}"),
                )
                for at in range(3)
            ]
        )
    )
    values = ",".join(
        f"({one.number}, '{one.at.isoformat()}', 'x', '', 'view', '{one.person}', 'done', '', '',"
        f" '{one.previous}', '{one.hash}')"
        for one in made
    )
    table = "helpdesk.helpdesk_trailline"
    result = sql(
        lab,
        # as the superuser, in a transaction that leaves nothing
        f"BEGIN; ALTER TABLE {table} DISABLE TRIGGER ALL; DELETE FROM {table};"
        f" INSERT INTO {table} (number, at, agent, address, action, person, outcome, operation,"
        f" detail, previous, hash) VALUES {values};"
        f" ALTER TABLE {table} ENABLE ALWAYS TRIGGER chain;"
        f" ALTER TABLE {table} ENABLE ALWAYS TRIGGER keep; SET ROLE helpdesk; {LINE};"
        f" SELECT 'gone ' || helpdesk.helpdesk_expire(400); {_ALL}; ROLLBACK",
    )
    assert result.rc == 0, result.stderr
    assert "gone 3" in result.stdout
    lines = lines_of(result.stdout)
    assert [one.number for one in lines] == [4, 5]
    assert lines[-1].action == "expire"
    verdict = check(lines)
    assert verdict.broken is None
    assert verdict.expired
    # the old ones without the line that vouches for their going
    assert check(lines[:1]).broken == 4


# The sign-on's database


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM public.failures",
        "DELETE FROM public.failures",
        "SELECT 1 FROM public.sessions",
        "SELECT 1 FROM public.cas_tickets",
        "CREATE TABLE helpdesk.mine (x int)",
    ],
)
def test_of_the_sign_on_the_help_desk_sees_two_functions(lab: LabUnderTest, statement: str) -> None:
    assert "denied" in as_role(lab, "helpdesk", statement, "lemonldap") or "refus" in as_role(
        lab, "helpdesk", statement, "lemonldap"
    )


def test_the_functions_answer_about_one_login(lab: LabUnderTest) -> None:
    key = "f" * 64
    add = f"INSERT INTO public.failures (login) SELECT '{key}' FROM generate_series(1, 5)"
    asked = f"SELECT failures || ' ' || (closed_seconds > 0) FROM helpdesk.failures('{key}')"
    result = sql(
        lab,
        f"BEGIN; {add}; SET ROLE helpdesk; {asked}; SELECT helpdesk.forget_failures('{key}');"
        f" {asked}; ROLLBACK",
        "lemonldap",
    )
    assert result.stdout.split("\n")[:3] == ["5 true", "5", "0 false"], result.stderr
