"""A code and a new password: spent when the password is set, and only then; whatever breaks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError

import helpdesk_desk
from ent.annuaire.helpdesk import redemption
from ent.annuaire.helpdesk.accounts import find_account
from ent.annuaire.helpdesk.codes import Code, new_code
from ent.annuaire.helpdesk.issuing import issue
from ent.annuaire.helpdesk.redemption import (
    AccountClosed,
    CodeRefused,
    Done,
    NotChanged,
    OutcomeUnknown,
    PasswordNotTaken,
    redeem,
)
from ent.annuaire.helpdesk.signon import Failures
from ent.annuaire.helpdesk.verification import verify
from ent.annuaire.limits.attempts import TooManyAttempts
from ent.directory import (
    AccountState,
    Conflict,
    DirectoryUnavailable,
    NotAllowed,
    PasswordRefused,
    WriteUncertain,
)
from helpdesk_desk import AGENT, CALLER, FakeDirectory, Scene, person

NEW = "nouveau-2026"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(redemption, "PATIENCE", 0.0)
    monkeypatch.setattr("ent.annuaire.uncertain._PAUSE", 0.0)
    return Scene(FakeDirectory(person("jmartin"), person("kbenali")))


def a_code(scene: Scene, uid: str = "jmartin") -> Code:
    account = find_account(scene.directory, uid)
    assert account
    assert verify(scene.desk, AGENT, account, "10001", date(1975, 3, 14))
    return issue(scene.desk, AGENT, uid).code


def chosen(scene: Scene, code: Code, password: str = NEW, login: str = "jmartin") -> Done:
    return redeem(scene.desk, login, code, password, CALLER)


def entry(scene: Scene) -> dict[str, Any]:
    return scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]


def said(scene: Scene) -> list[str]:
    return [one for one in scene.store.said() if one.startswith("redeem")]


def unspent(scene: Scene) -> bool:
    return scene.store.codes["jmartin"].used_at is None


def test_a_new_password(scene: Scene) -> None:
    scene.sign_on.counts["jmartin"] = Failures(9, 600)
    done = chosen(scene, a_code(scene), login=" JMartin ")
    assert done == Done("jmartin", "Jeanne Martin")
    assert scene.password("jmartin") == NEW
    assert not unspent(scene)
    assert said(scene) == ["redeem begun jmartin", "redeem done jmartin"]
    assert scene.store.entries[-1][1].agent == ""
    assert scene.store.entries[-1][1].address == CALLER
    # the failures that led to the telephone do not keep the person out now
    assert scene.sign_on.counts == {}
    assert scene.attempts.ended == [f"begun code jmartin {CALLER}", "succeeded"]


def test_a_sign_on_that_is_away_does_not_matter(scene: Scene) -> None:
    scene.sign_on.down = True
    assert chosen(scene, a_code(scene)).uid == "jmartin"


def test_nothing_has_the_password_or_the_code(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    code = a_code(scene)
    chosen(scene, code)
    with pytest.raises(CodeRefused):
        chosen(scene, new_code())
    everything = repr(scene.store.entries) + repr(scene.store.codes) + caplog.text
    assert NEW not in everything
    assert code.digits not in everything


def test_once(scene: Scene) -> None:
    code = a_code(scene)
    chosen(scene, code)
    with pytest.raises(CodeRefused):
        chosen(scene, code, "encore-2026")
    assert scene.password("jmartin") == NEW
    assert said(scene)[-1] == "redeem refused jmartin used"


def test_the_same_form_twice_says_twice_that_it_is_done(scene: Scene) -> None:
    code = a_code(scene)
    assert chosen(scene, code) == chosen(scene, code)
    assert said(scene)[-1] == "redeem done jmartin again"


def test_a_spent_code_is_no_way_to_guess_the_password(scene: Scene) -> None:
    code = a_code(scene)
    chosen(scene, code)
    for at in range(10):
        with pytest.raises(CodeRefused):
            chosen(scene, code, f"essai-{at}")
    # even the right one, now
    with pytest.raises(CodeRefused):
        chosen(scene, code)


def test_of_another_person(scene: Scene) -> None:
    code = a_code(scene)
    a_code(scene, "kbenali")
    with pytest.raises(CodeRefused):
        chosen(scene, code, login="kbenali")
    assert said(scene) == ["redeem refused kbenali wrong-code"]
    assert unspent(scene)


def test_an_unknown_login_gets_the_same_answer_and_no_line(scene: Scene) -> None:
    """People type passwords into the wrong field: what names nobody is not written down."""
    with pytest.raises(CodeRefused):
        chosen(scene, new_code(), login="secret-2026")
    assert scene.store.entries == []


def test_a_wrong_code_so_often_and_no_more(scene: Scene) -> None:
    code = a_code(scene)
    for _ in range(5):
        with pytest.raises(CodeRefused):
            chosen(scene, new_code())
    with pytest.raises(CodeRefused):
        chosen(scene, code)
    assert said(scene)[-1] == "redeem refused jmartin tries"
    assert scene.password("jmartin") == "ancien-2026"


def test_tries_of_a_dead_code_do_not_fill_the_trail(scene: Scene) -> None:
    a_code(scene)
    for _ in range(100):
        with pytest.raises(CodeRefused):
            chosen(scene, new_code())
    assert len(said(scene)) == 20


def test_it_expires(scene: Scene) -> None:
    code = a_code(scene)
    scene.passes(minutes=10)
    with pytest.raises(CodeRefused):
        chosen(scene, code)
    assert said(scene) == ["redeem refused jmartin expired"]


def test_it_is_valid_to_the_last_second(scene: Scene) -> None:
    code = a_code(scene)
    scene.passes(minutes=9, seconds=59)
    assert chosen(scene, code)


def test_a_new_code_ends_the_one_before(scene: Scene) -> None:
    first, second = a_code(scene), a_code(scene)
    with pytest.raises(CodeRefused):
        chosen(scene, first)
    assert chosen(scene, second)


def test_replaced_while_it_was_used(scene: Scene) -> None:
    code = a_code(scene)
    stored = scene.store.codes["jmartin"]
    calls = []

    def code_locked(person: str) -> Any:
        calls.append(person)
        if len(calls) == 2:
            a_code(scene)
        return scene.store.codes[person] if len(calls) > 1 else stored

    scene.store.code_locked = code_locked  # type: ignore[method-assign]
    with pytest.raises(CodeRefused):
        chosen(scene, code)
    assert scene.password("jmartin") == "ancien-2026"
    assert unspent(scene)


def test_too_many_attempts_try_nothing(scene: Scene) -> None:
    code = a_code(scene)
    scene.attempts.refuse = TooManyAttempts(30)
    with pytest.raises(TooManyAttempts):
        chosen(scene, code)
    assert unspent(scene)
    assert said(scene) == []


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.EXPIRED, None])
def test_closed_meanwhile(scene: Scene, state: AccountState | None) -> None:
    code = a_code(scene)
    entry(scene)["supannRessourceEtat"] = state.value if state else "{COMPTE}?"
    with pytest.raises(AccountClosed) as closed:
        chosen(scene, code)
    assert closed.value.state is state
    assert said(scene)[-1] == "redeem refused jmartin state"
    assert scene.password("jmartin") == "ancien-2026"


def test_closed_in_the_very_moment(scene: Scene) -> None:
    code = a_code(scene)
    scene.directory.before = raising(NotAllowed("no write access"))
    with pytest.raises(AccountClosed):
        chosen(scene, code)
    assert unspent(scene)


def raising(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [PasswordRefused("no", "passwordTooShort"), Conflict("no")])
def test_a_password_that_is_refused_costs_nothing(scene: Scene, error: Exception) -> None:
    code = a_code(scene)
    scene.directory.before = raising(error)
    for _ in range(10):
        with pytest.raises(PasswordNotTaken):
            chosen(scene, code)
    assert unspent(scene)
    assert scene.store.codes["jmartin"].failures == 0
    scene.directory.before = lambda: None
    assert chosen(scene, code, "autre-2026")
    assert said(scene)[-3:] == [
        "redeem refused jmartin rule",
        "redeem begun jmartin",
        "redeem done jmartin",
    ]


# Faults


def test_the_directory_is_away_before(scene: Scene) -> None:
    code = a_code(scene)
    scene.directory.down = True
    with pytest.raises(NotChanged) as kept:
        chosen(scene, code)
    assert kept.value.expires_at == scene.store.codes["jmartin"].expires_at
    assert said(scene)[-1] == "redeem failed jmartin directory"
    scene.directory.down = False
    assert chosen(scene, code)


def test_the_directory_goes_away_at_the_write(scene: Scene) -> None:
    code = a_code(scene)
    scene.directory.before = raising(DirectoryUnavailable("connect"))
    with pytest.raises(NotChanged):
        chosen(scene, code)
    scene.directory.before = lambda: None
    assert unspent(scene)
    assert chosen(scene, code)


def test_no_answer_though_it_was_set(scene: Scene) -> None:
    code = a_code(scene)
    scene.directory.after = raising(WriteUncertain("gone"))
    assert chosen(scene, code)
    assert not unspent(scene)
    assert said(scene)[-1] == "redeem done jmartin"


def test_no_answer_and_it_was_not_set(scene: Scene) -> None:
    code = a_code(scene)
    scene.directory.before = raising(WriteUncertain("gone"))
    with pytest.raises(NotChanged):
        chosen(scene, code)
    assert unspent(scene)
    scene.directory.before = lambda: None
    assert chosen(scene, code)


@pytest.mark.parametrize("was_set", [True, False])
def test_no_answer_and_nobody_to_ask(scene: Scene, was_set: bool) -> None:
    code = a_code(scene)

    def gone() -> None:
        scene.directory.down = True
        raise WriteUncertain("gone")

    if was_set:
        scene.directory.after = gone
    else:
        scene.directory.before = gone
    with pytest.raises(OutcomeUnknown):
        chosen(scene, code)
    assert unspent(scene)
    assert said(scene)[-1] == "redeem uncertain jmartin directory"
    # what the page says to do next: the same code again
    scene.directory.down = False
    scene.directory.before = scene.directory.after = lambda: None
    assert chosen(scene, code)
    assert scene.password("jmartin") == NEW


def test_the_database_is_away_before(scene: Scene) -> None:
    code = a_code(scene)
    scene.store.down = True
    with pytest.raises(DatabaseError):
        chosen(scene, code)
    scene.store.down = False
    assert scene.password("jmartin") == "ancien-2026"
    assert chosen(scene, code)


def test_no_line_no_password(scene: Scene) -> None:
    code = a_code(scene)
    scene.store.refuses = lambda one: one.action == "redeem" and one.outcome == "begun"
    with pytest.raises(DatabaseError):
        chosen(scene, code)
    assert scene.password("jmartin") == "ancien-2026"
    assert unspent(scene)


def test_the_database_goes_away_after_the_password(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The person must be told what is true: the new password is the password."""
    code = a_code(scene)

    def gone() -> None:
        scene.store.down = True

    scene.directory.after = gone
    assert chosen(scene, code) == Done("jmartin", "Jeanne Martin")
    assert scene.password("jmartin") == NEW
    assert "could not be" in caplog.text
    scene.store.down = False
    # the line that it was begun stands
    assert said(scene) == ["redeem begun jmartin"]


def test_the_commit_fails_after_the_password(scene: Scene) -> None:
    code = a_code(scene)
    refused: list[Any] = []

    def refuses(one: Any) -> bool:
        first = one.action == "redeem" and one.outcome == "done" and not refused
        refused.extend([one] if first else [])
        return first

    scene.store.refuses = refuses
    assert chosen(scene, code)
    assert said(scene) == ["redeem begun jmartin", "redeem done jmartin not-spent"]
    # no worse than a code that was not used: its ten minutes end it
    assert unspent(scene)
