"""Logins and addresses: the examples people know, and what holds for every name there is."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ent.naming import (
    LOCAL_PART_LENGTH,
    LOGIN_LENGTH,
    RESERVED,
    address_candidates,
    first_free,
    fold,
    login_candidates,
)

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "univ-provence.fr"
OPENLDAP = yaml.safe_load((ROOT / "roles/openldap/defaults/main.yml").read_text())
DOT_ATOM = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")

# every character there is, and the ones names are made of more often
LETTERS = "abcdeéèêëçàùïîôœæßøłðþñÀÉŒÆØŁ'’ʼ -‐.ОльгаΝίκος王小明محمد"
NAMES = st.text(max_size=80) | st.text(st.sampled_from(LETTERS), max_size=90)
PEOPLE = st.lists(st.tuples(NAMES, NAMES), max_size=8)


def login(given_name: str, surname: str) -> str:
    return next(login_candidates(given_name, surname))


def address(given_name: str, surname: str) -> str:
    return next(address_candidates(given_name, surname, DOMAIN)).removesuffix(f"@{DOMAIN}")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Lefèvre", "lefevre"),
        ("Lefe\u0300vre", "lefevre"),
        ("D’Alembert", "dalembert"),
        ("d'alembert", "dalembert"),
        ("Jean-Pierre de La Fontaine", "jean pierre de la fontaine"),
        ("Œuvrard  Cæsar", "oeuvrard caesar"),
        ("Strauß Øre Łukasz", "strauss ore lukasz"),
        ("Ольга", "olga"),
        ("Batiment 2", "batiment 2"),
        (" ’ ", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("given_name", "surname", "wanted_login", "wanted_address"),
    [
        ("Jeanne", "Martin", "jmartin", "jeanne.martin"),
        ("Amélie", "Lefèvre", "alefevre", "amelie.lefevre"),
        ("Jean-Pierre", "de La Fontaine", "jdelafontaine", "jean-pierre.de-la-fontaine"),
        ("Jean Pierre", "Dupond Durand", "jduponddurand", "jean-pierre.dupond-durand"),
        ("Jean", "D’Alembert", "jdalembert", "jean.dalembert"),
        ("Anne", "L'Hermite", "alhermite", "anne.lhermite"),
        ("Œdipe", "Bœuf", "oboeuf", "oedipe.boeuf"),
        ("Ægir", "Strauß", "astrauss", "aegir.strauss"),
        ("Øyvind", "Łoś", "olos", "oyvind.los"),
        ("A", "O", "ao", "a.o"),
        ("Ольга", "Щербакова", "oshcherbakova", "olga.shcherbakova"),
        ("小明", "王", "xwang", "xiaoming.wang"),
        ("", "Sukarno", "sukarno", "sukarno"),
        ("Madonna", "", "madonna", "madonna"),
        ("", "O", "o2", "o"),
        ("", "", "personne", "personne"),
        ("!", "123", "personne", "personne"),
        ("Raoul", "Oot", "root2", "raoul.oot"),
        ("", "Postmaster", "postmaster2", "postmaster2"),
        ("Jean", "Martin 2", "jmartin", "jean.martin"),
        (
            "Marie-Anne",
            "Vasconcelos de Albuquerque e Castro",
            "mvasconcelosdealbuqu",
            "marie-anne.vasconcelos-de-albuquerque-e-castro",
        ),
        (
            "Maximilien Alexandre Théophraste Barthélemy",
            "de Montmorency Luxembourg de la Rochefoucauld",
            "mdemontmorencyluxemb",
            "maximilien-alexandre.de-montmorency-luxembourg-de-la",
        ),
    ],
)
def test_examples(given_name: str, surname: str, wanted_login: str, wanted_address: str) -> None:
    assert login(given_name, surname) == wanted_login
    assert address(given_name, surname) == wanted_address


def test_homonyms_are_numbered_from_two_on() -> None:
    assert list(itertools.islice(login_candidates("Paul", "Durand"), 3)) == [
        "pdurand",
        "pdurand2",
        "pdurand3",
    ]
    assert list(itertools.islice(address_candidates("Paul", "Durand", DOMAIN), 3)) == [
        "paul.durand@univ-provence.fr",
        "paul.durand2@univ-provence.fr",
        "paul.durand3@univ-provence.fr",
    ]


def test_the_demonstration_people_have_what_the_rule_gives() -> None:
    people = yaml.safe_load((ROOT / "inventories/lab/group_vars/directory/people.yml").read_text())[
        "openldap_people"
    ]
    assert people
    for person in people:
        entry = person.get("attributes", {}) | person.get("initial", {})
        names = entry["givenName"], entry["sn"]
        assert login(*names) == person["uid"]
        assert entry.get("mail", "").partition("@")[0] in ("", address(*names))


@pytest.mark.parametrize(
    "domain",
    ["", "localhost", "Univ.fr", "univ-é.fr", "-a.fr", "a..fr", "a.fr ", "x." * 100 + "fr"],
)
def test_a_domain_that_is_none(domain: str) -> None:
    with pytest.raises(ValueError, match="not a mail domain"):
        next(address_candidates("Jeanne", "Martin", domain))


@given(NAMES, NAMES)
def test_logins_are_what_slapd_takes(given_name: str, surname: str) -> None:
    candidates = list(itertools.islice(login_candidates(given_name, surname), 120))
    assert len(set(candidates)) == len(candidates)
    for one in candidates:
        assert re.fullmatch(OPENLDAP["openldap_constraint_uid"], one)
        assert len(one) <= LOGIN_LENGTH
    assert RESERVED.isdisjoint(candidates)


@given(NAMES, NAMES)
def test_addresses_are_valid_and_ascii(given_name: str, surname: str) -> None:
    candidates = list(itertools.islice(address_candidates(given_name, surname, DOMAIN), 120))
    assert len(set(candidates)) == len(candidates)
    for one in candidates:
        local, _, domain = one.partition("@")
        assert domain == DOMAIN
        assert DOT_ATOM.fullmatch(local)
        assert not re.search(r"(^|\.)-|-(\.|$)|--", local)
        assert len(local.encode()) <= LOCAL_PART_LENGTH
        assert re.fullmatch(OPENLDAP["openldap_constraint_mail"], one)
        assert local not in RESERVED


@given(NAMES, NAMES, NAMES, NAMES)
def test_nobodys_number_is_anothers_name(
    given_name: str, surname: str, other_given_name: str, other_surname: str
) -> None:
    for candidates in (login_candidates, lambda *names: address_candidates(*names, DOMAIN)):
        natural = next(candidates(given_name, surname))
        numbered = itertools.islice(candidates(other_given_name, other_surname), 1, 30)
        if not re.search(r"[0-9](@|$)", natural):
            assert natural not in set(numbered)


@given(NAMES, NAMES)
def test_the_spelling_does_not_matter(given_name: str, surname: str) -> None:
    for other in (str.upper, str.casefold):
        if fold(other(given_name)) == fold(given_name) and fold(other(surname)) == fold(surname):
            assert login(other(given_name), other(surname)) == login(given_name, surname)
            assert address(other(given_name), other(surname)) == address(given_name, surname)


@given(NAMES)
def test_folding_folds_all_there_is(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+( [a-z0-9]+)*)?", fold(text))
    assert fold(fold(text)) == fold(text)


@given(PEOPLE, st.randoms(use_true_random=False))
def test_who_has_theirs_keeps_it_whatever_the_order(
    people: list[tuple[str, str]], random: object
) -> None:
    """The first ones keep what they have when others arrive, in whatever order these come."""
    for candidates in (login_candidates, lambda *names: address_candidates(*names, DOMAIN)):
        arrivals = list(enumerate(people))
        random.shuffle(arrivals)  # type: ignore[attr-defined]
        given_out: dict[int, str] = {}
        for number, names in arrivals:
            before = dict(given_out)
            given_out[number] = first_free(candidates(*names), set(given_out.values()))
            assert before.items() <= given_out.items()
        assert len(set(given_out.values())) == len(people)
        # what is given out is the same in every order; only who of the homonyms has which differs
        again: set[str] = set()
        for names in people:
            again.add(first_free(candidates(*names), again))
        assert again == set(given_out.values())
