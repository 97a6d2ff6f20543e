"""Every French text of the help desk has its English one, and its typography is French."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import catalogs
import ent
import helpdesk_desk
from ent.annuaire.helpdesk import texts
from ent.annuaire.helpdesk.diagnosis import Cause, Finding
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.annuaire.helpdesk.unlocking import Where
from ent.annuaire.limits.attempts import ACTIVATION, CODE, PASSWORD
from ent.directory import AccountState

SOURCES = Path(ent.__file__).parent / "annuaire" / "helpdesk"
FRENCH = catalogs.messages_of(SOURCES)


def test_catalog_is_complete() -> None:
    catalogs.assert_complete(SOURCES, FRENCH)


@pytest.mark.parametrize("text", sorted(FRENCH))
def test_typography(text: str) -> None:
    assert "'" not in text
    assert not re.search(r"\S[;:!?»]|«\S", re.sub(r"%\(\w+\)[sd]|03/02/1975", "", text)) or (
        re.search(r"\d:\d", text)
    )


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_is_explained(cause: Cause) -> None:
    for since, until in ((None, None), (helpdesk_desk.NOW.date(), helpdesk_desk.NOW)):
        said = texts.explain(Finding(cause, since=since, until=until, count=3, task=ACTIVATION))
        assert said.title
        assert said.reason
        assert said.advice
        assert "None" not in f"{said.title} {said.reason} {said.advice}"


@pytest.mark.parametrize("task", [ACTIVATION, PASSWORD, CODE])
def test_every_task_has_a_name(task: str) -> None:
    assert texts.explain(Finding(Cause.ATTEMPTS, task=task)).title != task


def test_every_word_of_the_trail_is_translated() -> None:
    assert set(texts.ACTIONS) == set(Action)
    assert set(texts.OUTCOMES) == set(Outcome)
    assert set(texts.PLACES) == set(Where)
    assert set(texts.STATES) == {*AccountState, None}
    written = "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    details = re.findall(r"(?:Outcome\.\w+, |detail=)f?\"([a-z-]+)[:\"]", written)
    assert len(set(details)) > 8
    assert set(details) - set(texts.DETAILS) == set()


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("", ""),
        ("proofs:right", "code Harpège et date de naissance exacts"),
        ("limit:agent", "trop d’essais de cet agent"),
        ("found:3", "personnes affichées\u00a0: 3"),
        ("until:12:abcdef", "jusqu’à la ligne\u00a0: 12"),
        ("error:DirectoryUnavailable", "erreur\u00a0: DirectoryUnavailable"),
        ("something new", "something new"),
    ],
)
def test_details(detail: str, said: str) -> None:
    assert texts.detail(detail) == said
