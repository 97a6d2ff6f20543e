"""The throw-away browser resolves the lab's names and trusts its authority, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ent.lab import browser, docker, settings
from ent.lab.settings import LabError


def test_the_lab_s_names_are_mapped_and_no_others() -> None:
    names = {"ent.univ-provence.fr": "10.213.7.50", "cas.univ-provence.fr": "10.213.7.40"}
    arguments = browser.command("/usr/bin/chromium", Path("/tmp/p"), names, root=False)
    assert (
        "--host-resolver-rules=MAP cas.univ-provence.fr 10.213.7.40, "
        "MAP ent.univ-provence.fr 10.213.7.50"
    ) in arguments
    assert not any("ignore-certificate" in argument for argument in arguments)
    assert "--no-sandbox" not in arguments


def test_as_root_the_sandbox_is_left_out_because_chromium_refuses() -> None:
    assert "--no-sandbox" in browser.command("chromium", Path("/tmp/p"), {}, root=True)


def test_without_a_lab_the_command_to_make_one_is_told() -> None:
    with pytest.raises(LabError, match="make up LAB=nothere"):
        browser.open_browser(settings.Lab("nothere", "10.1.2"))


def test_without_a_browser_the_package_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(browser.report, "facts", lambda _: {"hosts": {}, "portal": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt-get install chromium"):
        browser.open_browser(settings.Lab("x", "10.1.2"))


def test_an_old_docker_pid_file_of_another_process_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        pidfile = tmp_path / "docker.pid"
        pidfile.write_text(str(sleeper.pid))
        monkeypatch.setattr(docker, "_PIDFILE", pidfile)
        docker._forget_dead_engine()
        assert not pidfile.exists()
    finally:
        sleeper.kill()
        sleeper.wait()
