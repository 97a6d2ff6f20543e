"""The public search with the real directory and database: what it finds, who is not shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
import requests

from lab import LabUnderTest, wait_for
from openldap_client import Directory, ldif_line, person

pytestmark = [
    pytest.mark.uses("annuaire1"),
    pytest.mark.service("annuaire1", "ent-annuaire", "ent-annuaire-index"),
    pytest.mark.service("ldap1", "slapd"),
]
Search = Callable[..., str]
MARIE, LINE = "srch-marie", "srch-line"


@pytest.fixture(scope="module")
def directory(lab: LabUnderTest) -> Directory:
    return Directory(lab)


@pytest.fixture(scope="module")
def url(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}"


@pytest.fixture(scope="module")
def http(lab: LabUnderTest) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = lab.ca_file
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def search(url: str, http: requests.Session) -> Search:
    def ask(name: str, profile: str = "tous", **more: str) -> str:
        """Names of the people found, the best first."""
        response = http.get(f"{url}/recherche", params={"nom": name, "profil": profile, **more})
        assert response.status_code == 200, response.text
        return "; ".join(re.findall(r'<a href="/personne/[^"]+">([^<]+)</a>', response.text))

    return ask


@pytest.fixture(scope="module", autouse=True)
def people(directory: Directory, search: Search) -> Iterator[None]:
    """Two people whom nobody else is like, in the index."""
    common = {"supannEntiteAffectation": "DSI", "supannEntiteAffectationPrincipale": "DSI"}
    everybody = {
        MARIE: {
            "sn": "Zwenkova-d’Örtz",
            "givenName": "Marie-Élise",
            "cn": "Zwenkova-d’Örtz Marie-Élise",
            "displayName": "Marie-Élise Zwenkova-d’Örtz",
            "eduPersonAffiliation": ["employee", "member"],
            "telephoneNumber": "04 65 71 00 77",
            "mail": "marie-elise.zwenkova@univ-provence.fr",
            "supannAutreMail": "marie-elise.zwenkova@univ-provence.fr",
            "labeledURI": ["https://pages.univ-provence.fr/z Ma page", "javascript:alert(1)"],
        },
        LINE: {
            "sn": "Zwenkov",
            "givenName": "Line",
            "cn": "Zwenkov Line",
            "displayName": "Line Zwenkov",
            "eduPersonAffiliation": ["student", "member"],
        },
    }
    dns = [directory.dn(uid) for uid in everybody]
    directory.delete(*dns)
    for uid, attributes in everybody.items():
        directory.add(directory.dn(uid), person(uid, **common, **attributes))
    wait_for(lambda: "Line" in search("zwenkov") and "Marie" in search("zwenkov"), what="the index")
    yield
    directory.delete(*dns)


def change(directory: Directory, uid: str, how: str, attribute: str, value: str = "") -> None:
    lines = [ldif_line("dn", directory.dn(uid)), "changetype: modify", f"{how}: {attribute}"]
    if value:
        lines.append(ldif_line(attribute, value))
    directory.as_root("\n".join([*lines, "-", ""]))


@pytest.fixture
def changing(directory: Directory) -> Iterator[Callable[[str, str, str], None]]:
    """Set an attribute of a person for the time of a test."""
    done: list[tuple[str, str]] = []

    def set_value(uid: str, attribute: str, value: str) -> None:
        change(directory, uid, "replace", attribute, value)
        done.append((uid, attribute))

    yield set_value
    for uid, attribute in done:
        if attribute == "supannRessourceEtat":
            change(directory, uid, "replace", attribute, "{COMPTE}A:SupannActif")
        else:
            change(directory, uid, "replace", attribute)


@pytest.mark.guide("G6a")
@pytest.mark.parametrize(
    "typed",
    [
        "Zwenkova",
        "zwenkova marie",
        "MARIE ELISE ZWENKOVA",
        "marieelise zwenk",
        "dortz",
        "ortz zwen",
        "d'örtz",
        "zwenkoav marie",
        "zwenkowa marie",
    ],
)
def test_ways_to_type_a_name(search: Search, typed: str) -> None:
    assert search(typed).startswith("Marie-Élise Zwenkova-d’Örtz")


def test_as_typed_comes_before_a_mistake(search: Search) -> None:
    assert search("zwenkov").startswith("Line Zwenkov")
    assert search("zwenkova") == "Marie-Élise Zwenkova-d’Örtz; Line Zwenkov"


@pytest.mark.guide("G6a")
def test_profiles_and_structures(search: Search) -> None:
    assert search("zwenkov", "personnel") == "Marie-Élise Zwenkova-d’Örtz"
    assert search("zwenkov", "etudiant") == "Line Zwenkov"
    assert "Line" in search("zwenkov", structure="systèmes d'information")
    assert search("zwenkov", structure="bibliothèque nulle part") == ""


def page_of(lab: LabUnderTest, uid: str) -> str:
    """The address of a person's page, as an administrator gets it."""
    result = lab.run(
        "annuaire1",
        "runuser -u ent-annuaire -- /opt/ent/annuaire/current/bin/ent-annuaire public reference %s",
        uid,
    )
    assert result.rc == 0, result.stderr
    return str(result.stdout.strip())


@pytest.mark.guide("G6b")
def test_a_persons_page(lab: LabUnderTest, http: requests.Session) -> None:
    page = http.get(page_of(lab, MARIE)).text
    assert "04 65 71 00 77" in page
    assert "marie-elise.zwenkova@univ-provence.fr" in page
    assert '<a href="https://pages.univ-provence.fr/z"' in page
    assert "javascript" not in page
    assert "Direction des systèmes d’information" in page
    assert MARIE not in page


def test_the_red_list_counts_at_once(
    lab: LabUnderTest,
    search: Search,
    http: requests.Session,
    changing: Callable[[str, str, str], None],
) -> None:
    page = page_of(lab, MARIE)
    assert http.get(page).status_code == 200
    changing(MARIE, "supannListeRouge", "TRUE")
    assert "Marie" not in search("zwenkova")
    response = http.get(page)
    assert response.status_code == 404
    assert "Zwenkova" not in response.text


def test_who_comes_off_the_red_list_is_found_again(search: Search) -> None:
    wait_for(lambda: "Marie" in search("zwenkova"), what="the index")


def test_a_hidden_telephone_is_hidden_at_once(
    lab: LabUnderTest, http: requests.Session, changing: Callable[[str, str, str], None]
) -> None:
    page = page_of(lab, MARIE)
    assert "04 65 71 00 77" in http.get(page).text
    changing(MARIE, "entTelephoneHidden", "TRUE")
    answer = http.get(page)
    assert answer.status_code == 200
    assert "04 65 71 00 77" not in answer.text


@pytest.mark.guide("G6c")
@pytest.mark.parametrize(
    ("state", "offered", "shown"),
    [
        ("{COMPTE}I:SupannPrecree", True, True),
        ("{COMPTE}A:SupannSursis", False, True),
        ("{COMPTE}S:SupannVerrouAdministratif", False, True),
        ("{COMPTE}I:SupannExpire", False, False),
    ],
)
def test_activation_is_offered_exactly_to_whom_it_is_for(
    lab: LabUnderTest,
    http: requests.Session,
    changing: Callable[[str, str, str], None],
    state: str,
    offered: bool,
    shown: bool,
) -> None:
    page = page_of(lab, MARIE)
    changing(MARIE, "supannRessourceEtat", state)
    response = http.get(page)
    assert (response.status_code == 200) is shown
    assert ("Activer mon compte" in response.text) is offered
    assert ("marie-elise.zwenkova@" in response.text) is (state == "{COMPTE}A:SupannSursis")


def test_a_new_name_is_found_and_the_old_one_is_not(directory: Directory, search: Search) -> None:
    assert "Line" in search("line zwenkov")
    for attribute, value in (
        ("cn", "Qwertinski Line"),
        ("sn", "Qwertinski"),
        ("displayName", "Line Qwertinski"),
    ):
        change(directory, LINE, "replace", attribute, value)
    wait_for(
        # the index may have looked between two of the three changes
        lambda: search("qwertinski") == "Line Qwertinski" and "Line" not in search("line zwenkov"),
        what="the index",
    )


def rights(lab: LabUnderTest, statement: str) -> str:
    """One value from the annuaire's database, as its administrator."""
    result = lab.run("db1", "runuser -u postgres -- psql -d annuaire -tAc %s", statement)
    assert result.rc == 0, result.stderr
    return str(result.stdout.strip())


@pytest.mark.parametrize(
    ("role", "table", "allowed"),
    [
        ("annuaire", "annuaire.search_person", True),
        ("annuaire", "annuaire.django_session", True),
        ("annuaire", "helpdesk.django_session", False),
        ("annuaire", "helpdesk.auth_user", False),
        ("helpdesk", "helpdesk.django_session", True),
        ("helpdesk", "annuaire.django_session", False),
        ("helpdesk", "annuaire.auth_user", False),
        ("helpdesk", "annuaire.search_person", False),
    ],
)
def test_no_process_reads_the_sign_ins_of_the_other(
    lab: LabUnderTest, role: str, table: str, allowed: bool
) -> None:
    result = lab.run(
        "db1",
        "runuser -u postgres -- psql -d annuaire -v ON_ERROR_STOP=1 -tAc %s",
        f"SET ROLE {role}; SELECT count(*) FROM {table}",
    )
    assert (result.rc == 0) is allowed, result.stderr
    if not allowed:
        assert "permission denied" in result.stderr or "droit refusé" in result.stderr


@pytest.mark.parametrize("role", ["annuaire", "helpdesk"])
def test_no_process_changes_tables(lab: LabUnderTest, role: str) -> None:
    for statement in (
        f"CREATE TABLE {role}.x (y int)",
        "CREATE TABLE public.x (y int)",
        f"DROP TABLE {role}.django_session",
        f"ALTER TABLE {role}.django_session ADD COLUMN x int",
        f"TRUNCATE {role}.django_session",
        "DELETE FROM auth_user",
    ):
        result = lab.run(
            "db1",
            "runuser -u postgres -- psql -d annuaire -v ON_ERROR_STOP=1 -c %s",
            f"BEGIN; SET LOCAL ROLE {role}; SET LOCAL search_path TO {role}; {statement}; ROLLBACK",
        )
        assert result.rc != 0, statement


def test_what_was_granted_by_hand_is_taken_back(lab: LabUnderTest) -> None:
    grant = "GRANT SELECT ON helpdesk.django_session TO annuaire"
    has = "SELECT has_table_privilege('annuaire', 'helpdesk.django_session', 'SELECT')"
    rights(lab, grant)
    assert rights(lab, has) == "t"
    prepare = (
        "runuser -u ent-annuaire-owner -- /opt/ent/annuaire/current/bin/ent-annuaire owner prepare"
    )
    first = lab.run("annuaire1", prepare)
    assert (
        'Changed: REVOKE SELECT ON TABLE "helpdesk"."django_session" FROM "annuaire"'
        in first.stdout
    )
    assert rights(lab, has) == "f"
    assert "Changed" not in lab.run("annuaire1", prepare).stdout


def test_the_beginning_of_a_word_uses_the_index(lab: LabUnderTest) -> None:
    """A table of so few rows is read whole; told not to, PostgreSQL uses the trigrams."""
    plan = rights(
        lab,
        "SET enable_seqscan = off; SET search_path TO annuaire, public; "
        "EXPLAIN (FORMAT JSON) SELECT uid FROM search_person WHERE words LIKE '% zwen%'",
    )
    nodes = json.dumps(json.loads(plan[plan.index("[") :]))
    assert "search_person_words" in nodes


def test_the_index_is_of_listed_people_only(
    lab: LabUnderTest, search: Search, changing: Callable[[str, str, str], None]
) -> None:
    wait_for(lambda: "Marie" in search("zwenkova"), what="the index")
    in_index = f"SELECT count(*) FROM annuaire.search_person WHERE uid = '{MARIE}'"
    assert rights(lab, in_index) == "1"
    changing(MARIE, "supannListeRouge", "TRUE")
    result = lab.run(
        "annuaire1",
        "runuser -u ent-annuaire -- /opt/ent/annuaire/current/bin/ent-annuaire public index",
    )
    if "Another process" not in result.stdout:
        assert result.rc == 0, result.stderr
        assert rights(lab, in_index) == "0"
