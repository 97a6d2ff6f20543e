"""Activation without HTTP, on a directory in memory; tests/integration has the real one."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest

from annuaire_activation import DOMAIN, LEGACY, Down, MemoryDirectory, dn
from ent.annuaire.activation.charter import Acceptance
from ent.annuaire.activation.flow import (
    Activated,
    Activation,
    NotOffered,
    OutcomeUnknown,
)
from ent.directory import (
    AccountState,
    Conflict,
    DirectoryMisconfigured,
    DirectoryRefused,
    DirectoryUnavailable,
    NoSuchEntry,
    NotAllowed,
    PasswordRefused,
    StaleEntry,
    WriteUncertain,
)

PASSWORD = "depart-2026"
ACCEPTANCE = Acceptance("2026-1", datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
BORN = date(1975, 2, 3)


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def activation(directory: MemoryDirectory) -> Activation:
    return Activation(directory, DOMAIN, LEGACY, patience=0.6)


def state(directory: MemoryDirectory, uid: str) -> AccountState | None:
    return AccountState.of(tuple(directory.people[uid]["supannRessourceEtat"]))


def uncertain(*_: object) -> None:
    raise WriteUncertain("connection lost")


# What one activation does


def test_everything_in_one_write(directory: MemoryDirectory, activation: Activation) -> None:
    directory.make("aoui", "Amélie", "Noël-Oui")
    done = activation.activate("aoui", PASSWORD, ACCEPTANCE)
    address = "amelie.noel-oui@univ-provence.fr"
    assert done == Activated("aoui", "Amélie Noël-Oui", address, ())
    assert directory.writes == 1
    entry = directory.people["aoui"]
    assert entry["userPassword"] == [PASSWORD]
    assert entry["mail"] == entry["supannAutreMail"] == [address]
    assert entry["supannConsentement"] == ["{CHARTE}2026-1:20261123083000Z"]
    assert state(directory, "aoui") is AccountState.ACTIVE


def test_a_legacy_mailbox_is_named(directory: MemoryDirectory, activation: Activation) -> None:
    old = ["ann.oui@up.univ-mrs.fr", "ann.oui@up.univ-aix.fr"]
    directory.make("aoui", supannAutreMail=[*old, "ann@elsewhere.example"])
    done = activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert done.address == "ann.oui@univ-provence.fr"
    assert done.former == ("ann.oui@up.univ-aix.fr", "ann.oui@up.univ-mrs.fr")
    assert directory.people["aoui"]["supannAutreMail"] == [
        *old,
        "ann@elsewhere.example",
        "ann.oui@univ-provence.fr",
    ]


def test_who_comes_back_keeps_the_address(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui", mail="ann.non3@" + DOMAIN, supannAutreMail=["ann.non3@" + DOMAIN])
    directory.make("bnon", "Ann", "Non", supannAutreMail=["ann.non7@" + DOMAIN])
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.non3@" + DOMAIN
    # the mail attribute was lost, the list was not
    assert activation.activate("bnon", PASSWORD, ACCEPTANCE).address == "ann.non7@" + DOMAIN
    assert directory.people["bnon"]["supannAutreMail"] == ["ann.non7@" + DOMAIN]
    assert directory.people["bnon"]["mail"] == ["ann.non7@" + DOMAIN]


def test_an_address_that_anyone_had_is_passed_over(
    directory: MemoryDirectory, activation: Activation
) -> None:
    closed = {"supannRessourceEtat": AccountState.EXPIRED.value}
    directory.make("gone", supannAutreMail=["ann.oui@" + DOMAIN], **closed)
    directory.make("other", mail="Ann.Oui2@" + DOMAIN, supannAutreMail=["Ann.Oui2@" + DOMAIN])
    directory.make("aoui")
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui3@" + DOMAIN
    assert directory.writes == 1


def test_homonyms_at_the_same_instant(directory: MemoryDirectory, activation: Activation) -> None:
    """All have looked before the first writes; each gets an address, none an error."""
    together = threading.Barrier(6)
    people = [directory.make(f"aoui{number}") for number in range(6)]
    seen: dict[str, Activated] = {}
    waited = threading.local()

    def once_together(_: int) -> None:
        if not getattr(waited, "done", False):
            waited.done = True
            together.wait(10)

    directory.before_write = once_together

    def one(uid: str) -> None:
        seen[uid] = activation.activate(uid, PASSWORD, ACCEPTANCE)

    threads = [threading.Thread(target=one, args=(uid,)) for uid in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {done.address for done in seen.values()} == {
        f"ann.oui{number}@{DOMAIN}" for number in ("", 2, 3, 4, 5, 6)
    }


def test_homonyms_who_are_faster_each_time(
    directory: MemoryDirectory, activation: Activation
) -> None:
    """Between each look and its write somebody else gets the very address."""
    directory.make("aoui")

    def faster(number: int) -> None:
        if number < 20:
            directory.make(f"x{number}", mail=f"ann.oui{'' if number == 1 else number}@{DOMAIN}")

    directory.before_write = faster
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == f"ann.oui20@{DOMAIN}"


def test_two_hundred_homonyms_before(directory: MemoryDirectory, activation: Activation) -> None:
    for number in range(1, 201):
        directory.make(f"x{number}", mail=f"ann.oui{'' if number == 1 else number}@{DOMAIN}")
    directory.make("aoui")
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == f"ann.oui201@{DOMAIN}"


# Proofs


@pytest.mark.parametrize(
    ("code", "born", "right"),
    [
        ("4711", BORN, True),
        ("4712", BORN, False),
        ("4711", date(1975, 3, 2), False),
        ("4712", date(1975, 3, 2), False),
    ],
)
def test_both_proofs_are_always_tried(
    directory: MemoryDirectory, activation: Activation, code: str, born: date, right: bool
) -> None:
    directory.make("aoui")
    person = activation.find("aoui")
    assert person
    assert activation.proves(person, code, born) is right
    assert [name for name, _ in directory.compared] == ["supannEmpId", "supannOIDCDateDeNaissance"]


def test_who_has_no_code_proves_nothing(directory: MemoryDirectory, activation: Activation) -> None:
    directory.make("aoui", supannEmpId=[])
    person = activation.find("aoui")
    assert person
    assert not activation.proves(person, "4711", BORN)


# Refusals


@pytest.mark.parametrize(
    "other", [one for one in AccountState if one is not AccountState.PRE_CREATED]
)
def test_what_is_not_pre_created_is_not_activated(
    directory: MemoryDirectory, activation: Activation, other: AccountState
) -> None:
    directory.make("aoui", supannRessourceEtat=other.value, userPassword="another-1")
    with pytest.raises(NotOffered) as caught:
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert caught.value.state is other
    assert directory.writes == 0
    assert directory.people["aoui"]["userPassword"] == ["another-1"]


def test_nobody(activation: Activation) -> None:
    assert activation.find("aoui") is None
    with pytest.raises(NotOffered) as caught:
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert caught.value.state is None


def test_the_directory_refuses_the_password(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")
    with pytest.raises(PasswordRefused):
        activation.activate("aoui", "a1", ACCEPTANCE)
    assert state(directory, "aoui") is AccountState.PRE_CREATED
    assert "mail" not in directory.people["aoui"]


def test_a_double_click_is_told_the_same_twice(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")
    first = activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE) == first
    with pytest.raises(NotOffered):
        activation.activate("aoui", "another-1", ACCEPTANCE)
    directory.locked = True
    with pytest.raises(NotOffered):
        activation.activate("aoui", PASSWORD, ACCEPTANCE)


@pytest.mark.parametrize("refusal", [NotAllowed, StaleEntry, Conflict, NoSuchEntry])
def test_two_clicks_at_the_same_instant(
    directory: MemoryDirectory, activation: Activation, refusal: type[DirectoryRefused]
) -> None:
    directory.make("aoui")
    directory.stale = refusal
    together = threading.Barrier(2)
    directory.before_write = lambda number: together.wait(10) if number <= 2 else None
    seen: list[Activated] = []

    def click() -> None:
        seen.append(activation.activate("aoui", PASSWORD, ACCEPTANCE))

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert directory.people["aoui"]["supannAutreMail"] == [seen[0].address]


def test_the_contract_ends_between_look_and_write(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")

    def feed(_: int) -> None:
        directory.people["aoui"]["supannRessourceEtat"] = [AccountState.EXPIRED.value]

    directory.before_write = feed
    with pytest.raises(NotOffered) as caught:
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert caught.value.state is AccountState.EXPIRED
    assert "userPassword" not in directory.people["aoui"]


def test_the_feed_adds_an_old_address_between_look_and_write(
    directory: MemoryDirectory, activation: Activation
) -> None:
    """The very address that activation was about to add."""
    directory.make("aoui")

    def feed(number: int) -> None:
        if number == 1:
            directory.people["aoui"]["supannAutreMail"] = ["ann.oui@" + DOMAIN]

    directory.before_write = feed
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui@" + DOMAIN
    assert directory.people["aoui"]["supannAutreMail"] == ["ann.oui@" + DOMAIN]


def test_a_wrong_access_rule_is_not_tried_for_ever(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")

    def refuse(_: int) -> None:
        raise NotAllowed("insufficient access")

    directory.before_write = refuse
    with pytest.raises(DirectoryMisconfigured):
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert directory.writes < 10


def test_a_conflict_that_no_address_explains(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")

    def refuse(_: int) -> None:
        raise Conflict("breaks constraint on mail")

    directory.before_write = refuse
    with pytest.raises(DirectoryMisconfigured, match="breaks constraint"):
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    assert directory.writes < 10


# No answer


def test_down_before_anything_was_sent(directory: MemoryDirectory, activation: Activation) -> None:
    directory.make("aoui")
    for moment in ("before_read", "before_write"):
        setattr(directory, moment, Down())
        with pytest.raises(DirectoryUnavailable) as caught:
            activation.activate("aoui", PASSWORD, ACCEPTANCE)
        assert not isinstance(caught.value, OutcomeUnknown)
        setattr(directory, moment, lambda *_: None)
        assert state(directory, "aoui") is AccountState.PRE_CREATED
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE)


def test_the_answer_is_lost_and_it_was_done(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")
    directory.after_write = uncertain
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui@" + DOMAIN
    assert directory.writes == 1


def test_the_request_is_lost_and_it_is_done_again(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")
    directory.before_write = lambda number: uncertain() if number == 1 else None
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui@" + DOMAIN
    assert directory.writes == 2


def test_the_first_write_arrives_after_the_second_look(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")

    def late(number: int) -> None:
        if number == 1:
            uncertain()
        entry = directory.people["aoui"]
        entry["supannRessourceEtat"] = [AccountState.ACTIVE.value]
        entry["userPassword"] = [PASSWORD]
        entry["mail"] = entry["supannAutreMail"] = ["ann.oui@" + DOMAIN]

    directory.before_write = late
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui@" + DOMAIN


def test_a_short_absence_is_waited_for(directory: MemoryDirectory, activation: Activation) -> None:
    directory.make("aoui")

    def lose(_: int) -> None:
        directory.before_read = Down(times=2)
        uncertain()

    directory.after_write = lose
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE)


def test_a_long_absence_is_said_to_be_one(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")

    def lose(_: int) -> None:
        directory.before_read = Down()
        uncertain()

    directory.after_write = lose
    with pytest.raises(OutcomeUnknown):
        activation.activate("aoui", PASSWORD, ACCEPTANCE)
    # and the person comes back later, with the password they chose
    directory.before_read = lambda: None
    assert activation.activate("aoui", PASSWORD, ACCEPTANCE).address == "ann.oui@" + DOMAIN


def test_unknown_means_unknown_when_it_goes_away_again(
    directory: MemoryDirectory, activation: Activation
) -> None:
    directory.make("aoui")
    directory.before_write = lambda number: uncertain() if number == 1 else Down()()
    with pytest.raises(OutcomeUnknown):
        activation.activate("aoui", PASSWORD, ACCEPTANCE)


def test_nothing_secret_is_shown_by_its_repr(directory: MemoryDirectory) -> None:
    directory.make("aoui")
    shown = repr(Activation(directory, DOMAIN)) + repr(Activated("a", "A", "a@b", ()))
    assert "secret" not in shown
    assert dn("aoui") not in shown
