"""The help desk's page tells what became of somebody's mailing lists, and is whole without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

import annuaire_app
import helpdesk_desk
from ent.annuaire.helpdesk import access, moves, texts, views
from ent.annuaire.helpdesk.moves import Move
from helpdesk_desk import NOW, STAFF, SUFFIX, FakeDirectory, Scene, person

AWAY = "On ne peut pas lire pour l’instant"


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with annuaire_app.helpdesk():
        yield


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(FakeDirectory(person("jmartin"), person("sfaure")))
    made.directory.groups[STAFF].add(f"uid=sfaure,ou=people,{SUFFIX}")
    monkeypatch.setattr(access, "desk", lambda: made.desk)
    monkeypatch.setattr(views, "desk", lambda: made.desk)
    return made


@pytest.fixture
def agent(scene: Scene) -> Client:
    client = Client(headers=annuaire_app.HEADERS)
    user, _ = apps.get_model("auth", "User").objects.get_or_create(username="sfaure")
    client.force_login(user, backend="ent.web.cas.Backend")
    session = client.session
    session["attributes"] = {"isFromNewLogin": "true"}
    session.save()
    return client


def move(**changes: Any) -> Move:
    values: dict[str, Any] = {
        "at": NOW,
        "old_address": "Jeanne.Martin@up.univ-aix.fr",
        "new_address": "jeanne.martin@univ-provence.fr",
        "list": "velo@listes.univ-provence.fr",
        "role": "subscriber",
        "outcome": "moved",
    }
    return Move(**(values | changes))


def section(client: Client) -> str | None:
    """The page's part about lists, as a table reads; None: there is none. The rest is there."""
    answer = client.get("/assistance/personne/jmartin")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'id="identite"' in page
    assert page.rstrip().endswith("</html>")
    found = re.search(r'<section aria-labelledby="listes">.*?</section>', page, re.S)
    if not found:
        return None
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", found[0].replace("</td>", " |"))).split())


def test_what_happened_in_words(scene: Scene, agent: Client) -> None:
    scene.moves.made["jmartin"] = [
        move(),
        move(at=NOW - timedelta(minutes=1), role="owner", outcome="merged"),
    ]
    said = section(agent)
    assert said
    assert (
        "23/11/2026 10:00:00 | velo@listes.univ-provence.fr | Abonnement |"
        " Jeanne.Martin@up.univ-aix.fr | jeanne.martin@univ-provence.fr |"
        " Passé à la nouvelle adresse. |"
    ) in said
    assert "Propriétaire |" in said
    assert "Réuni avec ce que la nouvelle adresse avait déjà." in said
    assert "plus anciennes" not in said


def test_somebody_without_moves(agent: Client) -> None:
    assert section(agent) is None


def test_moves_of_others_are_not_shown(scene: Scene, agent: Client) -> None:
    scene.moves.made["kbenali"] = [move()]
    assert section(agent) is None


def test_a_site_where_nothing_moves(scene: Scene, agent: Client) -> None:
    scene.desk = helpdesk_desk.replace(scene.desk, moves=None)
    assert section(agent) is None


def test_the_page_is_whole_without_that_database(scene: Scene, agent: Client) -> None:
    scene.moves.down = True
    said = section(agent)
    assert said
    assert AWAY in said


def test_reading_it_is_the_same_line_of_the_trail(scene: Scene, agent: Client) -> None:
    scene.moves.made["jmartin"] = [move()]
    section(agent)
    assert scene.store.said() == ["view done jmartin"]


def test_what_the_worker_wrote_is_text(scene: Scene, agent: Client) -> None:
    scene.moves.made["jmartin"] = [move(old_address="<b>x</b>@up.univ-aix.fr")]
    assert "<b>x" not in agent.get("/assistance/personne/jmartin").content.decode()


def test_there_is_an_end(scene: Scene, agent: Client) -> None:
    scene.moves.made["jmartin"] = [move()] * moves.SHOWN
    assert "Les lignes plus anciennes ne sont pas montrées." in (section(agent) or "")


@pytest.mark.parametrize(
    ("outcome", "reason", "said"),
    [
        ("failed", "included", "source de la liste"),
        ("failed", "closed", "la liste est fermée"),
        ("failed", "ambiguous", "à qui est l’ancienne adresse"),
        ("failed", "refused", "Un nouvel essai suivra"),
        ("failed", "", "Pas passé."),
        ("failed", "something new", "Pas passé."),
        ("something new", "", "something new"),
    ],
)
def test_every_outcome_has_words(outcome: str, reason: str, said: str) -> None:
    assert said in str(texts.became(move(outcome=outcome, reason=reason)))


def test_roles_have_words() -> None:
    roles = [str(texts.role(one)) for one in ("subscriber", "owner", "editor", "chair")]
    assert roles == ["Abonnement", "Propriétaire", "Modération", "chair"]
