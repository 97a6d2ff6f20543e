"""What is kept between the pages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ent.annuaire.activation.charter import Acceptance
from ent.annuaire.activation.flow import Activated
from ent.annuaire.activation.progress import Progress

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DONE = Activated("ann", "Ann Oui", "ann.oui@univ-provence.fr", ("ann.oui@up.univ-aix.fr",))


@pytest.fixture
def session() -> dict[str, Any]:
    return {}


def at(session: dict[str, Any], minutes: float = 0) -> Progress:
    # as the database gives it back
    session |= json.loads(json.dumps(session))
    return Progress(session, 30, NOON + timedelta(minutes=minutes))


def test_an_acceptance_is_for_one_login(session: dict[str, Any]) -> None:
    at(session).accept("ann", "2026-1")
    assert at(session, 5).acceptance("ann") == Acceptance("2026-1", NOON)
    assert at(session, 5).acceptance("bob") is None
    assert at(session, 5).finished("ann") is None


def test_it_ends(session: dict[str, Any]) -> None:
    at(session).accept("ann", "2026-1")
    assert at(session, 29).acceptance("ann")
    assert at(session, 30).acceptance("ann") is None


def test_after_activation_only_the_last_page_is_left(session: dict[str, Any]) -> None:
    at(session).accept("ann", "2026-1")
    at(session, 3).finish(DONE)
    assert at(session, 4).acceptance("ann") is None
    assert at(session, 4).finished("ann") == DONE
    assert at(session, 40).finished("ann") is None


def test_tabs_for_several_people(session: dict[str, Any]) -> None:
    for minute, uid in enumerate(("ann", "bob", "cid", "dan")):
        at(session, minute).accept(uid, "2026-1")
    assert [bool(at(session, 4).acceptance(uid)) for uid in ("ann", "bob", "cid", "dan")] == [
        *(False, True, True, True)
    ]
    at(session, 5).finish(replace(DONE, uid="cid"))
    assert at(session, 6).finished("cid")
    assert at(session, 6).acceptance("bob")
