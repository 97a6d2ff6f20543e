"""What the mail mover remembers survives it, and nobody is forgotten or looked at twice at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ent.mailmove.ledger import Ledger, Sending, Wanted


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def taken(ledger: Ledger) -> Wanted:
    wanted = ledger.take()
    assert wanted
    return wanted


def test_each_person_is_one_mover_s(ledger: Ledger) -> None:
    ledger.want(["a", "b"])
    assert {taken(ledger).uid, taken(ledger).uid} == {"a", "b"}
    assert ledger.take() is None


def test_who_is_asked_for_meanwhile_is_looked_at_again(ledger: Ledger) -> None:
    ledger.want(["a"])
    wanted = taken(ledger)
    ledger.want(["a"])
    assert ledger.take() is None, "not twice at the same time"
    ledger.done(wanted)
    ledger.done(taken(ledger))
    assert ledger.take() is None
    assert ledger.waiting() == []


def test_a_new_reason_ends_the_wait_for_a_retry(ledger: Ledger) -> None:
    ledger.want(["a"])
    ledger.retry(taken(ledger), 3600)
    assert ledger.take() is None
    ledger.want(["a"])
    assert taken(ledger).tries == 0


def test_retries_are_counted(ledger: Ledger) -> None:
    ledger.want(["a"])
    for tries in range(3):
        wanted = taken(ledger)
        assert wanted.tries == tries
        ledger.retry(wanted, 0)


def test_asked_for_while_it_failed(ledger: Ledger) -> None:
    ledger.want(["a"])
    wanted = taken(ledger)
    ledger.want(["a"])
    ledger.retry(wanted, 3600)
    assert taken(ledger).uid == "a", "the new reason does not wait for the old failure"


def test_a_dead_worker_s_people_are_free_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.want(["a"], cookie="c1")
    taken(ledger)
    # no close: the process is gone
    after = Ledger(path)
    assert taken(after).uid == "a"
    assert after.cookie() == "c1"


def test_cookie_is_kept_with_what_it_told_of(ledger: Ledger) -> None:
    assert ledger.cookie() is None
    ledger.want([], cookie="c1")
    ledger.want(["a"], cookie="c2")
    ledger.want(["b"])
    assert ledger.cookie() == "c2"
    ledger.forget_cookie()
    assert ledger.cookie() is None
    assert ledger.waiting() == ["a", "b"]


def test_messages(ledger: Ledger) -> None:
    one, two = (Sending("INBOX", key, "INBOX", 7, 20) for key in "12")
    ledger.will_send("a", [one, two])
    assert ledger.copied("a") == set()
    assert ledger.sending("a") == [one, two]
    ledger.settle("a", arrived=[(one, 21)], missing=[two])
    assert ledger.copied("a") == {("INBOX", "1")}
    assert ledger.sending("a") == []
    assert ledger.copied("b") == set()
    ledger.forget("a", [("INBOX", "1")])
    assert ledger.copied("a") == set()


def test_what_was_complete(ledger: Ledger) -> None:
    ledger.moved("a", "x", 100.0)
    ledger.moved("b", "y", None)
    assert ledger.seen() == {"a": ("x", 100.0), "b": ("y", None)}
    ledger.not_moved("a")
    assert ledger.moved_at("a") is None
    assert ledger.seen() == {"b": ("y", None)}
