"""The business steps without HTTP: why, verified, a code, unlocked; each with its line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError

import helpdesk_desk
from ent.annuaire.helpdesk.accounts import find_account
from ent.annuaire.helpdesk.desk import Actor
from ent.annuaire.helpdesk.diagnosis import Cause, Diagnosis, examine
from ent.annuaire.helpdesk.issuing import NotOpen, NotVerified, issue
from ent.annuaire.helpdesk.signon import Failures
from ent.annuaire.helpdesk.unlocking import Where, lift
from ent.annuaire.helpdesk.verification import TooManyVerifications, verify
from ent.annuaire.limits.locks import Lock
from ent.directory import AccountState, DirectoryUnavailable
from helpdesk_desk import AGENT, NOW, FakeDirectory, Scene, person

BORN = date(1975, 3, 14)
OTHER = Actor("other", "192.0.2.11")


@pytest.fixture
def scene() -> Scene:
    return Scene(
        FakeDirectory(
            person("jmartin"),
            person("ygarnier", AccountState.PRE_CREATED),
            person("mroux", AccountState.SUSPENDED),
            person("odd", None),
        )
    )


def verified(scene: Scene, actor: Actor = AGENT, number: str = "10001") -> bool:
    account = find_account(scene.directory, "jmartin")
    assert account
    return verify(scene.desk, actor, account, number, BORN)


# Why


def causes(diagnosis: Diagnosis | None) -> list[str]:
    assert diagnosis
    return [str(one.cause) for one in diagnosis.findings]


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (AccountState.ACTIVE, Cause.NOTHING),
        (AccountState.PRE_CREATED, Cause.NOT_ACTIVATED),
        (AccountState.SUSPENDED, Cause.SUSPENDED),
        (AccountState.DEPARTED, Cause.DEPARTED),
        (AccountState.EXPIRED, Cause.EXPIRED),
        (AccountState.GRACE, Cause.GRACE),
        (None, Cause.UNKNOWN_STATE),
    ],
)
def test_the_state_says_why(state: AccountState | None, cause: Cause) -> None:
    scene = Scene(FakeDirectory(person("x1", state)))
    assert causes(examine(scene.desk, AGENT, "x1")) == [cause]
    assert scene.store.said() == ["view done x1"]


def test_since_and_until() -> None:
    value = f"{AccountState.GRACE.value}:20260901:20261130"
    other = f"{AccountState.ACTIVE.value}:20200101:"
    scene = Scene(
        FakeDirectory(person("x1", AccountState.GRACE, supannRessourceEtatDate=[other, value]))
    )
    diagnosis = examine(scene.desk, AGENT, "x1")
    assert diagnosis
    assert diagnosis.findings[0].since == date(2026, 9, 1)
    assert diagnosis.findings[0].until == date(2026, 11, 30)


@pytest.mark.parametrize("value", ["", "{COMPTE}A:SupannActif:::", "{COMPTE}A:SupannActif:2026:x"])
def test_a_date_that_is_none(value: str) -> None:
    scene = Scene(FakeDirectory(person("x1", supannRessourceEtatDate=value)))
    diagnosis = examine(scene.desk, AGENT, "x1")
    assert diagnosis
    assert diagnosis.findings[0].since is None


def test_the_date_of_another_state_is_not_told() -> None:
    """Activation does not write the date: the feed does, the night after."""
    before = f"{AccountState.PRE_CREATED.value}:20260101:"
    scene = Scene(FakeDirectory(person("x1", supannRessourceEtatDate=before)))
    diagnosis = examine(scene.desk, AGENT, "x1")
    assert diagnosis
    assert diagnosis.findings[0].since is None


def test_locked_by_wrong_passwords_for_a_time(scene: Scene) -> None:
    at = NOW - timedelta(seconds=300)
    entry = scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]
    entry["pwdAccountLockedTime"] = at.strftime("%Y%m%d%H%M%SZ")
    diagnosis = examine(scene.desk, AGENT, "jmartin")
    assert causes(diagnosis) == [Cause.DIRECTORY_LOCK]
    assert diagnosis
    assert diagnosis.findings[0].until == at + timedelta(seconds=900)
    assert diagnosis.liftable
    # slapd leaves the attribute until the next sign-in: the lock is over all the same
    scene.passes(seconds=601)
    assert causes(examine(scene.desk, AGENT, "jmartin")) == [Cause.NOTHING]


def test_locked_without_end(scene: Scene) -> None:
    scene.configure(lockout_seconds=0)
    entry = scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]
    entry["pwdAccountLockedTime"] = "20250101000000.5Z"
    diagnosis = examine(scene.desk, AGENT, "jmartin")
    assert causes(diagnosis) == [Cause.DIRECTORY_LOCK]
    assert diagnosis
    assert diagnosis.findings[0].until is None


def test_locked_by_the_administrator_is_not_for_staff_to_lift(scene: Scene) -> None:
    entry = scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]
    entry["pwdAccountLockedTime"] = "000001010000Z"
    diagnosis = examine(scene.desk, AGENT, "jmartin")
    assert causes(diagnosis) == [Cause.ADMINISTRATOR_LOCK]
    assert diagnosis
    assert not diagnosis.liftable
    lift(scene.desk, AGENT, diagnosis.account)
    assert "pwdAccountLockedTime" in entry


def test_everything_at_once(scene: Scene) -> None:
    scene.sign_on.counts["mroux"] = Failures(5, 120)
    scene.attempts.locks["mroux"] = [Lock("activation", 10, NOW, None)]
    diagnosis = examine(scene.desk, AGENT, "mroux")
    assert causes(diagnosis) == [Cause.SUSPENDED, Cause.SIGN_ON_CLOSED, Cause.ATTEMPTS]


def test_a_sign_on_that_does_not_answer_is_said(scene: Scene) -> None:
    scene.sign_on.down = True
    assert causes(examine(scene.desk, AGENT, "jmartin")) == [Cause.SIGN_ON_UNKNOWN]


def test_nobody_of_that_name(scene: Scene) -> None:
    assert examine(scene.desk, AGENT, "nobody") is None
    assert examine(scene.desk, AGENT, "") is None
    assert scene.store.said() == []


def test_a_page_without_its_line_is_not_shown(scene: Scene) -> None:
    scene.store.refuses = lambda entry: True
    with pytest.raises(DatabaseError):
        examine(scene.desk, AGENT, "jmartin")


# Verified


def test_both_proofs_are_right(scene: Scene) -> None:
    assert verified(scene)
    assert scene.store.said() == ["verify begun jmartin", "verify done jmartin proofs:right"]
    assert len({one.operation for _, one in scene.store.entries}) == 1


def test_spaces_in_a_number_do_not_matter(scene: Scene) -> None:
    assert verified(scene, number=" 10 001 ")


def test_a_student_number_is_a_proof_too(scene: Scene) -> None:
    entry = scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]
    del entry["supannEmpId"]
    entry["supannEtuId"] = "20260001"
    assert verified(scene, number="20260001")


@pytest.mark.parametrize("number", ["10002", "", " ", "*", "10001)"])
def test_a_wrong_number(scene: Scene, number: str) -> None:
    assert not verified(scene, number=number)
    assert scene.store.said()[-1] == "verify refused jmartin proofs:wrong"


def test_a_wrong_date(scene: Scene) -> None:
    account = find_account(scene.directory, "jmartin")
    assert account
    assert not verify(scene.desk, AGENT, account, "10001", date(1975, 3, 15))


def test_no_line_says_what_was_typed(scene: Scene) -> None:
    verified(scene, number="4711")
    assert "4711" not in repr(scene.store.entries)
    assert "1975" not in repr(scene.store.entries)


def test_a_person_is_guessed_at_so_often_and_no_more(scene: Scene) -> None:
    for actor in (AGENT, OTHER, AGENT, OTHER, AGENT):
        assert not verified(scene, actor, "0")
    with pytest.raises(TooManyVerifications) as limit:
        verified(scene, OTHER)  # with the right proofs: nothing is compared any more
    assert not limit.value.by_agent
    assert scene.store.said()[-1] == "verify failed jmartin limit:person"
    scene.passes(minutes=61)
    assert verified(scene)


def test_an_agent_guesses_so_often_and_no_more() -> None:
    scene = Scene(FakeDirectory(*(person(f"p{at}") for at in range(5))))
    scene.configure(agent_tries=3)
    for at in range(3):
        account = find_account(scene.directory, f"p{at}")
        assert account
        assert not verify(scene.desk, AGENT, account, "0", BORN)
    account = find_account(scene.directory, "p4")
    assert account
    with pytest.raises(TooManyVerifications) as limit:
        verify(scene.desk, AGENT, account, "0", BORN)
    assert limit.value.by_agent
    assert verify(scene.desk, OTHER, account, "10001", BORN)


def test_refusals_of_the_limit_do_not_feed_it(scene: Scene) -> None:
    scene.configure(person_tries=1)
    assert not verified(scene, number="0")
    scene.passes(minutes=40)
    with pytest.raises(TooManyVerifications):
        verified(scene)
    scene.passes(minutes=21)
    assert verified(scene)


def test_success_is_not_counted_against_anybody(scene: Scene) -> None:
    for _ in range(20):
        assert verified(scene)


def test_a_directory_that_is_away_verifies_nobody_and_costs_nothing(scene: Scene) -> None:
    account = find_account(scene.directory, "jmartin")
    assert account
    scene.directory.down = True
    for _ in range(10):
        with pytest.raises(DirectoryUnavailable):
            verify(scene.desk, AGENT, account, "10001", BORN)
    assert scene.store.said()[-1] == "verify failed jmartin error:DirectoryUnavailable"
    scene.directory.down = False
    assert verified(scene)


def test_no_line_no_verification(scene: Scene) -> None:
    compared = []
    scene.directory.compare = lambda *args: compared.append(args) or True  # type: ignore[method-assign, func-returns-value]
    scene.store.down = True
    with pytest.raises(DatabaseError):
        verified(scene)
    assert compared == []


def test_an_answer_without_its_line_is_not_given(scene: Scene) -> None:
    scene.store.refuses = lambda entry: entry.outcome == "done"
    with pytest.raises(DatabaseError):
        verified(scene)
    scene.store.refuses = lambda entry: False
    with pytest.raises(NotVerified):
        issue(scene.desk, AGENT, "jmartin")


# A code


def test_a_code_after_a_verification(scene: Scene) -> None:
    verified(scene)
    issued = issue(scene.desk, AGENT, "jmartin")
    assert issued.expires_at == NOW + timedelta(minutes=10)
    assert scene.store.said()[-1] == "issue done jmartin minutes:10"
    stored = scene.store.codes["jmartin"]
    assert issued.code.digits not in repr(stored)
    assert issued.code.digits not in repr(scene.store.entries)


def test_no_code_without_verification(scene: Scene) -> None:
    with pytest.raises(NotVerified):
        issue(scene.desk, AGENT, "jmartin")
    assert scene.store.said() == ["issue refused jmartin not-verified"]
    assert scene.store.codes == {}


def test_a_verification_is_the_agents_own_and_ends(scene: Scene) -> None:
    verified(scene)
    with pytest.raises(NotVerified):
        issue(scene.desk, OTHER, "jmartin")
    scene.passes(minutes=15, seconds=1)
    with pytest.raises(NotVerified):
        issue(scene.desk, AGENT, "jmartin")


def test_a_refused_verification_is_none(scene: Scene) -> None:
    assert not verified(scene, number="0")
    with pytest.raises(NotVerified):
        issue(scene.desk, AGENT, "jmartin")


@pytest.mark.parametrize("uid", ["ygarnier", "mroux", "odd"])
def test_no_code_for_who_may_not_sign_in(scene: Scene, uid: str) -> None:
    account = find_account(scene.directory, uid)
    assert account
    assert verify(scene.desk, AGENT, account, "10001", BORN)
    with pytest.raises(NotOpen) as refused:
        issue(scene.desk, AGENT, uid)
    assert refused.value.state is account.state
    assert scene.store.said()[-1] == f"issue refused {uid} state"


def test_no_code_for_nobody(scene: Scene) -> None:
    with pytest.raises(NotOpen):
        issue(scene.desk, AGENT, "nobody")


def test_one_code_for_a_person(scene: Scene) -> None:
    verified(scene)
    issue(scene.desk, AGENT, "jmartin")
    first = scene.store.codes["jmartin"]
    issue(scene.desk, AGENT, "jmartin")
    assert scene.store.codes["jmartin"].digest != first.digest


def test_no_line_no_code(scene: Scene) -> None:
    verified(scene)
    scene.store.refuses = lambda entry: entry.action == "issue"
    with pytest.raises(DatabaseError):
        issue(scene.desk, AGENT, "jmartin")
    assert scene.store.codes == {}


def test_staff_see_that_a_code_is_under_way(scene: Scene) -> None:
    verified(scene)
    issue(scene.desk, AGENT, "jmartin")
    diagnosis = examine(scene.desk, OTHER, "jmartin")
    assert diagnosis
    assert diagnosis.code
    assert diagnosis.code.issued_by == "sfaure"
    assert diagnosis.verified_until is None
    scene.passes(minutes=11)
    diagnosis = examine(scene.desk, AGENT, "jmartin")
    assert diagnosis
    assert diagnosis.code is None
    assert diagnosis.verified_until == NOW + timedelta(minutes=15)


# Unlocked


def locked_everywhere(scene: Scene) -> None:
    entry = scene.directory.entries[f"uid=jmartin,ou=people,{helpdesk_desk.SUFFIX}"]
    entry["pwdAccountLockedTime"] = NOW.strftime("%Y%m%d%H%M%SZ")
    scene.sign_on.counts["jmartin"] = Failures(9, 600)
    scene.attempts.locks["jmartin"] = [Lock("code", 10, datetime(2026, 1, 1, tzinfo=UTC), None)]


def test_every_lock_is_lifted_with_its_lines(scene: Scene) -> None:
    locked_everywhere(scene)
    diagnosis = examine(scene.desk, AGENT, "jmartin")
    assert diagnosis
    assert len(diagnosis.findings) == 3
    lifted = lift(scene.desk, AGENT, diagnosis.account)
    assert set(lifted.done) == set(Where)
    assert causes(examine(scene.desk, AGENT, "jmartin")) == [Cause.NOTHING]
    said = [one for one in scene.store.said() if one.startswith("unlock")]
    assert said == [
        f"unlock {outcome} jmartin {where}" for where in Where for outcome in ("begun", "done")
    ]


def test_what_cannot_be_reached_is_said_and_the_rest_is_lifted(scene: Scene) -> None:
    locked_everywhere(scene)
    account = find_account(scene.directory, "jmartin")
    assert account
    scene.sign_on.down = True
    scene.directory.down = True
    lifted = lift(scene.desk, AGENT, account)
    assert set(lifted.failed) == {Where.DIRECTORY, Where.SIGN_ON}
    assert lifted.done == (Where.ATTEMPTS,)
    assert "unlock failed jmartin sign-on" in scene.store.said()


def test_no_line_no_lift(scene: Scene) -> None:
    locked_everywhere(scene)
    account = find_account(scene.directory, "jmartin")
    assert account
    scene.store.refuses = lambda entry: entry.outcome == "begun"
    with pytest.raises(DatabaseError):
        lift(scene.desk, AGENT, account)
    assert account.dn in scene.directory.entries
    assert "pwdAccountLockedTime" in scene.directory.entries[account.dn]
    assert scene.sign_on.counts
