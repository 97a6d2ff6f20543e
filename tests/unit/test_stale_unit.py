"""A unit that runs with older files than are on the disk is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modules import stale_unit


def test_systemd_s_timestamps_are_read_in_utc() -> None:
    assert stale_unit.parse("Thu 1970-01-01 00:00:10.250000 UTC") == 10.25
    assert stale_unit.parse("") is None


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.conf").touch()
    (tmp_path / "release").symlink_to(tmp_path / "conf.d" / "site.conf")
    for path in (tmp_path / "conf.d" / "site.conf", tmp_path / "conf.d", tmp_path):
        os.utime(path, (100, 100))
    os.utime(tmp_path / "release", (100, 100), follow_symlinks=False)
    return tmp_path


def test_older_files_are_no_reason(tree: Path) -> None:
    assert stale_unit.newer([str(tree), "/not/there"], since=101) == []


def test_a_newer_file_in_a_folder_is(tree: Path) -> None:
    site = tree / "conf.d" / "site.conf"
    os.utime(site, (200, 200))
    assert str(site) in stale_unit.newer([str(tree)], since=101)


def test_a_link_that_was_switched_is(tree: Path) -> None:
    os.utime(tree / "release", (200, 200), follow_symlinks=False)
    assert stale_unit.newer([str(tree)], since=101) == [str(tree / "release")]


def test_a_removed_file_shows_in_its_folder(tree: Path) -> None:
    (tree / "conf.d" / "site.conf").unlink()
    assert str(tree / "conf.d") in stale_unit.newer([str(tree)], since=101)
