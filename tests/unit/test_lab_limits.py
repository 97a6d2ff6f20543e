"""Limits of the kernel: what is too low for how many hosts, and that they only go up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ent.lab import limits
from ent.lab.limits import Reading

# Of Debian 12 and 13 (systemd raises pid_max and file-max) with 4 GiB of memory; in use: the
# machine without a lab.
DEBIAN = {
    "fs.inotify.max_user_instances": Reading(128, 5),
    "fs.inotify.max_user_watches": Reading(28_000, 40),
    "kernel.keys.maxkeys": Reading(200, 2),
    "kernel.keys.maxbytes": Reading(20_000, 28),
    "net.ipv4.neigh.default.gc_thresh3": Reading(1024, 4),
    "net.netfilter.nf_conntrack_max": Reading(65_536, 20),
    "kernel.pid_max": Reading(4_194_304, 400),
    "kernel.threads-max": Reading(31_000, 400),
    "fs.file-max": Reading(9_223_372_036_854_775_807, 4000),
}


def _beside(first: int) -> dict[str, Reading]:
    """The machine with a lab of so many hosts, each taking all that it may."""
    return {
        name: Reading(found.limit, found.used + limits.LIMITS[name].need(first))
        for name, found in DEBIAN.items()
    }


def test_every_limit_is_looked_at_on_debian() -> None:
    assert DEBIAN.keys() == limits.LIMITS.keys()


def test_a_lab_fits_on_debian_and_a_second_needs_instances_only() -> None:
    assert limits.short(DEBIAN, 10) == []
    (short,) = limits.short(_beside(10), 10)
    assert short.name == "fs.inotify.max_user_instances"
    assert (short.needed, short.target) == (165, 1024)


def test_two_labs_of_25_hosts_need_what_is_said_in_the_docs() -> None:
    first = {short.name: short for short in limits.short(DEBIAN, 25)}
    assert list(first) == ["fs.inotify.max_user_instances"]
    both = {short.name: short.needed for short in limits.short(_beside(25), 25)}
    assert both == {
        "fs.inotify.max_user_instances": 405,
        "kernel.keys.maxkeys": 202,
        "net.ipv4.neigh.default.gc_thresh3": 1304,
    }


def test_what_was_raised_for_the_first_lab_is_enough_for_the_second() -> None:
    (short,) = limits.short(DEBIAN, 25)
    raised = _beside(25) | {short.name: Reading(short.target, 205)}
    assert short.name not in {again.name for again in limits.short(raised, 25)}


def test_a_limit_that_the_kernel_does_not_have_stops_nobody() -> None:
    assert limits.short({}, 1000) == []


@pytest.fixture
def sysctl(tmp_path: Path) -> Path:
    """A /proc/sys with one limit."""
    (tmp_path / "fs" / "inotify").mkdir(parents=True)
    (tmp_path / "fs" / "inotify" / "max_user_instances").write_text("128\n")
    return tmp_path


def test_a_limit_is_raised_and_the_line_says_all(sysctl: Path) -> None:
    (short,) = limits.short({"fs.inotify.max_user_instances": Reading(128, 55)}, 10)
    assert limits.writable(short, sysctl)
    said = limits.lift(short, sysctl)
    assert (sysctl / "fs" / "inotify" / "max_user_instances").read_text() == "1024\n"
    assert said == (
        "fs.inotify.max_user_instances: 128, of which 55 are in use, needed: 135 (systemd and "
        "journald of each host); raised from 128 to 1024 until the next start of this machine. "
        "To keep it: echo fs.inotify.max_user_instances=1024 >> /etc/sysctl.d/ent-lab.conf"
    )


def test_a_limit_never_goes_down(sysctl: Path) -> None:
    path = sysctl / "fs" / "inotify" / "max_user_instances"
    (short,) = limits.short({"fs.inotify.max_user_instances": Reading(128, 55)}, 10)
    path.write_text("8192\n")  # meanwhile, by somebody else
    assert limits.lift(short, sysctl) is None
    assert path.read_text() == "8192\n"


def test_only_limits_that_are_there_are_read_and_an_endless_one_is_none(sysctl: Path) -> None:
    assert limits.read(sysctl)["fs.inotify.max_user_instances"].limit == 128
    assert len(limits.read(sysctl)) == 1
    (sysctl / "net" / "netfilter").mkdir(parents=True)
    (sysctl / "net" / "netfilter" / "nf_conntrack_max").write_text("0\n")
    assert "net.netfilter.nf_conntrack_max" not in limits.read(sysctl)


def test_this_kernel_is_read() -> None:
    found = limits.read()
    assert found["kernel.pid_max"].used > 0
    assert found["fs.file-max"].limit > found["fs.file-max"].used > 0


def test_the_user_with_most_keys_counts_and_root_does_not() -> None:
    users = """\
    0:   225 224/224 219/1000000 5714/25000000
  100:     4 4/4 4/200 44/20000
  996:    14 14/14 14/200 134/20000
"""
    assert limits.keys_of_busiest(users) == (14, 134)
    assert limits.keys_of_busiest("") == (0, 0)
