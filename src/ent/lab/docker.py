"""The Docker engine of this machine, through its command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .settings import REPOSITORY, Lab, LabError

LABEL_LAB = "ent.lab"
LABEL_REPOSITORY = "ent.repository"
LABEL_BASE = "ent.base"  # of an image: the one it was made from

_PIDFILE = Path("/var/run/docker.pid")
_START_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """What was found of a Docker engine.

    Attributes:
        version: of the engine that answers, or None.
        installed: a dockerd is on this machine.
        error: what the client said when no engine answered.
        root: the engine's data folder, or an empty string.

    """

    version: tuple[int, ...] | None
    installed: bool
    error: str = ""
    root: str = ""


def network_name(lab: Lab) -> str:
    """The lab's Docker network."""
    return lab.name


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _lines(*arguments: str) -> list[str]:
    result = _docker(*arguments)
    if result.returncode:
        raise LabError(f"docker {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout.splitlines()


def find_engine() -> Engine:
    """Ask for the engine, starting nothing."""
    installed = shutil.which("dockerd", path=_path()) is not None
    if shutil.which("docker") is None:
        return Engine(None, installed, "docker is not installed")
    result = _docker("info", "--format", "{{json .}}")
    try:
        information = json.loads(result.stdout)
    except ValueError:
        information = {}
    version = information.get("ServerVersion")
    if result.returncode or not version:
        return Engine(None, installed, result.stderr.strip() or "no engine answers")
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
    return Engine(numbers, installed, "", information.get("DockerRootDir", ""))


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def start_engine(log: Path) -> None:
    """Start the installed engine and wait until it answers.

    Raises:
        LabError: it did not answer in time; with the end of its log.

    """
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "enable", "--now", "docker"], check=False)
    else:
        _forget_dead_engine()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            # A session of its own: it outlives this make, and Ctrl-C does not reach it.
            subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PATH": _path()},
            )
    if not _wait(lambda: find_engine().version is not None):
        tail = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
        raise LabError(
            f"The Docker engine did not answer within {_START_SECONDS} s.\n"
            + "\n".join(f"    {line}" for line in tail)
            + f"\nSee {log} or journalctl -u docker, mend the cause, then make up again."
        )


def _forget_dead_engine() -> None:
    """Remove the pid file of a dockerd that died, when its number is somebody else's now."""
    try:
        pid = int(_PIDFILE.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        name = ""
    if name != "dockerd":
        _PIDFILE.unlink(missing_ok=True)


def _wait(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def networks() -> dict[str, list[str]]:
    """Docker's networks and their IPv4 subnets."""
    names = _lines("network", "ls", "--filter", "driver=bridge", "--format", "{{.Name}}")
    found: dict[str, list[str]] = {}
    for name in names:
        result = _docker("network", "inspect", name)
        if result.returncode:
            continue  # removed meanwhile
        configuration = json.loads(result.stdout)[0]["IPAM"]["Config"] or []
        found[name] = [c["Subnet"] for c in configuration if "." in c.get("Subnet", "")]
    return found


def containers(lab: Lab) -> dict[str, str]:
    """Containers with this lab's names or label, and the clone each belongs to."""
    found: dict[str, str] = {}
    template = '{{.Names}}\t{{.Label "' + LABEL_LAB + '"}}\t{{.Label "' + LABEL_REPOSITORY + '"}}'
    for line in _lines("ps", "--all", "--format", template):
        name, label, repository = line.split("\t")
        if label == lab.name or re.fullmatch(rf"{lab.name}-[a-z]+[0-9]+", name):
            found[name] = repository
    return found


def running(lab: Lab) -> bool:
    """Whether containers of this lab run."""
    if find_engine().version is None:
        return False
    return bool(_lines("ps", "--filter", f"label={LABEL_LAB}={lab.name}", "--format", "{{.Names}}"))


def remove(lab: Lab) -> list[str]:
    """Remove the containers and the network of this lab; their names.

    Raises:
        LabError: containers of that name belong to another clone that is still there.

    """
    found = containers(lab)
    for name, repository in found.items():
        if repository != str(REPOSITORY) and Path(repository or "/", "Makefile").exists():
            raise LabError(
                f"Container {name} belongs to the clone {repository}: run make down there."
            )
    if found:
        _lines("rm", "--force", "--volumes", *found)
    removed = sorted(found)
    if network_name(lab) in networks():
        _lines("network", "rm", network_name(lab))
        removed.append(f"network {network_name(lab)}")
    return removed


def image_exists(reference: str) -> bool:
    """Whether the engine has this image."""
    return _docker("image", "inspect", reference).returncode == 0


def image_id(reference: str) -> str:
    """The identity of an image, which changes when it is made anew.

    Raises:
        LabError: the engine does not have it.

    """
    return _lines("image", "inspect", "--format", "{{.Id}}", reference)[0]


def remove_container(name: str) -> None:
    """Remove a container, if it is there."""
    _docker("rm", "--force", "--volumes", name)


def forget_images(base: str) -> None:
    """Remove a base image and all that were made from one; containers that use them go on."""
    made = _lines("images", "--quiet", "--filter", f"label={LABEL_BASE}")
    _docker("image", "rm", "--force", *dict.fromkeys(made), base)
