"""The public search: what is indexed, what matches, what a page shows, and to whom no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import annuaire_app
import catalogs
import ent
import web_apps

annuaire_app.start()

from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.test import Client  # noqa: E402

from ent.annuaire import references  # noqa: E402
from ent.annuaire.search import allowance, indexing, names, people, spelling, views  # noqa: E402
from ent.annuaire.search.matching import Query, matches  # noqa: E402
from ent.annuaire.search.models import (  # noqa: E402
    Allowance,
    Membership,
    Misspelling,
    Person,
    Progress,
)
from ent.annuaire.search.structures import Structures  # noqa: E402
from ent.directory import Directory, DirectoryUnavailable, Entry, Filter, Structure  # noqa: E402

STRUCTURES = [
    Structure("", "UP", "Université de Provence", ""),
    Structure("", "UFR-LETTRES", "UFR Lettres, arts, communication", "UP"),
    Structure("", "DEP/ITALIEN", "Département d’italien", "UFR-LETTRES"),
    Structure("", "DSI", "Direction des systèmes d’information", "UP"),
]
ACTIVE, PRE_CREATED = "{COMPTE}A:SupannActif", "{COMPTE}I:SupannPrecree"


def entry(uid: str, given_name: str, surname: str, **more: Any) -> Entry:
    """Somebody in the directory."""
    values: dict[str, Any] = {
        "uid": uid,
        "givenName": given_name,
        "sn": surname,
        "cn": f"{surname} {given_name}",
        "displayName": f"{given_name} {surname}",
        "eduPersonAffiliation": ["employee", "member"],
        "eduPersonPrimaryAffiliation": "employee",
        "supannEntiteAffectation": "DSI",
        "supannEntiteAffectationPrincipale": "DSI",
        "supannRessourceEtat": ACTIVE,
        "modifyTimestamp": "20260901080000Z",
    } | more
    return Entry.from_ldap(
        f"uid={uid},ou=people,dc=univ-provence,dc=fr",
        {
            name: [one.encode() for one in ([value] if isinstance(value, str) else value)]
            for name, value in values.items()
            if value
        },
    )


class FakeDirectory(Directory):
    """People as annuaire-search sees them; the real access rules are integration tests."""

    def __init__(self, *entries: Entry) -> None:
        self.settings = type("Settings", (), {"suffix": "dc=univ-provence,dc=fr"})()
        self.entries = {one.text("uid"): one for one in entries}
        self.down = False
        self.asked: set[str] = set()

    def _find(self, where: Filter) -> list[Entry]:
        if self.down:
            raise DirectoryUnavailable("down")
        text = str(where)
        if since := re.fullmatch(r"\(modifyTimestamp>=(\w+)\)", text):
            return [one for one in self.entries.values() if one.text("modifyTimestamp") >= since[1]]
        wanted = re.findall(r"\(uid=([^)]*)\)", text)
        return [one for one in self.entries.values() if "*" in wanted or one.text("uid") in wanted]

    def search(self, base: str, where: Filter, attributes: Sequence[str], *a: Any, **k: Any) -> Any:
        self.asked |= set(attributes)
        return self._find(where)

    def one(self, base: str, where: Filter, attributes: Sequence[str], *a: Any) -> Entry | None:
        self.asked |= set(attributes)
        return next(iter(self._find(where)), None)

    def paged(self, base: str, where: Filter, attributes: Sequence[str], *a: Any, **k: Any) -> Any:
        return iter(self._find(where))

    def ping(self) -> None:
        self._find(Filter(""))


MARTIN = entry("jmartin", "Jeanne", "Martin", mail="jeanne.martin@univ-provence.fr")
PEOPLE = (
    MARTIN,
    entry("mjean", "Martin", "Jean"),
    entry("lmartinez", "Luis", "Martinez"),
    entry("jlefevre", "Jean-Paul", "Lefèvre", supannEntiteAffectation=["DSI", "UFR-LETTRES"]),
    entry("adalembert", "Anne", "D’Alembert", supannEntiteAffectation="DEP/ITALIEN"),
    entry("fdelafontaine", "François", "de La Fontaine"),
    entry("wli", "Wei", "Li"),
    entry("nlibert", "Nadia", "Libert"),
    entry("thu", "Thu", "Nguyen", eduPersonAffiliation=["student", "member"]),
    entry("aoeuvrard", "Ægidius", "Œuvrard-Müller"),
)


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDirectory]:
    fake = FakeDirectory(*PEOPLE)
    monkeypatch.setattr(views, "directory_as", lambda identity: fake)
    cache = views.StructureCache()
    cache._known, cache._until = Structures(STRUCTURES), float("inf")
    monkeypatch.setattr(views, "structure_cache", lambda: cache)
    with annuaire_app.public():
        indexing.compare_whole(fake)
        yield fake
    for model in (Membership, Person, Misspelling, Progress, Allowance):
        model.objects.all().delete()


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, headers=annuaire_app.HEADERS)


def found(text: str, profile: Any = "tous", codes: set[str] | None = None) -> list[str]:
    query = Query(names.asked_words(text), profile, None if codes is None else frozenset(codes))
    return matches(query, 100)


# What matches


@pytest.mark.parametrize(
    ("typed", "uid"),
    [
        ("Martin Jeanne", "jmartin"),
        ("jeanne martin", "jmartin"),
        ("MARTIN", "jmartin"),
        ("jeanne mart", "jmartin"),
        ("lefevre", "jlefevre"),
        ("LEFÈVRE jean-paul", "jlefevre"),
        ("jeanpaul", "jlefevre"),
        ("paul lef", "jlefevre"),
        ("d'alembert", "adalembert"),
        ("d’alembert", "adalembert"),
        ("dalembert", "adalembert"),
        ("d alembert", "adalembert"),
        ("alembert", "adalembert"),
        ("lafontaine", "fdelafontaine"),
        ("de la fontaine", "fdelafontaine"),
        ("delafontaine francois", "fdelafontaine"),
        ("oeuvrard", "aoeuvrard"),
        ("muller", "aoeuvrard"),
        # one mistake of typing
        ("martn jeanne", "jmartin"),
        ("jeanne matrin", "jmartin"),
        ("lefevvre", "jlefevre"),
        ("lefebre", "jlefevre"),
        ("nartinez", "lmartinez"),
    ],
)
def test_ways_to_type_a_name(typed: str, uid: str) -> None:
    assert found(typed)[0] == uid


def test_whole_words_come_before_beginnings_and_mistakes_last() -> None:
    assert found("martin") == ["jmartin", "mjean", "lmartinez"]
    assert found("martim") == ["jmartin", "mjean"]


def test_a_surname_comes_before_the_same_given_name() -> None:
    assert found("martin")[:2] == ["jmartin", "mjean"]
    assert found("jean")[0] == "mjean"


def test_two_letters_alone_are_a_whole_name_not_a_beginning() -> None:
    assert found("li") == ["wli"]
    assert "nlibert" in found("li nadia")


def test_all_words_have_to_match() -> None:
    assert found("martin luis nobody") == []
    assert found("martin anne") == []


def test_profiles() -> None:
    assert found("nguyen", "personnel") == []
    assert found("nguyen", "etudiant") == ["thu"]
    assert found("jeanne", "etudiant") == []


def test_structures() -> None:
    assert found("lefevre", codes={"UFR-LETTRES"}) == ["jlefevre"]
    assert found("martin", codes={"UFR-LETTRES"}) == []
    assert found("", codes={"DEP/ITALIEN"}) == ["adalembert"]
    assert found("martin", codes=set()) == []


@pytest.mark.parametrize("typed", ["%", "_", "*", "m%n", "(uid=*)", "'; DROP TABLE x", "*)(uid=*"])
def test_no_wildcard_lists_anybody(client: Client, typed: str) -> None:
    page = client.get("/recherche", {"nom": typed, "profil": "tous"})
    assert page.status_code in (200, 400)
    assert 'class="result"' not in page.content.decode()


LETTERS = st.text("abcdefgh", min_size=4, max_size=12)


@given(LETTERS, st.integers(0, 100), st.sampled_from("aegz"), st.sampled_from("dtsa"))
def test_every_single_mistake_is_found_by_a_common_variant(
    word: str, place: int, letter: str, kind: str
) -> None:
    at = place % len(word)
    typed = {
        "d": word[:at] + word[at + 1 :],
        "t": word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        "s": word[:at] + letter + word[at + 1 :],
        "a": word[:at] + letter + word[at:],
    }[kind]
    assert spelling.within_one_mistake(word, typed)
    if len(typed) >= spelling.SHORTEST:
        assert spelling.variants(word) & spelling.variants(typed)


@pytest.mark.parametrize(
    ("one", "other"), [("martin", "marine"), ("martin", "mratni"), ("abcd", "abdce"), ("a", "abc")]
)
def test_two_mistakes_are_another_word(one: str, other: str) -> None:
    assert not spelling.within_one_mistake(one, other)


# References


@given(st.from_regex(r"[a-z][a-z0-9._-]{0,31}", fullmatch=True))
def test_a_reference_leads_back_and_says_nothing(uid: str) -> None:
    reference = references.reference_of(uid)
    assert references.uid_of(reference) == uid
    assert references.reference_of(uid.upper()) == reference
    assert re.fullmatch(r"[A-Za-z0-9_-]{35,}", reference)
    assert len(references.reference_of("ab")) == len(references.reference_of("a" * 16))


@given(st.text(max_size=130))
def test_what_was_not_made_here_is_no_reference(text: str) -> None:
    with pytest.raises(references.NotAReference):
        references.uid_of(text)


@pytest.mark.parametrize("at", range(0, 35, 5))
def test_a_changed_reference_is_none(at: int) -> None:
    good = references.reference_of("jmartin")
    changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
    with pytest.raises(references.NotAReference):
        references.uid_of(changed)


# The index follows the directory


def test_a_change_is_taken_over(directory: FakeDirectory) -> None:
    directory.entries["jmartin"] = entry(
        "jmartin", "Jeanne", "Lemoine", modifyTimestamp="20260902080000Z"
    )
    assert indexing.take_over_changes(directory) == 1
    assert found("lemoine") == ["jmartin"]
    assert "jmartin" not in found("martin")
    assert indexing.take_over_changes(directory) == 0


def test_a_change_that_became_visible_late_is_not_missed(directory: FakeDirectory) -> None:
    """One writer's change may be complete after that of another who began later."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ")
    directory.entries["mjean"] = entry("mjean", "Martin", "Jean", modifyTimestamp=now)
    assert indexing.take_over_changes(directory) == 1
    earlier = str(int(now[:-1]) - 1) + "Z"
    if int(earlier[12:14]) > 58:  # the second before a minute began
        earlier = now
    directory.entries["late"] = entry("late", "Lise", "Retard", modifyTimestamp=earlier)
    assert indexing.take_over_changes(directory) == 1
    assert found("retard") == ["late"]


def test_who_is_gone_leaves_at_the_comparison(directory: FakeDirectory) -> None:
    del directory.entries["jmartin"]
    assert indexing.compare_whole(directory) == (0, 1)
    assert not Membership.objects.filter(person_id="jmartin").exists()
    assert found("jeanne martin") == []


def test_a_directory_that_shows_nobody_does_not_empty_the_index(directory: FakeDirectory) -> None:
    directory.entries.clear()
    with pytest.raises(indexing.NobodyShown, match="cn=annuaire-search nobody"):
        indexing.compare_whole(directory)
    assert found("martin")


def test_a_directory_that_is_down_changes_nothing(directory: FakeDirectory) -> None:
    directory.down = True
    with pytest.raises(DirectoryUnavailable):
        indexing.compare_whole(directory)
    assert len(found("martin")) == 3


def test_a_person_without_names_does_no_harm(directory: FakeDirectory) -> None:
    directory.entries["x"] = entry("x", "", "", cn="😀", displayName="")
    indexing.compare_whole(directory)
    assert found("martin")


# Pages


def test_the_first_page_needs_no_database_and_no_directory(
    client: Client, directory: FakeDirectory
) -> None:
    directory.down = True
    with connection.execute_wrapper(lambda *_: pytest.fail("a query")):
        response = client.get("/")
    page = response.content.decode()
    assert response.status_code == 200
    assert re.search(r'value="personnel"[^>]*checked', page)
    assert page.index('value="personnel"') < page.index('value="etudiant"')


def test_the_first_page_leads_to_a_forgotten_password(client: Client) -> None:
    page = client.get("/").content.decode()
    assert '<a href="/assistance/">Mot de passe oublié\u202f?</a>' in page


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/recherche", 400), ("/nulle-part", 404)]
)
def test_more_parameters_than_are_read(client: Client, path: str, status: int) -> None:
    response = client.get(path, {f"p{number}": "1" for number in range(60)})
    assert response.status_code == status
    assert "site-header" in response.content.decode()


def test_a_cookie_that_no_session_can_have(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses a null in a text; SQLite, here, does not."""

    def load(store: SessionStore) -> None:
        raise ValueError(store.session_key)

    monkeypatch.setattr(SessionStore, "_get_session_from_db", load)
    client.cookies["__Host-annuaire-session"] = "a" * 31 + "\0"
    assert client.get("/compte/").status_code == 302


def test_results_name_function_and_structure(client: Client) -> None:
    page = client.get("/recherche", {"nom": "jeanne"}).content.decode()
    assert "Jeanne Martin" in page
    assert "Personnel de l’université" in page
    assert "Direction des systèmes d’information" in page
    assert "jmartin" not in page
    assert "jeanne.martin@" not in page


def page_of(client: Client, uid: str) -> Any:
    return client.get(f"/personne/{references.reference_of(uid)}")


def test_a_person_and_what_is_shown_of_them(client: Client, directory: FakeDirectory) -> None:
    directory.entries["jmartin"] = entry(
        "jmartin",
        "Jeanne",
        "Martin",
        title="Ingénieure",
        mail="jeanne.martin@univ-provence.fr",
        telephoneNumber=["04 65 71 00 21", "javascript:1"],
        labeledURI=["https://pages.example/ Ma page", "http://x.example/", "javascript:alert(1)"],
    )
    response = page_of(client, "jmartin")
    page = response.content.decode()
    assert "Ingénieure" in page
    assert '<a href="tel:0465710021">04 65 71 00 21</a>' in page
    assert "jeanne.martin@univ-provence.fr" in page
    assert '<a href="https://pages.example/" rel="nofollow noopener noreferrer">Ma page</a>' in page
    assert "javascript" not in page
    assert "http://x.example" not in page
    assert "Activer mon compte" not in page
    assert "jmartin" not in page


@pytest.mark.parametrize(
    ("state", "mail", "button"),
    [
        (ACTIVE, True, False),
        ("{COMPTE}A:SupannSursis", True, False),
        (PRE_CREATED, False, True),
        ("{COMPTE}S:SupannVerrouAdministratif", False, False),
        ("{COMPTE}S:SupannVerrouTechnique", False, False),
        ("", False, False),
    ],
)
def test_the_button_and_the_address_follow_the_state(
    client: Client, directory: FakeDirectory, state: str, mail: bool, button: bool
) -> None:
    directory.entries["jmartin"] = entry(
        "jmartin", "J", "Martin", supannRessourceEtat=state, mail="j.m@univ-provence.fr"
    )
    page = page_of(client, "jmartin").content.decode()
    assert ("j.m@univ-provence.fr" in page) is mail
    assert (f'href="/activer/{references.reference_of("jmartin")}"' in page) is button


def test_who_is_on_the_red_list_is_gone_at_once(client: Client, directory: FakeDirectory) -> None:
    """From every page, though the index has not noticed; and then the index has."""
    assert "Jeanne Martin" in client.get("/recherche", {"nom": "jeanne"}).content.decode()
    del directory.entries["jmartin"]
    page = client.get("/recherche", {"nom": "jeanne"}).content.decode()
    assert "Jeanne Martin" not in page
    assert "Aucune personne trouvée" in page
    assert not Person.objects.filter(uid="jmartin").exists()
    assert page_of(client, "jmartin").status_code == 404


def test_who_is_gone_leaves_no_gap_in_a_full_page(client: Client, directory: FakeDirectory) -> None:
    directory.entries.update(
        {f"d{n:02}": entry(f"d{n:02}", f"P{n:02}", "Durand") for n in range(25)}
    )
    indexing.compare_whole(directory)
    del directory.entries["d03"]
    page = client.get("/recherche", {"nom": "durand"}).content.decode()
    assert page.count('class="result"') == 20


def test_pages_of_results_end(client: Client, directory: FakeDirectory) -> None:
    directory.entries.update(
        {f"d{n:03}": entry(f"d{n:03}", f"Paul{n:03}", "Durand") for n in range(130)}
    )
    indexing.compare_whole(directory)
    first = client.get("/recherche", {"nom": "durand"}).content.decode()
    assert "Page 1 sur 5" in first
    assert 'href="?nom=durand&amp;page=2"' in first
    assert "d’autres personnes correspondent" in first
    last = client.get("/recherche", {"nom": "durand", "page": "99"}).content.decode()
    assert "Page 5 sur 5" in last
    assert "Page suivante" not in last
    structure = client.get("/structure/DSI").content.decode()
    assert "Page 1 sur 5" in structure
    assert 'href="?page=2"' in structure


def test_nobody_found_says_whom_to_ask(client: Client) -> None:
    page = client.get("/recherche", {"nom": "zzzzz"}).content.decode()
    assert "Demandez à la division du personnel" in page
    assert "04 65 71 00 30" in page
    assert 'href="/recherche?nom=zzzzz&amp;structure=&amp;profil=tous"' in page


def test_structures_by_name_and_with_those_below(client: Client) -> None:
    page = client.get("/recherche", {"structure": "lettres"}).content.decode()
    assert 'href="/structure/UFR-LETTRES"' in page
    with_name = {"nom": "alembert", "structure": "lettres", "profil": "tous"}
    assert "D’Alembert" in client.get("/recherche", with_name).content.decode()
    nowhere = {"nom": "alembert", "structure": "nulle part"}
    page = client.get("/recherche", nowhere).content.decode()
    assert "Aucune structure ne porte ce nom" in page
    assert "D’Alembert" not in page


def test_the_tree_of_structures(client: Client) -> None:
    page = client.get("/structures").content.decode()
    assert 'href="/structure/DEP/ITALIEN"' in page
    child = client.get("/structure/DEP/ITALIEN").content.decode()
    assert "UFR Lettres" in child
    assert "Anne D’Alembert" in child
    assert client.get("/structure/NULLE-PART").status_code == 404


def test_structures_that_are_each_others_parent_end() -> None:
    circle = Structures([Structure("", "A", "A", "B"), Structure("", "B", "B", "A")])
    assert circle.within("A") == {"A", "B"}
    assert circle.tree() == []


@pytest.mark.parametrize("asked", [{"nom": ""}, {"nom": " "}, {"nom": "-"}, {"nom": "x"}])
def test_too_little_is_an_error_beside_the_field(client: Client, asked: dict[str, str]) -> None:
    response = client.get("/recherche", asked)
    page = response.content.decode()
    assert response.status_code == 400
    assert 'class="error-summary"' in page
    assert 'aria-invalid="true"' in page
    assert 'id="id_nom_error"' in page


HOSTILE = [
    "\x00",
    "a\x00b",
    "\u202eniaj",
    "😀" * 30,
    "é" * 100,
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "x" * 60_000,
    "\\2a)(objectClass=*",
    "張偉",
    "-- ' \" ; \\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_input_gets_a_clean_answer(client: Client, text: str) -> None:
    for name in ("nom", "profil", "structure", "page"):
        response = client.get("/recherche", {"nom": "martin", **{name: text}})
        assert response.status_code in (200, 400)
        assert "<script>" not in response.content.decode()
    assert client.get(f"/personne/{text[:200]}").status_code == 404
    assert client.get("/structure/" + text[:200].replace("/", "")).status_code == 404


@given(st.text(max_size=120), st.text(max_size=20), st.text(max_size=120))
@settings(max_examples=60)
def test_any_input_gets_a_clean_answer(name: str, profile: str, structure: str) -> None:
    client = Client(headers=annuaire_app.HEADERS)
    response = client.get("/recherche", {"nom": name, "profil": profile, "structure": structure})
    assert response.status_code in (200, 400)


def test_only_public_attributes_are_asked_for(client: Client, directory: FakeDirectory) -> None:
    client.get("/recherche", {"nom": "martin"})
    page_of(client, "jmartin")
    assert directory.asked <= {
        *people.DETAILS,
        "supannRessourceEtat",  # as annuaire-activation, for the button
    }
    assert not {"userPassword", "supannEmpId", "supannOIDCDateDeNaissance", "supannAutreMail"} & (
        directory.asked | set(indexing.ATTRIBUTES)
    )


def test_a_network_that_was_shown_enough_waits(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "_hour", lambda: 1)
    with annuaire_app.public(search=annuaire_app.SEARCH | {"hourly_results": 5}):
        asked = {"nom": "martin"}
        assert client.get("/recherche", asked).status_code == 200  # 3 people
        assert client.get("/recherche", asked).status_code == 200  # 6
        response = client.get("/recherche", asked)
        assert response.status_code == 429
        assert response["Retry-After"] == "3600"
        assert page_of(client, "jmartin").status_code == 429
        assert client.get("/structure/DSI").status_code == 429
        other = {"x-forwarded-for": "192.0.2.8"}
        assert client.get("/recherche", asked, headers=other).status_code == 200
        assert client.get("/").status_code == 200
        monkeypatch.setattr(allowance, "_hour", lambda: 2)
        assert client.get("/recherche", asked).status_code == 200
    assert allowance.clear() == 2


def test_addresses_of_one_ipv6_network_share_their_allowance(client: Client) -> None:
    with annuaire_app.public(search=annuaire_app.SEARCH | {"hourly_results": 1}):
        answers = [
            client.get("/recherche", {"nom": "martin"}, headers={"x-forwarded-for": address})
            for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:3::1")
        ]
    assert [one.status_code for one in answers] == [200, 429, 200]


def test_networks_of_the_university_are_not_counted(client: Client) -> None:
    search = annuaire_app.SEARCH | {"hourly_results": 1, "unlimited_networks": ["192.0.2.0/24"]}
    with annuaire_app.public(search=search):
        for _ in range(3):
            assert client.get("/recherche", {"nom": "martin"}).status_code == 200


def test_directory_or_database_down_gets_a_page(client: Client, directory: FakeDirectory) -> None:
    reference = references.reference_of("jmartin")
    directory.down = True
    for path in ("/recherche?nom=martin", f"/personne/{reference}"):
        response = client.get(path)
        assert response.status_code == 503
        assert response["Retry-After"] == "60"
        assert "ne répond pas" in response.content.decode()
    directory.down = False

    def broken(*_: Any) -> None:
        raise OperationalError("down")

    with connection.execute_wrapper(broken):
        assert client.get("/recherche?nom=martin").status_code == 503
        assert client.get("/").status_code == 200


def test_health(client: Client, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    from ent.annuaire import views as health  # noqa: PLC0415

    monkeypatch.setattr(health, "directory_as", lambda identity: directory)
    assert client.get("/sante").json() == {"base": "ok", "annuaire": "ok", "index": "ok"}
    Progress.objects.update(checked_at=datetime(2026, 1, 1, tzinfo=UTC))
    response = client.get("/sante")
    assert response.status_code == 503
    assert response.json() == {"base": "ok", "annuaire": "ok", "index": "ko"}


@pytest.mark.parametrize("path", ["/", "/recherche?nom=martin", "/structures", "/robots.txt", "/x"])
def test_headers(client: Client, path: str) -> None:
    response = client.get(path)
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"
    assert ("noindex" in response.get("X-Robots-Tag", "")) is (path != "/")


def test_robots(client: Client) -> None:
    lines = client.get("/robots.txt").content.decode().splitlines()
    assert lines == ["User-agent: *", "Allow: /$", "Disallow: /"]


def test_nothing_of_the_help_desk_is_served_here(client: Client) -> None:
    assert client.get("/assistance/").status_code == 404
    with web_apps.serving(annuaire_app.helpdesk_settings()):
        assert Client(headers=annuaire_app.HEADERS).get("/recherche?nom=martin").status_code == 404


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://a.example/x", people.Link("https://a.example/x", "a.example")),
        ("https://a.example/x  Mon labo", people.Link("https://a.example/x", "Mon labo")),
        ("http://a.example/", None),
        ("javascript:alert(1)", None),
        ("https:///x", None),
        ("https://[", None),
        ("https://a\u202e.example/", None),
        ("", None),
    ],
)
def test_links(text: str, link: people.Link | None) -> None:
    assert people.link_of(text) == link


@pytest.mark.parametrize("part", ["annuaire", "annuaire/search"])
def test_every_french_text_has_its_english_one(part: str) -> None:
    folder = Path(ent.__file__).parent / part
    wanted = catalogs.messages_of(folder)
    for own in folder.glob("*/locale"):
        for text in catalogs.messages_of(own.parent):
            wanted.pop(text, None)
    catalogs.assert_complete(folder, wanted)
