"""Whole runs: plan and apply against a directory in memory that keeps slapd's rules."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ent.directory import (
    AccountState,
    DirectoryMisconfigured,
    DirectoryUnavailable,
    NotAllowed,
    WriteUncertain,
)
from ent.harpege import people
from ent.harpege.apply import Outcome, apply_plan
from ent.harpege.config import FeedConfig, Limits
from ent.harpege.messages import Speaker
from ent.harpege.plan import Action, Plan, make_plan
from ent.harpege.records import Dossier, Snapshot, Structure, Untyped
from harpege_store import (
    STRUCTURES,
    TODAY,
    Store,
    career,
    config,
    contract,
    days,
    snapshot,
    with_contract,
)

ROOT = Path(__file__).resolve().parents[2]
ACTIVE = AccountState.ACTIVE.value
PRE_CREATED = AccountState.PRE_CREATED.value
GRACE = AccountState.GRACE.value
DEPARTED = AccountState.DEPARTED.value
EXPIRED = AccountState.EXPIRED.value
SUSPENDED = AccountState.SUSPENDED.value
french = Speaker("fr")


def plan(store: Store, source: Snapshot, today: date = TODAY, **options: object) -> Plan:
    settings = options.pop("config", None) or config()
    return make_plan(source, store, settings, today, **options)  # type: ignore[arg-type]


def run(
    store: Store, *dossiers: Dossier, today: date = TODAY, settings: FeedConfig | None = None
) -> Outcome:
    """One run, and a second one that must find nothing to do."""
    outcome = Outcome()
    source, settings = snapshot(*dossiers), settings or config()
    with make_plan(source, store, settings, today, accepted=1000) as made:  # type: ignore[arg-type]
        assert made.refusal is None
        apply_plan(made, store, settings, outcome)  # type: ignore[arg-type]
    written = store.taken_writes()
    with make_plan(source, store, settings, today, accepted=1000) as again:  # type: ignore[arg-type]
        assert list(again.actions()) == []
    assert len(written) == outcome.done
    return outcome


def actions(made: Plan) -> list[Action]:
    with made:
        return list(made.actions())


def state(store: Store, login: str) -> str:
    return store.person(login)["supannressourceetat"][0]


# What the feed owns


def test_the_feed_writes_what_the_access_rules_give_it_and_nothing_else() -> None:
    policy = yaml.safe_load((ROOT / "roles/openldap/files/acl.yml").read_text())
    granted: dict[str, set[str]] = {}
    for row in policy["rows"]:
        right = row["rights"].get("feed")
        if row["region"] == "people" and right:
            for attribute in policy["sets"][row["set"]]:
                granted.setdefault(attribute, set()).add(right)
    assert [one for one in people.OWNED if "write" not in granted.get(one, set())] == []
    for attribute in ("userPassword", "mail", "supannConsentement", "telephoneNumber", "uid"):
        assert "write" not in granted.get(attribute, set())
        assert attribute not in people.OWNED
    assert granted["supannAutreMail"] == {"add"}


# Arrivals


def test_a_new_person_is_pre_created_without_password_or_address() -> None:
    store = Store()
    run(store, career())
    assert store.person("jmartin") == {
        "objectclass": ["inetOrgPerson", "eduPerson", "supannPerson", "entPerson"],
        "uid": ["jmartin"],
        "cn": ["Martin Jeanne"],
        "displayname": ["Jeanne Martin"],
        "edupersonaffiliation": ["employee", "member", "staff"],
        "edupersonprimaryaffiliation": ["staff"],
        "edupersonprincipalname": ["jmartin@univ-provence.fr"],
        "givenname": ["Jeanne"],
        "sn": ["Martin"],
        "supanncivilite": ["Mme"],
        "supannempcorps": ["{NCORPS}841"],
        "supannempid": ["10001"],
        "supannentiteaffectation": ["DSI"],
        "supannentiteaffectationprincipale": ["DSI"],
        "supannnomdenaissance": ["Martin"],
        "supannoidcdatedenaissance": ["1975-03-14"],
        "supannoidcgenre": ["female"],
        "supannprenomsetatcivil": ["Jeanne"],
        "supannressourceetat": [PRE_CREATED],
        "supannressourceetatdate": ["{COMPTE}I:SupannPrecree:20261123:"],
        "title": ["Ingénieur d’études"],
    }


def test_structures_come_before_people_and_parents_before_children() -> None:
    store, source = Store(), snapshot(career())
    with plan(store, source) as made:
        kinds = [(one.kind, one.code) for one in made.actions()]
    assert [kind for kind, _ in kinds] == ["add"] * len(STRUCTURES) + ["create"]
    codes = [code for _, code in kinds]
    assert codes.index("UP") < codes.index("DSI") < codes.index("DSI-RESEAU")


def test_a_structure_is_renamed_and_moved_and_never_removed() -> None:
    store = Store()
    run(store, career())
    moved = dict(STRUCTURES) | {"DRH": Structure("DRH", "DRH", "Ressources humaines", "DSI")}
    del moved["LAB"]
    source = snapshot(career(), structures=moved)
    made = plan(store, source)
    [change] = actions(made)
    assert (change.kind, change.code) == ("alter", "DRH")
    with plan(store, source) as made:
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]
    entry = store.entries["supanncodeentite=drh,ou=structures,dc=univ-provence,dc=fr"]
    assert (entry["ou"], entry["supanncodeentiteparent"]) == (["Ressources humaines"], ["DSI"])
    assert "supanncodeentite=lab,ou=structures,dc=univ-provence,dc=fr" in store.entries


def test_homonyms_have_a_login_each_and_keep_it() -> None:
    store = Store()
    store.put("jmartin3", supannEtuId="1", supannRessourceEtat=ACTIVE)  # a student
    run(store, career(10001), career(10002))
    assert store.person("jmartin")["supannempid"] == ["10001"]
    assert store.person("jmartin2")["supannempid"] == ["10002"]
    run(store, career(10000), career(10001), career(10002))
    assert store.person("jmartin")["supannempid"] == ["10001"]
    assert store.person("jmartin4")["supannempid"] == ["10000"]


def test_the_plan_shows_logins_that_nobody_has() -> None:
    store = Store()
    store.put("jmartin", supannEtuId="1", supannRessourceEtat=ACTIVE)
    store.put("jmartin2", supannEmpId="9", supannRessourceEtat=EXPIRED)
    made = plan(store, snapshot(career(), career(10002)))
    assert [one.login for one in actions(made) if one.kind == "create"] == ["jmartin3", "jmartin4"]


def test_a_login_of_a_closed_account_is_never_given_again() -> None:
    store = Store()
    store.put("jmartin", supannEmpId="9", supannRessourceEtat=EXPIRED)
    run(store, career())
    assert store.person("jmartin2")["supannempid"] == ["10001"]


def test_a_login_taken_during_the_run_gives_the_next_one() -> None:
    store = Store()
    with plan(store, snapshot(career())) as made:
        store.put("jmartin", supannEmpId="77", supannRessourceEtat=ACTIVE)
        # and a principal name that belongs to somebody else's login
        store.put(
            "x",
            supannEmpId="78",
            supannRessourceEtat=ACTIVE,
            eduPersonPrincipalName="jmartin2@univ-provence.fr",
        )
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]
    assert store.person("jmartin3")["supannempid"] == ["10001"]
    assert store.person("jmartin3")["edupersonprincipalname"] == ["jmartin3@univ-provence.fr"]


def test_who_left_before_the_feed_knew_them_is_not_made() -> None:
    store = Store()
    run(store, career(end=days(-3)), career(10002, d_deces=days(-3)), career(10003, start=days(99)))
    assert "uid=jmartin,ou=people,dc=univ-provence,dc=fr" not in store.entries


# Changes


def test_a_change_of_name_leaves_login_principal_name_and_address() -> None:
    store = Store()
    run(store, career())
    store.change(
        "jmartin",
        supannRessourceEtat=ACTIVE,
        mail="jeanne.martin@univ-provence.fr",
        supannAutreMail="jeanne.martin@univ-provence.fr",
        userPassword="x",
        telephoneNumber="04 65 71 00 21",
    )
    run(store, career(nom_usuel="Durand", nom_patronymique="Martin"))
    entry = store.person("jmartin")
    assert entry["displayname"] == ["Jeanne Durand"]
    assert entry["sn"] == ["Durand"]
    assert entry["edupersonprincipalname"] == ["jmartin@univ-provence.fr"]
    assert entry["mail"] == entry["supannautremail"] == ["jeanne.martin@univ-provence.fr"]
    assert entry["userpassword"] == ["x"]
    assert entry["telephonenumber"] == ["04 65 71 00 21"]


def test_a_change_says_what_and_why() -> None:
    store = Store()
    run(store, career())
    moved = with_contract(career(end=days(-1)), structure="DRH", start=TODAY, end=days(38))
    [change] = actions(plan(store, snapshot(moved)))
    assert [french(one) for one in change.reasons] == [
        "corps ou fonction : Ingénieur d’études → –",
        "affectation principale : DSI → DRH",
        "affectation : DSI → DRH",
        "fin : – → 2026-12-31",
    ]
    assert ("DELETE", "supannEntiteAffectation", ("DSI",)) in [
        (one.operation.name, one.attribute, one.values) for one in change.changes
    ]


def test_affiliations_of_others_stay() -> None:
    store = Store()
    run(store, career())
    store.change(
        "jmartin",
        eduPersonAffiliation=["employee", "staff", "member", "student"],
        supannRessourceEtat=ACTIVE,
    )
    run(store, career())
    assert "student" in store.person("jmartin")["edupersonaffiliation"]
    run(store, career(end=days(-100)))
    entry = store.person("jmartin")
    assert sorted(entry["edupersonaffiliation"]) == ["member", "student"]
    assert entry["edupersonprimaryaffiliation"] == ["student"]


def test_an_affiliation_in_other_letters_is_the_same_one() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", eduPersonAffiliation=["employee", "Staff", "member"])
    run(store, career())
    assert sorted(store.person("jmartin")["edupersonaffiliation"]) == [
        "employee",
        "member",
        "staff",
    ]


def test_a_structure_whose_code_the_directory_cannot_hold_rejects_its_people() -> None:
    odd = {**STRUCTURES, "É]\n": Structure("É]\n", "É", "Étrange", "UP")}
    made = plan(Store(), snapshot(career(structure="É]\n"), career(10002), structures=odd))
    assert {(one.code, one.table) for one in made.rejects} == {
        ("É]\n", "STRUCTURE"),
        ("10001", "AFFECTATION"),
    }
    assert [one.code for one in actions(made) if one.person] == ["10002"]


# Departures and returns


def test_the_whole_life_of_an_account() -> None:
    store, last = Store(), date(2026, 12, 31)
    run(store, career(end=last))
    store.change("jmartin", supannRessourceEtat=ACTIVE, mail="jeanne.martin@univ-provence.fr")
    seen = []
    for number in range(0, 270):
        today = days(number)
        run(store, career(end=last), today=today)
        if not seen or seen[-1][1] != state(store, "jmartin"):
            seen.append((today, state(store, "jmartin")))
    assert seen == [
        (TODAY, ACTIVE),
        (date(2027, 1, 1), GRACE),
        (date(2027, 1, 31), DEPARTED),
        (date(2027, 7, 30), EXPIRED),
    ]
    entry = store.person("jmartin")
    assert entry["mail"] == ["jeanne.martin@univ-provence.fr"]
    assert entry["edupersonaffiliation"] == ["affiliate"]
    assert entry["supannentiteaffectation"] == ["DSI"]


def test_a_departure_says_until_when() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat=ACTIVE)
    run(store, career())
    [change] = actions(plan(store, snapshot(career(end=days(-1)))))
    assert [french(one) for one in change.reasons][:2] == [
        "dernier jour : 2026-11-22",
        "compte en sursis jusqu’au 2026-12-22",
    ]
    run(store, career(end=days(-1)))
    assert store.person("jmartin")["supannressourceetatdate"] == [
        "{COMPTE}A:SupannSursis:20261123:20261222"
    ]
    assert "staff" in store.person("jmartin")["edupersonaffiliation"]


@pytest.mark.parametrize(
    ("gap", "expected"), [(10, ACTIVE), (29, ACTIVE), (40, PRE_CREATED), (300, PRE_CREATED)]
)
def test_who_comes_back_has_the_same_entry(gap: int, expected: str) -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat=ACTIVE, userPassword="x")
    for number in range(1, gap + 1):
        run(store, career(end=TODAY), today=days(number))
    back = with_contract(career(end=TODAY), start=days(gap + 1), structure="DRH")
    without_lead = config(policy=config().policy.__class__(arrival_lead=0))
    run(store, back, today=days(gap + 1), settings=without_lead)
    assert state(store, "jmartin") == expected
    assert store.person("jmartin")["supannentiteaffectation"] == ["DRH"]
    assert "staff" in store.person("jmartin")["edupersonaffiliation"]
    assert len([dn for dn in store.entries if "ou=people" in dn]) == 1


def test_who_vanishes_leaves_from_the_day_it_was_noticed() -> None:
    store = Store()
    run(store, career(), career(10002))
    store.change("jmartin", supannRessourceEtat=ACTIVE)
    seen = []
    for number in range(0, 230):
        run(store, career(10002), today=days(number))
        if not seen or seen[-1][1] != state(store, "jmartin"):
            seen.append((number, state(store, "jmartin")))
    assert seen == [(0, GRACE), (30, DEPARTED), (210, EXPIRED)]
    assert store.person("jmartin")["edupersonaffiliation"] == ["affiliate"]
    assert state(store, "jmartin2") == PRE_CREATED


def test_a_suspension_by_the_administration_stays_and_is_told() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat=SUSPENDED)
    run(store, career(nom_usuel="Durand"))
    assert store.person("jmartin")["sn"] == ["Durand"]
    made = plan(store, snapshot(career(10002), career(end=days(-400))), accepted=9)
    assert [(one.code, one.login) for one in made.notes] == [("10001", "jmartin")]
    made = plan(store, snapshot(career(10002)))
    assert [(one.code, one.login) for one in made.notes] == [("10001", "jmartin")]
    run(store, career(10002))
    assert state(store, "jmartin") == SUSPENDED


def test_a_first_day_put_off_is_no_departure() -> None:
    store = Store()
    run(store, career(start=days(10)))
    run(store, career(start=days(100)))
    assert state(store, "jmartin") == PRE_CREATED


def test_an_entry_without_a_known_state_is_told_and_left() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat="{COMPTE}I:SupannSupprime")
    made = plan(store, snapshot(career()))
    assert [one.login for one in made.notes] == ["jmartin"]
    assert actions(made) == []
    made = plan(store, snapshot(career(10002)))
    assert [one.login for one in made.notes] == ["jmartin"]


# Rejects


def test_a_rejected_person_stays_as_they_are_and_the_others_go_through() -> None:
    store = Store()
    run(store, career(), career(10002))
    bad = career(d_naissance=None, nom_usuel="Autre")
    made = plan(store, snapshot(bad, career(10003), career(10002, nom_usuel="Petit")))
    assert [(one.code, one.column) for one in made.rejects] == [("10001", "D_NAISSANCE")]
    assert [(one.kind, one.code) for one in actions(made)] == [
        ("create", "10003"),
        ("change", "10002"),
    ]


def test_a_rejected_person_who_left_leaves() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat=ACTIVE)
    run(store, career(end=days(-40), d_naissance=None, nom_usuel="Autre"))
    assert state(store, "jmartin") == DEPARTED
    assert store.person("jmartin")["sn"] == ["Martin"]


def test_rejects_of_people_who_left_before_the_feed_knew_them_are_not_told() -> None:
    made = plan(Store(), snapshot(career(end=days(-400), d_naissance=None)))
    assert made.rejects == []


def test_rows_without_a_number_are_told() -> None:
    loose = Untyped("PERSONNEL", "", "NO_DOSSIER_PERS", "", "key")
    made = plan(Store(), snapshot(career(), untyped=[loose]))
    assert [(one.table, one.column) for one in made.rejects] == [("PERSONNEL", "NO_DOSSIER_PERS")]


# Refusals


@pytest.mark.parametrize(
    "table",
    [
        "INDIVIDU",
        "PERSONNEL",
        "AFFECTATION",
        "OCCUPATION",
        "STRUCTURE",
        "CORPS",
        "ELEMENT_CARRIERE",
    ],
)
def test_a_truncated_source_is_refused_whatever_was_accepted(table: str) -> None:
    store = Store()
    made = plan(store, snapshot(career(), **{table: 0}), accepted=10_000)
    assert made.refusal is not None
    assert table in french(made.refusal)
    assert actions(made) == []
    with pytest.raises(ValueError, match="refused"):
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]


def many(number: int, **options: object) -> list[Dossier]:
    return [career(20000 + one, **options) for one in range(number)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "refused"), [(5, False), (6, True)])
def test_a_source_without_half_of_its_rows_is_refused(number: int, refused: bool) -> None:
    store = Store()
    run(store, *many(10))
    cut = [one._replace(individus=()) for one in many(10)[:number]]
    # the others have changed: these writes wait as well
    moved = [career(one.no_individu, structure="DRH") for one in many(10)[number:]]
    made = plan(store, snapshot(*cut, *moved), accepted=10_000)
    assert (made.refusal is not None) is refused
    if made.refusal is not None:
        assert f"{number} ont des lignes rejetées" in french(made.refusal)


def test_too_many_unannounced_departures_are_refused() -> None:
    store = Store()
    settings = config(limits=Limits(departures=50, share=0.05, few=2))
    run(store, *many(40), settings=settings)
    for gone, refused in ((2, False), (3, True)):
        made = plan(store, snapshot(*many(40 - gone)), config=settings)
        assert (made.refusal is not None) is refused
        made.__exit__(None, None, None)
    made = plan(store, snapshot(*many(37)), config=settings)
    assert "3 départs" in french(made.refusal)  # type: ignore[arg-type]
    assert "--accept-departures 3" in french(made.refusal)  # type: ignore[arg-type]
    assert plan(store, snapshot(*many(37)), config=settings, accepted=3).refusal is None
    assert plan(store, snapshot(*many(36)), config=settings, accepted=3).refusal is not None


def test_limits_are_a_number_and_a_share_but_a_few_may_always_leave() -> None:
    limits = Limits(departures=50, share=0.05, few=5)
    assert [limits.allowed(present) for present in (0, 40, 100, 400, 100_000)] == [5, 5, 5, 20, 50]


def test_departures_that_were_announced_do_not_count() -> None:
    store, settings = Store(), config(limits=Limits(departures=1, few=0, share=0))
    run(store, *many(30, end=days(20)), settings=settings)
    made = plan(store, snapshot(*many(30, end=days(20))), days(21), config=settings)
    assert made.departures == 0
    assert made.refusal is None
    assert made.counts["suspended"] == 30  # never activated
    sudden = plan(store, snapshot(*many(30, end=days(-1))), TODAY, config=settings)
    assert sudden.departures == 30
    assert sudden.refusal is not None


# Interruptions, and others who write at the same time


def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next() -> None:
    dossiers = [career(10000 + one) for one in range(4)]
    whole = Store()
    run(whole, *dossiers)
    for cut in range(1, len(STRUCTURES) + 4):
        store = Store()

        def fail(kind: str, dn: str, store: Store = store, cut: int = cut) -> None:
            if len(store.writes) >= cut:
                raise DirectoryUnavailable("gone")

        store.before = fail
        with (
            plan(store, snapshot(*dossiers)) as made,
            pytest.raises(DirectoryUnavailable),
        ):
            apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]
        for entry in store.entries.values():
            assert "uid" not in entry or entry["supannressourceetat"] == [PRE_CREATED]
            for parent in entry.get("supanncodeentiteparent", ()):
                assert f"supanncodeentite={parent},ou=structures".lower() in str(store.entries)
        store.before = lambda kind, dn: None
        store.taken_writes()
        run(store, *dossiers)
        assert store.entries == whole.entries


@pytest.mark.parametrize("arrived", [True, False])
def test_a_write_without_an_answer_is_looked_at_and_not_repeated_blindly(arrived: bool) -> None:
    store = Store()
    run(store, career())
    lost = threading.Event()

    def lose(kind: str, dn: str) -> None:
        if not lost.is_set():
            lost.set()
            raise WriteUncertain("no answer")

    def writes(source: Snapshot) -> int:
        lost.clear()
        setattr(store, "after" if arrived else "before", lose)
        outcome = Outcome()
        with plan(store, source) as made:
            apply_plan(made, store, config(), outcome)  # type: ignore[arg-type]
        assert outcome.failures == []
        assert outcome.done == 1
        return len(store.taken_writes())

    assert writes(snapshot(career(nom_usuel="Durand"))) == 1
    assert store.person("jmartin")["sn"] == ["Durand"]
    assert writes(snapshot(career(nom_usuel="Durand"), career(10002))) == 1
    assert store.person("jmartin2")["supannempid"] == ["10002"]


def test_an_activation_during_the_run_is_noticed_and_kept() -> None:
    """The plan thinks of a pre-created account that left; it was activated in between."""
    store = Store()
    run(store, career(end=days(5)))
    with plan(store, snapshot(career(end=days(-1)))) as made:
        store.change("jmartin", supannRessourceEtat=ACTIVE)
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]
    assert state(store, "jmartin") == GRACE


def test_a_suspension_during_the_run_is_kept() -> None:
    store = Store()
    run(store, career())
    store.change("jmartin", supannRessourceEtat=ACTIVE)
    run(store, career())
    with plan(store, snapshot(career(end=days(-1)))) as made:
        store.change("jmartin", supannRessourceEtat=SUSPENDED)
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]
    assert state(store, "jmartin") == SUSPENDED
    assert store.person("jmartin")["supannempdatefin"] == ["20261122000000Z"]


def test_a_refusal_of_one_entry_stops_no_other() -> None:
    store = Store()

    def refuse(kind: str, dn: str) -> None:
        if dn.startswith("uid=jmartin2,"):
            raise NotAllowed("by a rule of the directory")

    store.before = refuse
    outcome = Outcome()
    with plan(store, snapshot(career(10001), career(10002), career(10003))) as made:
        apply_plan(made, store, config(), outcome)  # type: ignore[arg-type]
    assert [(one.code, one.login) for one in outcome.failures] == [("10002", "jmartin2")]
    assert store.person("jmartin3")["supannempid"] == ["10003"]


def test_a_directory_that_refuses_everything_is_not_asked_a_hundred_thousand_times() -> None:
    store = Store()

    def refuse(kind: str, dn: str) -> None:
        raise NotAllowed("no rights")

    store.before = refuse
    with (
        plan(store, snapshot(*many(300))) as made,
        pytest.raises(DirectoryMisconfigured, match="all refused"),
    ):
        apply_plan(made, store, config(), Outcome())  # type: ignore[arg-type]


def test_somebody_works_on_the_entry_all_the_time() -> None:
    store = Store()
    run(store, career())
    names = iter("abcdefghij")

    def meddle(kind: str, dn: str) -> None:
        store.change("jmartin", displayName=next(names))

    store.before = meddle
    outcome = Outcome()
    with plan(store, snapshot(career(prenom="Julie"))) as made:
        apply_plan(made, store, config(), outcome)  # type: ignore[arg-type]
    assert [one.code for one in outcome.failures] == ["10001"]


# The temporary file


def test_actions_survive_the_temporary_file() -> None:
    store = Store()
    run(store, career())
    source = snapshot(career(nom_usuel="É’é", end=days(-1)), contract(10002))
    with plan(store, source) as made:
        first, second = list(made.actions()), list(made.actions())
    assert first == second
    assert {one.kind for one in first} == {"change", "create"}
    for one in first:
        assert Action.from_json(one.to_json()) == one


# All in all


EVENTS: list[Callable[[int], Dossier | None]] = [
    career,
    lambda code: career(code, nom_usuel="Durand"),
    lambda code: career(code, structure="DRH"),
    lambda code: career(code, end=days(-1)),
    lambda code: career(code, end=days(-50)),
    lambda code: career(code, end=days(-500)),
    lambda code: career(code, start=days(20)),
    lambda code: career(code, d_deces=days(-2)),
    lambda code: career(code, d_naissance=None),
    lambda code: with_contract(career(code), "CR", "LAB"),
    lambda code: None,
]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(EVENTS), min_size=3, max_size=3),
            st.lists(st.sampled_from([ACTIVE, SUSPENDED, None]), min_size=3, max_size=3),
            st.integers(0, 120),
        ),
        max_size=6,
    )
)
def test_whatever_happens_a_second_run_writes_nothing_and_nobody_changes_login(
    nights: list[tuple[list[Callable[[int], Dossier | None]], list[str | None], int]],
) -> None:
    store, today = Store(), TODAY
    logins: dict[str, str] = {}
    for events, by_others, later in nights:
        dossiers = [
            made for code, event in enumerate(events, 10001) if (made := event(code)) is not None
        ]
        run(store, *dossiers, career(10009), today=today)
        for dn, entry in store.entries.items():
            if "supannempid" in entry:
                assert logins.setdefault(entry["supannempid"][0], dn) == dn
                assert entry["edupersonprincipalname"] == [f"{entry['uid'][0]}@univ-provence.fr"]
        # in the day people activate, and the administration suspends
        for code, wanted in enumerate(by_others, 10001):
            dn = logins.get(str(code))
            if dn and wanted == SUSPENDED:
                store.entries[dn]["supannressourceetat"] = [SUSPENDED]
            elif dn and wanted == ACTIVE and state(store, _login(dn)) == PRE_CREATED:
                store.entries[dn]["supannressourceetat"] = [ACTIVE]
        today = date.fromordinal(today.toordinal() + later)


def _login(dn: str) -> str:
    return dn.partition(",")[0].removeprefix("uid=")
