"""The lab in this machine's own Chromium or Chrome, without touching its settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import report
from .settings import Lab, LabError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def command(executable: str, profile: Path, names: dict[str, str], root: bool) -> list[str]:
    """The browser's command line.

    Args:
        executable: of the browser.
        profile: an empty folder, thrown away afterwards.
        names: host name → address, for the lab's names only.
        root: Chromium refuses to run as root with its sandbox.

    """
    rules = ", ".join(f"MAP {name} {address}" for name, address in sorted(names.items()))
    return [
        executable,
        f"--user-data-dir={profile}",
        f"--host-resolver-rules={rules}",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-sync",
        *(["--no-sandbox"] if root else []),
    ]


def open_browser(lab: Lab) -> int:
    """Open the portal in a throw-away profile that knows the lab; the browser's exit status.

    Raises:
        LabError: there is no browser, no display, or no certutil.

    """
    found = report.facts(lab)
    executable = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        raise LabError(
            "no Chromium or Chrome found on this machine. Install one (sudo apt-get install "
            "chromium), or use any other browser as docs/lab.md tells."
        )
    if shutil.which("certutil") is None:
        raise LabError(
            "certutil is missing, with which the browser's profile learns the lab's authority: "
            "sudo apt-get install libnss3-tools"
        )
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise LabError(
            "there is no display (DISPLAY is not set). Run it on a desktop, or forward one: "
            "docs/lab.md tells how to look from another machine."
        )
    names = {
        name: information["address"]
        for information in found["hosts"].values()
        for name in information["names"]
    }
    with tempfile.TemporaryDirectory(prefix="ent-browser-") as home:
        trust(lab, Path(home))
        arguments = command(executable, Path(home, "profile"), names, os.geteuid() == 0)
        environment = {**os.environ, "HOME": home}
        if xauthority := Path.home() / ".Xauthority":
            environment.setdefault("XAUTHORITY", str(xauthority))
        return subprocess.run(
            [*arguments, found["portal"]], env=environment, check=False
        ).returncode


def trust(lab: Lab, home: Path) -> None:
    """Make the certificate store of a home folder trust the lab's authority.

    Raises:
        LabError: certutil refused.

    """
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for arguments in (
        ["-N", "--empty-password"],
        ["-A", "-n", "ENT lab", "-t", "C,,", "-i", str(report.ca_file(lab))],
    ):
        result = subprocess.run(
            ["certutil", "-d", f"sql:{store}", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise LabError(f"certutil {arguments[0]}: {result.stderr.strip()}")
