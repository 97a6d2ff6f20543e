"""The module ent_postgresql: passwords as SCRAM verifiers, and what it plans to do."""

from __future__ import annotations

from typing import Any

from loading import load

pg = load("roles/postgresql/library/ent_postgresql.py")
ROLES = [{"name": "portal", "password": "secret1"}]
DATABASES = [{"name": "portal", "owner": "portal"}]
# What PostgreSQL 17 stored for CREATE ROLE … PASSWORD 'secret1'.
VERIFIER = (
    "SCRAM-SHA-256$4096:Ejuzu8HjhUeHjYePAnn3mw=="
    "$ghHjALzGDKbZ4QGUPgcxpEV/MCdecIuzw0iFzlyKbKg=:S2+KCEmCsH77Zem8fIgG/n2Xh01L+k3fK4tqURPA/qM="
)


def _state(**changed: Any) -> dict[str, Any]:
    role = {"verifier": VERIFIER, "login": True, "power": False} | changed
    closed = {"owner": "postgres", "public": False}
    return {
        "roles": {"portal": role},
        "databases": {
            "portal": {"owner": "portal", "public": False},
            "postgres": closed,
            "template1": closed,
        },
    }


def _words(state: dict[str, Any]) -> list[str]:
    return [what for what, _sql in pg.plan(state, ROLES, DATABASES, "fr-FR")]


def test_verifier_made_by_postgresql_is_recognised() -> None:
    assert pg.verifier_matches(VERIFIER, "secret1")
    assert not pg.verifier_matches(VERIFIER, "secret2")


def test_own_verifiers_are_recognised_and_salted() -> None:
    first, second = pg.make_verifier("pass"), pg.make_verifier("pass")
    assert first != second
    assert pg.verifier_matches(first, "pass")
    assert not pg.verifier_matches(first, "Pass")


def test_other_kinds_of_verifiers_do_not_match() -> None:
    for verifier in (None, "", "md5a3556571e93b0d20722ba62be61e8c2d", "SCRAM-SHA-256$rubbish"):
        assert not pg.verifier_matches(verifier, "secret1")


def test_nothing_to_do() -> None:
    assert _words(_state()) == []


def test_everything_to_do() -> None:
    nothing: dict[str, Any] = {"roles": {}, "databases": {}}
    assert _words(nothing) == [
        "create role portal",
        "create database portal",
        "close database portal",
        "close database postgres",
        "close database template1",
    ]


def test_new_password_is_set_and_never_written_out() -> None:
    steps = pg.plan(_state(verifier=pg.make_verifier("old")), ROLES, DATABASES, "fr-FR")
    assert [what for what, _sql in steps] == ["password of role portal"]
    assert all("secret1" not in what + sql for what, sql in steps)


def test_too_much_power_is_taken_back() -> None:
    assert _words(_state(power=True)) == ["rights of role portal"]


def test_database_opened_or_given_away_by_hand() -> None:
    state = _state()
    state["databases"]["portal"] = {"owner": "postgres", "public": True}
    assert _words(state) == ["owner of database portal", "close database portal"]


def test_other_clients_may_connect_and_those_who_are_no_more_may_not() -> None:
    databases = [{"name": "portal", "owner": "portal", "users": ["reader"]}]
    state = _state()
    steps = pg.plan(state, ROLES, databases, "fr-FR")
    assert [what for what, _sql in steps] == ["let reader into database portal"]
    state["databases"]["portal"]["users"] = ["reader", "gone"]
    steps = pg.plan(state, ROLES, databases, "fr-FR")
    assert [what for what, _sql in steps] == ["keep gone out of database portal"]


def test_names_and_texts_are_quoted() -> None:
    assert pg.quote_name('a"b') == '"a""b"'
    assert pg.quote_text("a'b") == "'a''b'"
