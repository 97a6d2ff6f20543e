"""Each rule of docs/feed-rules.md: rows of Harpège in, a person out."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from ent.harpege.account import Presence, Standing
from ent.harpege.config import Title
from ent.harpege.messages import Speaker
from ent.harpege.records import Dossier, ElementCarriere, Untyped
from ent.harpege.rules import Nobody, Person, Rejected, judge
from harpege_store import (
    POLICY,
    TODAY,
    career,
    contract,
    days,
    individu,
    reference,
    with_contract,
)

PRESENT = Standing(Presence.PRESENT)


def person(dossier: Dossier, **policy: object) -> Person:
    verdict = judge(dossier, reference(dataclasses.replace(POLICY, **policy)))
    assert isinstance(verdict, Person), verdict
    return verdict


def rejects(dossier: Dossier) -> list[tuple[str, str, str, str]]:
    verdict = judge(dossier, reference())
    assert isinstance(verdict, Rejected), verdict
    assert all(one.reason.sentence and one.code == "10001" for one in verdict.rejects)
    return [one[1:5] for one in verdict.rejects]


def why_nobody(dossier: Dossier) -> str:
    verdict = judge(dossier, reference())
    assert isinstance(verdict, Nobody), verdict
    return Speaker("fr")(verdict.why)


# Who somebody is


def test_a_member_of_staff() -> None:
    found = person(career())
    assert found.standing == PRESENT
    assert found.attributes == {
        "cn": ("Martin Jeanne",),
        "displayName": ("Jeanne Martin",),
        "givenName": ("Jeanne",),
        "sn": ("Martin",),
        "supannCivilite": ("Mme",),
        "supannEmpCorps": ("{NCORPS}841",),
        "supannEmpId": ("10001",),
        "supannEntiteAffectation": ("DSI",),
        "supannEntiteAffectationPrincipale": ("DSI",),
        "supannNomDeNaissance": ("Martin",),
        "supannOIDCDateDeNaissance": ("1975-03-14",),
        "supannOIDCGenre": ("female",),
        "supannPrenomsEtatCivil": ("Jeanne",),
        "title": ("Ingénieur d’études",),
    }
    assert found.affiliations == ("employee", "member", "staff")
    assert found.primary == "staff"


@pytest.mark.parametrize(
    ("typed", "civility", "gender"),
    [
        ("M.", ("M.",), ("male",)),
        ("m.", ("M.",), ("male",)),
        ("MME", ("Mme",), ("female",)),
        ("MLLE", ("Mme",), ("female",)),
        (None, None, None),
    ],
)
def test_civility(typed: str | None, civility: object, gender: object) -> None:
    attributes = person(career(c_civilite=typed)).attributes
    assert attributes.get("supannCivilite") == civility
    assert attributes.get("supannOIDCGenre") == gender


def test_the_usual_name_is_shown_and_the_birth_name_kept() -> None:
    attributes = person(career(nom_usuel="MOREAU", nom_patronymique="CHEVALIER")).attributes
    assert attributes["sn"] == ("Moreau",)
    assert attributes["displayName"] == ("Jeanne Moreau",)
    assert attributes["supannNomDeNaissance"] == ("Chevalier",)


def test_without_a_usual_name_the_birth_name_is_shown() -> None:
    attributes = person(career(nom_usuel=None, nom_patronymique="Chevalier")).attributes
    assert attributes["sn"] == attributes["supannNomDeNaissance"] == ("Chevalier",)


def test_a_person_without_given_name() -> None:
    found = person(career(prenom="-"))
    assert found.attributes["displayName"] == found.attributes["cn"] == ("Martin",)
    assert "givenName" not in found.attributes
    assert found.given_name == ""


# Posts


def test_several_posts_at_once() -> None:
    both = with_contract(
        career(population="SA", corps="301", structure="UFR", quota=40), "CR", "LAB", quota=60
    )
    found = person(both)
    assert found.attributes["supannEntiteAffectation"] == ("LAB", "UFR")
    assert found.attributes["supannEntiteAffectationPrincipale"] == ("LAB",)
    assert found.primary == "researcher"
    assert found.affiliations == ("employee", "faculty", "member", "researcher", "teacher")
    assert found.attributes["supannEmpCorps"] == ("{NCORPS}301",)


def test_of_equal_posts_the_longest_held_is_the_principal_one() -> None:
    both = with_contract(career(quota=50), "CO", "DRH", date(2009, 1, 1), quota=50)
    assert person(both).attributes["supannEntiteAffectationPrincipale"] == ("DRH",)


def test_a_post_lasts_while_all_it_rests_on_does() -> None:
    dossier = career()
    ended = dossier._replace(
        carrieres=(dossier.carrieres[0]._replace(d_fin_carriere=days(-1)),),
    )
    assert person(ended).standing == Standing(Presence.LEFT, days(-1))
    ended = dossier._replace(
        occupations=(dossier.occupations[0]._replace(d_fin_occupation=days(-2)),),
    )
    assert person(ended).standing == Standing(Presence.LEFT, days(-2))
    ended = dossier._replace(elements=(dossier.elements[0]._replace(d_fin_element=days(-3)),))
    assert person(ended).standing == Standing(Presence.LEFT, days(-3))


def test_a_change_of_structure_holds_from_its_day() -> None:
    moved = with_contract(career(end=days(-1)), structure="DRH", start=TODAY)
    assert person(moved).attributes["supannEntiteAffectation"] == ("DRH",)
    tomorrow = with_contract(career(end=TODAY), structure="DRH", start=days(1))
    assert person(tomorrow).attributes["supannEntiteAffectation"] == ("DSI",)


def test_the_corps_of_today() -> None:
    dossier = career(population="SA", corps="301")
    promoted = dossier._replace(
        elements=(
            ElementCarriere(10001, 1, "841", date(2010, 9, 1), date(2018, 8, 31), None, "N"),
            ElementCarriere(10001, 1, "301", date(2018, 9, 1), None, None, "N"),
            ElementCarriere(10001, 1, "440", days(10), None, None, "N"),
        )
    )
    assert person(promoted).attributes["title"] == ("Maître de conférences",)


def test_the_corps_that_has_not_ended_whatever_the_order_of_rows() -> None:
    ended = ElementCarriere(10001, 1, "440", date(2020, 1, 1), date(2021, 1, 1), None, "N")
    same_day = [
        ElementCarriere(10001, 1, corps, date(2018, 9, 1), None, None, "N")
        for corps in ("301", "841")
    ]
    dossier = career(population="SA")
    found = {
        person(dossier._replace(elements=rows)).attributes["supannEmpCorps"]
        for rows in ((ended, *same_day), (*reversed(same_day), ended))
    }
    assert found == {("{NCORPS}841",)}


def test_titles_by_civility_and_labels_in_capitals() -> None:
    titles = {"301": Title("Maître de conférences", "Maîtresse de conférences")}
    assert person(career(corps="301"), titles=titles).attributes["title"] == (
        "Maîtresse de conférences",
    )
    assert person(career(corps="301", c_civilite="M."), titles=titles).attributes["title"] == (
        "Maître de conférences",
    )
    assert person(career(corps="440")).attributes["title"] == ("Charge de recherche",)


@pytest.mark.parametrize(
    ("dossier", "primary"),
    [
        (career(population="SA", corps="301"), "teacher"),
        (career(population="CH", corps="440"), "researcher"),
        (career(population="IA"), "staff"),
        (contract(kind="AT"), "teacher"),
        (contract(kind="CR"), "researcher"),
        (contract(kind="CO"), "staff"),
    ],
)
def test_populations(dossier: Dossier, primary: str) -> None:
    found = person(dossier)
    assert found.primary == primary
    assert primary in found.affiliations
    assert {"employee", "member"} <= set(found.affiliations)
    assert ("faculty" in found.affiliations) == (primary != "staff")


def test_profiles_in_the_order_of_supann() -> None:
    found = person(career(), establishment="{UAI}0131842G")
    assert found.attributes["supannEmpProfil"] == (
        "[etab={UAI}0131842G][affil=staff][corps={NCORPS}841][affect=DSI]",
    )
    left = person(career(end=days(-1)), establishment="{UAI}0131842G")
    assert "supannEmpProfil" not in left.attributes


# Days


@pytest.mark.parametrize("start", [0, 1, 30])
def test_an_arrival_is_there_ahead_of_time(start: int) -> None:
    found = person(career(start=days(start)))
    assert found.standing == PRESENT
    assert found.attributes["supannEntiteAffectation"] == ("DSI",)


def test_an_arrival_beyond_the_lead_is_not_there_yet() -> None:
    verdict = judge(career(start=days(31)), reference())
    assert isinstance(verdict, Nobody)
    assert verdict.coming
    assert person(career(start=days(31)), arrival_lead=31).standing == PRESENT


def test_the_last_day_is_a_day_of_work() -> None:
    assert person(career(end=TODAY)).standing == PRESENT
    assert person(career(end=days(-1))).standing == Standing(Presence.LEFT, days(-1))


def test_the_last_day_is_told_unless_it_is_open() -> None:
    assert person(career(end=days(38))).attributes["supannEmpDateFin"] == ("20261231000000Z",)
    assert "supannEmpDateFin" not in person(career()).attributes
    longer = with_contract(career(end=days(3)), start=days(4), end=days(38))
    assert person(longer).attributes["supannEmpDateFin"] == ("20261231000000Z",)
    open_end = with_contract(career(end=days(3)), start=days(4))
    assert "supannEmpDateFin" not in person(open_end).attributes


def test_who_left_is_shown_where_they_last_were() -> None:
    found = person(with_contract(career(end=days(-400)), structure="DRH", end=days(-10)))
    assert found.standing == Standing(Presence.LEFT, days(-10))
    assert found.attributes["supannEntiteAffectation"] == ("DRH",)
    assert found.attributes["supannEmpDateFin"] == ("20261113000000Z",)


def test_a_gap_shorter_than_the_lead_is_no_departure() -> None:
    gap = with_contract(career(end=days(-10)), start=days(20))
    assert person(gap).standing == PRESENT


def test_death() -> None:
    assert person(career(d_deces=days(-10))).standing == Standing(Presence.DEAD, days(-10))
    assert person(career(d_deces=TODAY)).standing == Standing(Presence.DEAD, TODAY)


# Rows that make nobody staff


def test_cancelled_rows() -> None:
    dossier = career()
    step = dossier.elements[0]
    cancelled = dossier._replace(elements=(step._replace(d_annulation=days(-30)),))
    assert "annulée" in why_nobody(cancelled)
    beside = dossier._replace(
        elements=(step, step._replace(c_corps="301", d_annulation=days(-190)))
    )
    assert person(beside).attributes["title"] == ("Ingénieur d’études",)


@pytest.mark.parametrize("mark", ["O", None])
def test_provisional_rows(mark: str | None) -> None:
    dossier = career()
    provisional = dossier._replace(
        elements=(dossier.elements[0]._replace(tem_provisoire=mark),),
    )
    assert "provisoire" in why_nobody(provisional)
    assert person(provisional, accept_provisional=True).standing == PRESENT


def test_excluded_contracts() -> None:
    assert "VN" in why_nobody(contract(kind="VN"))
    assert person(contract(kind="VN"), excluded_contract_types=()).primary == "teacher"
    beside = with_contract(career(), "VN", "UFR")
    assert person(beside).attributes["supannEntiteAffectation"] == ("DSI",)


def test_who_is_not_staff() -> None:
    assert "PERSONNEL" in why_nobody(Dossier(10001, (individu(10001),)))
    assert "affectation" in why_nobody(career()._replace(affectations=()))


# Rows that cannot be right


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"d_naissance": None}, "D_NAISSANCE", ""),
        ({"d_naissance": date(202, 5, 5)}, "D_NAISSANCE", "0202-05-05"),
        ({"d_naissance": date(2020, 5, 5)}, "D_NAISSANCE", "2020-05-05"),
        ({"d_naissance": date(2199, 5, 5)}, "D_NAISSANCE", "2199-05-05"),
        ({"nom_usuel": None}, "NOM_USUEL", ""),
        ({"nom_usuel": "???"}, "NOM_USUEL", "???"),
        ({"prenom": None}, "PRENOM", ""),
        ({"nom_usuel": "Tabu\tlateur"}, "NOM_USUEL", "Tabu\tlateur"),
        ({"prenom": "Je\x00an"}, "PRENOM", "Je\x00an"),
        ({"nom_patronymique": "x" * 300}, "NOM_PATRONYMIQUE", "x" * 79 + "…"),
        ({"c_civilite": "DR"}, "C_CIVILITE", "DR"),
        ({"d_deces": days(1)}, "D_DECES", days(1).isoformat()),
        ({"d_deces": date(1970, 1, 1)}, "D_DECES", "1970-01-01"),
        ({"d_deces": date.min}, "D_DECES", "0001-01-01"),
    ],
)
def test_a_bad_person(changes: dict[str, object], column: str, value: str) -> None:
    assert rejects(career(**changes)) == [("INDIVIDU", "NO_INDIVIDU=10001", column, value)]


def test_every_fault_of_a_person_is_told() -> None:
    assert [one[2] for one in rejects(career(d_naissance=None, prenom=None))] == [
        "PRENOM",
        "D_NAISSANCE",
    ]


def test_a_number_given_twice() -> None:
    dossier = career()
    twice = dossier._replace(individus=(*dossier.individus, individu(10001, prenom="Deux")))
    assert rejects(twice) == [
        ("INDIVIDU", "NO_INDIVIDU=10001", "NO_INDIVIDU", "Jeanne Martin / Deux Martin")
    ]


def test_a_number_that_individu_does_not_know() -> None:
    assert rejects(career()._replace(individus=())) == [
        ("PERSONNEL", "NO_DOSSIER_PERS=10001", "NO_DOSSIER_PERS", "10001")
    ]


@pytest.mark.parametrize(
    ("table", "changes", "fault"),
    [
        ("affectations", {"c_structure": "XX"}, ("AFFECTATION", "C_STRUCTURE", "XX")),
        ("affectations", {"c_structure": None}, ("AFFECTATION", "C_STRUCTURE", "")),
        ("affectations", {"no_occupation": 9}, ("AFFECTATION", "NO_OCCUPATION", "9")),
        ("affectations", {"d_deb_affectation": None}, ("AFFECTATION", "D_DEB_AFFECTATION", "")),
        (
            "affectations",
            {"d_fin_affectation": date(2000, 1, 1)},
            ("AFFECTATION", "D_FIN_AFFECTATION", "2000-01-01"),
        ),
        (
            "affectations",
            {"den_quot_affectation": 0},
            ("AFFECTATION", "DEN_QUOT_AFFECTATION", "100/0"),
        ),
        ("occupations", {"no_seq_carriere": 7}, ("OCCUPATION", "NO_SEQ_CARRIERE", "7")),
        ("occupations", {"no_seq_carriere": None}, ("OCCUPATION", "NO_CONTRAT_TRAVAIL", "")),
        ("carrieres", {"c_type_population": "ZZ"}, ("CARRIERE", "C_TYPE_POPULATION", "ZZ")),
        (
            "carrieres",
            {"d_fin_carriere": date(2000, 1, 1)},
            ("CARRIERE", "D_FIN_CARRIERE", "2000-01-01"),
        ),
        ("elements", {"c_corps": "999"}, ("ELEMENT_CARRIERE", "C_CORPS", "999")),
    ],
)
def test_a_bad_post(table: str, changes: dict[str, object], fault: tuple[str, str, str]) -> None:
    dossier = career()
    bad = dossier._replace(**{table: (getattr(dossier, table)[0]._replace(**changes),)})
    found = rejects(bad)
    assert [(one[0], one[2], one[3]) for one in found] == [fault]
    assert "=" in found[0][1]


def test_a_contract_of_an_unknown_kind() -> None:
    assert rejects(contract(kind="??")) == [
        (
            "CONTRAT_TRAVAIL",
            "NO_DOSSIER_PERS=10001, NO_CONTRAT_TRAVAIL=1",
            "C_TYPE_CONTRAT_TRAV",
            "??",
        )
    ]


def test_faults_of_long_ago_matter_no_more() -> None:
    past = with_contract(career(), structure="XX", start=date(1999, 1, 1), end=date(1999, 12, 31))
    assert person(past).attributes["supannEntiteAffectation"] == ("DSI",)
    backwards = with_contract(career(), start=date(1999, 1, 1), end=date(1998, 1, 1))
    assert person(backwards).standing == PRESENT
    soon = with_contract(career(), structure="XX", start=days(10))
    assert [one[2] for one in rejects(soon)] == ["C_STRUCTURE"]
    later = with_contract(career(), structure="XX", start=days(90))
    assert person(later).standing == PRESENT


def test_a_value_that_could_not_be_read() -> None:
    bad = Untyped("INDIVIDU", "NO_INDIVIDU=10001", "D_NAISSANCE", "12026-05-05", "date")
    dossier = career(d_naissance=None)._replace(untyped=(bad,))
    assert rejects(dossier) == [("INDIVIDU", "NO_INDIVIDU=10001", "D_NAISSANCE", "12026-05-05")], (
        "told once, not as missing too"
    )
    without_post = Dossier(10001, dossier.individus, dossier.personnels, untyped=(bad,))
    assert isinstance(judge(without_post, reference()), Nobody)


@pytest.mark.parametrize("born", [None, date.min, date(1975, 3, 14)])
@pytest.mark.parametrize("died", [date.min, date(1900, 1, 1)])
def test_an_impossible_death_closes_no_account(born: date | None, died: date) -> None:
    verdict = judge(career(d_naissance=born, d_deces=died), reference())
    assert isinstance(verdict, Rejected)
    assert "D_DECES" in [one.column for one in verdict.rejects]
    assert verdict.standing == PRESENT


def test_a_rejected_person_who_left_has_left_all_the_same() -> None:
    verdict = judge(career(end=days(-5), d_naissance=None), reference())
    assert isinstance(verdict, Rejected)
    assert verdict.standing == Standing(Presence.LEFT, days(-5))
    unclear = judge(career(structure="XX"), reference())
    assert isinstance(unclear, Rejected)
    assert unclear.standing is None
