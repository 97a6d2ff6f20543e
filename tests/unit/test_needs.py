"""Tests of a lab that run side by side do not meet."""

from __future__ import annotations

import ast
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import needs
from needs import SERVICES, Locks, Needs, NotAloneError, Turn

TESTS = Path(__file__).parents[1]


def item(*marks: pytest.MarkDecorator) -> Any:
    """A collected test with these markers."""
    return SimpleNamespace(
        nodeid="tests/integration/test_x.py::test_y",
        iter_markers=lambda name: [one.mark for one in marks if one.name == name],
    )


def holds(*alone: str, shared: tuple[str, ...] = ()) -> Needs:
    return Needs(frozenset(alone), frozenset(shared))


def test_what_says_nothing_shares_everything() -> None:
    wanted = needs.of(item())
    assert wanted.shared == SERVICES.keys()
    assert not wanted.alone


def test_what_a_service_needs_comes_with_it() -> None:
    wanted = needs.of(item(pytest.mark.uses("mailup1")))
    assert wanted.shared == {"mailup1", "mail1", "ldap1", "dns1"}


def test_alone_is_not_shared() -> None:
    wanted = needs.of(item(pytest.mark.uses("mail1"), pytest.mark.alone("ldap1", "harpege")))
    assert wanted == Needs(
        frozenset({"ldap1", "harpege"}),
        frozenset({"mail1", "dns1"}),
        "tests/integration/test_x.py",
    )


def test_every_service_needs_services_that_exist() -> None:
    for service, others in SERVICES.items():
        assert set(others) <= SERVICES.keys(), service


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(pytest.UsageError, match=r"alone\('ldap2'\): expected one of dns1, ldap1"):
        needs.of(item(pytest.mark.alone("ldap2")))


def begin(locks: Locks, wanted: Needs) -> threading.Event:
    """Take them in a thread; an event that is set when they are there."""
    done = threading.Event()

    def take() -> None:
        locks.take(wanted)
        done.set()

    threading.Thread(target=take, daemon=True).start()
    return done


def test_readers_share_and_a_writer_waits_for_them(tmp_path: Path) -> None:
    first, second, writer = Locks(tmp_path), Locks(tmp_path), Locks(tmp_path)
    first.take(holds(shared=("ldap1",)))
    second.take(holds(shared=("ldap1",)))
    there = begin(writer, holds("ldap1"))
    first.release()
    assert not there.wait(0.1)
    second.release()
    assert there.wait(60)


def test_others_are_not_kept_from_what_is_not_named(tmp_path: Path) -> None:
    writer, other = Locks(tmp_path), Locks(tmp_path)
    writer.take(holds("ldap1"))
    assert other.take(holds("db1", shared=("dns1",))) < 60
    assert other.needs.alone == {"db1"}


def test_two_processes_do_not_work_on_one_module(tmp_path: Path) -> None:
    """Not between two of its tests either: what its fixtures made stays until the last."""
    first, second = Locks(tmp_path), Locks(tmp_path)
    wanted = Needs(frozenset(), frozenset({"ldap1"}), "tests/integration/test_x.py")
    other = Needs(frozenset(), frozenset({"ldap1"}), "tests/integration/test_y.py")
    first.take(wanted)
    there = begin(second, wanted)
    first.release(following=wanted)
    assert not there.wait(0.1)
    first.take(wanted)
    first.release(following=other)
    assert there.wait(60)


def test_what_the_next_test_needs_alone_as_well_is_kept(tmp_path: Path) -> None:
    first, second = Locks(tmp_path), Locks(tmp_path)
    first.take(holds("ldap1"))
    there = begin(second, holds(shared=("ldap1",)))
    first.release(following=holds("ldap1"))
    assert not there.wait(0.1)
    first.release(following=holds("db1"))
    assert there.wait(60)


@pytest.mark.parametrize(
    "command",
    [
        "systemctl stop slapd",
        "systemctl --quiet restart slapd",
        "systemctl kill --signal=KILL slapd",
        "cd / && systemctl daemon-reload",
        "pkill -STOP -x slapd",
        "nft delete table inet ent",
        "sh -c systemctl\tstop",
    ],
)
def test_what_disturbs_is_refused_without_the_marker(tmp_path: Path, command: str) -> None:
    locks = Locks(tmp_path)
    locks.take(holds("db1", shared=("ldap1",)))
    with pytest.raises(NotAloneError, match=r'@pytest.mark.alone\("ldap1"\)'):
        locks.check("ldap1", command)
    locks.check("db1", command)


@pytest.mark.parametrize(
    "command", ["systemctl start ent-portal-clean", "systemctl show slapd", "nft list tables"]
)
def test_what_disturbs_nobody_is_for_everybody(tmp_path: Path, command: str) -> None:
    Locks(tmp_path).check("ldap1", command)


def test_a_part_of_a_host_may_be_stopped_by_who_has_that_part(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    locks.take(holds("listmove", shared=("lists1",)))
    locks.check("lists1", "systemctl stop ent-listmove")
    with pytest.raises(NotAloneError):
        locks.check("mailup1", "systemctl stop ent-mailmove")


def test_when_a_test_comes_is_read_from_the_source() -> None:
    folder = "tests/integration"
    turn = needs.turn_of
    assert turn(f"{folder}/test_activation.py::test_odd_fields[x]") is Turn.BESIDE
    assert turn(f"{folder}/test_listmove.py::test_old_rows_are_removed") is Turn.ALONE, "pytestmark"
    assert (
        turn(f"{folder}/test_activation.py::test_postgresql_is_stopped") is Turn.ALONE_AT_THE_ROOT
    )
    assert turn(f"{folder}/test_listmove.py::test_directory_stopped_in_the_middle") is (
        Turn.ALONE_AT_THE_ROOT
    ), "both"


def test_every_module_of_the_lab_says_what_it_uses_or_uses_everything_on_purpose() -> None:
    """So that a new one does not slow all others down unseen."""
    everything = {"test_lab", "test_ground_common", "test_ground_firewall", "test_ground_pki"}
    silent = set()
    for folder in ("integration", "e2e"):
        for path in (TESTS / folder).glob("test_*.py"):
            attributes = {
                node.attr for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute)
            }  # fmt: skip
            if "uses" not in attributes:
                silent.add(path.stem)
    assert silent == everything
