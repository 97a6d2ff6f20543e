"""What must be true of the machine, looked at before anything is changed.

Each check is a function of what was found, so that it can be tested without a
machine that has the fault; :func:`examine` does the finding.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from . import docker, limits
from .limits import Shortage
from .settings import REPOSITORY, Lab

MIN_DISK_GIB = 8.0
MIN_MEMORY_GIB = 3.0
MIN_DOCKER = (20, 10)
MIN_PYTHON = (3, 11)
MAX_PYTHON = (3, 14)  # the first that the locked versions were not tried with


_INVENTORY = REPOSITORY / "inventories" / "lab" / "hosts.yml"
_HOSTS = re.compile(r"^\s+\w+: \{lab_number:", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    """One thing that stops a lab: what was found, the limit, the remedy."""

    thing: str
    found: str
    limit: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.thing}: {self.found}; needed: {self.limit}.\n  Remedy: {self.remedy}"


def system(release: dict[str, str], machine: str, python: tuple[int, ...]) -> list[Problem]:
    """Debian 12 or 13 on amd64, and a Python the locked versions run on."""
    problems = []
    if release.get("ID") != "debian" or release.get("VERSION_ID") not in ("12", "13"):
        problems.append(
            Problem(
                "Operating system",
                release.get("PRETTY_NAME", "unknown"),
                "Debian 12 or 13",
                "run it on such a machine, or in a virtual machine with one",
            )
        )
    if machine != "x86_64":
        problems.append(Problem("Processor", machine, "x86_64 (amd64)", "use an amd64 machine"))
    if not MIN_PYTHON <= python[:2] < MAX_PYTHON:
        problems.append(
            Problem(
                "Python",
                f"{sys.executable} is {'.'.join(map(str, python[:2]))}",
                f"{MIN_PYTHON[0]}.{MIN_PYTHON[1]} to 3.13",
                "use Debian's own: make PYTHON=/usr/bin/python3 up",
            )
        )
    return problems


def room(disk: dict[str, int], memory: int) -> list[Problem]:
    """Enough free disk under each path (bytes) and available memory (bytes)."""
    problems = []
    for path, free in disk.items():
        if free < MIN_DISK_GIB * 2**30:
            problems.append(
                Problem(
                    f"Free disk under {path}",
                    f"{free / 2**30:.1f} GiB",
                    f"{MIN_DISK_GIB:.0f} GiB",
                    "remove what is not needed (make down LAB=…, docker system df)",
                )
            )
    if memory < MIN_MEMORY_GIB * 2**30:
        problems.append(
            Problem(
                "Available memory",
                f"{memory / 2**30:.1f} GiB",
                f"{MIN_MEMORY_GIB:.0f} GiB",
                "end other programs or labs (make down LAB=…), or add memory",
            )
        )
    return problems


def kernel(shortages: list[Shortage], root: bool, fixed: set[str]) -> list[Problem]:
    """Limits of the kernel that are too low and that this command cannot raise itself.

    Args:
        shortages: what is too low for the lab.
        root: whether this process is root's.
        fixed: names of those that this process may not write.

    """
    problems = []
    for short in shortages:
        if root and short.name not in fixed:
            continue
        remedy = f"sysctl -w {short.name}={short.target}   (to keep it: {limits.kept(short)})"
        if root:
            remedy += (
                ". It cannot be written here, as in a container with a read-only /proc/sys: do it "
                "on the machine that runs this kernel"
            )
        remedy += ", or end another lab"
        problems.append(Problem(short.name, short.found, f"{short.needed} ({short.why})", remedy))
    return problems


def engine(found: docker.Engine, root: bool, missing: list[str]) -> list[Problem]:
    """A Docker engine that can be used, or the right to install and start one."""
    if found.version is not None:
        if found.version < MIN_DOCKER:
            return [
                Problem(
                    "Docker engine",
                    ".".join(map(str, found.version)),
                    f"{MIN_DOCKER[0]}.{MIN_DOCKER[1]} or newer",
                    "upgrade it (Debian's package is docker.io), or stop it and let make up "
                    "install Debian's",
                )
            ]
        if not missing or root:
            return []
    if root:
        return []
    commands = []
    if missing:
        commands.append(f"sudo apt-get install {' '.join(missing)}")
    if found.version is None:
        if not found.installed:
            commands.append("sudo apt-get install docker.io")
        commands.append("sudo systemctl enable --now docker")
        commands.append(
            f"sudo adduser {os.environ.get('USER', '$USER')} docker   # then log in again"
        )
    return [
        Problem(
            "Docker engine" if found.version is None else "Packages",
            found.error or f"{', '.join(missing)} not installed",
            "an engine this user may use, or root" if found.version is None else "these packages",
            "run these commands, then make up again:\n      " + "\n      ".join(commands),
        )
    ]


def networks(
    lab: Lab, routes: list[tuple[IPv4Network, str]], docker_networks: dict[str, list[str]] | None
) -> list[Problem]:
    """No route of the machine and no other Docker network overlaps the lab's.

    Args:
        lab: whose network it is about.
        routes: destinations and devices.
        docker_networks: names and subnets; None when no engine answers. Then a bridge with just
            the lab's network is taken for what an engine that died left, until one can tell.

    """
    if docker_networks is None:
        routes = [(r, d) for r, d in routes if not (r == lab.network and d.startswith("br-"))]
        docker_networks = {}
    remedy = "choose another /24: make up LAB_PREFIX=10.x.y"
    problems = []
    own_network = docker.network_name(lab)
    ours = {IPv4Network(s) for s in docker_networks.get(own_network, [])}
    taken: set[IPv4Network] = set()
    for name, subnets in docker_networks.items():
        for subnet in map(IPv4Network, subnets):
            taken.add(subnet)
            if name != own_network and subnet.overlaps(lab.network):
                problems.append(
                    Problem(
                        f"Network {lab.network} of the lab",
                        f"overlaps {subnet} of Docker network {name!r}",
                        "a network nobody uses",
                        remedy,
                    )
                )
            elif name == own_network and subnet != lab.network:
                problems.append(
                    Problem(
                        f"Network {lab.network} of the lab",
                        f"lab {lab.name!r} exists already, on {subnet}",
                        "one network for a lab as long as it lives",
                        f"make down LAB={lab.name} first, or leave LAB_PREFIX out",
                    )
                )
    for route, device in routes:
        if route.prefixlen and route.overlaps(lab.network) and route not in taken | ours:
            problems.append(
                Problem(
                    f"Network {lab.network} of the lab",
                    f"overlaps the route {route} of this machine (device {device})",
                    "a network nobody uses",
                    remedy,
                )
            )
    return problems


def owner(lab: Lab, containers: dict[str, str]) -> list[Problem]:
    """Containers of this lab's name belong to this clone (label ent.repository)."""
    others = {path for path in containers.values() if path != str(REPOSITORY)}
    if not others:
        return []
    names = ", ".join(sorted(name for name, path in containers.items() if path in others))
    owners = ", ".join(sorted(path or "nobody" for path in others))
    # A clone that is gone cannot take its lab down any more: ours may.
    gone = all(path and not Path(path, "Makefile").exists() for path in others)
    return [
        Problem(
            f"Lab {lab.name!r}",
            f"containers {names} belong to {owners}",
            "a lab of this clone",
            f"make down LAB={lab.name} here removes what that clone left behind"
            if gone
            else f"run make down there, or use another name here: make up LAB={lab.name}2",
        )
    ]


def kernel_shortages(lab: Lab) -> list[Shortage]:
    """Limits of the kernel that are too low to start this lab's hosts; none when they run."""
    if docker.running(lab):
        return []
    return limits.short(limits.read(), len(_HOSTS.findall(_INVENTORY.read_text())))


def examine(lab: Lab, missing_packages: list[str]) -> list[Problem]:
    """Look at this machine; every problem found, in reading order."""
    found = docker.find_engine()
    running = docker.running(lab)
    shortages = kernel_shortages(lab)
    paths = {str(REPOSITORY): shutil.disk_usage(REPOSITORY).free}
    if found.root and Path(found.root).exists():
        paths[found.root] = shutil.disk_usage(found.root).free
    problems = [
        *system(
            _os_release(), platform.machine(), (sys.version_info.major, sys.version_info.minor)
        ),
        *room(paths, _available_memory() if not running else 2**40),
        *kernel(
            shortages, os.geteuid() == 0, {s.name for s in shortages if not limits.writable(s)}
        ),
        *engine(found, os.geteuid() == 0, missing_packages),
    ]
    known = docker.networks() if found.version else None
    problems += networks(lab, _routes(), known)
    if found.version:
        problems += owner(lab, docker.containers(lab))
    return problems


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**40


def _routes() -> list[tuple[IPv4Network, str]]:
    """The machine's IPv4 routes, from /proc (iproute2 may not be there)."""
    routes = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (
            ".".join(str(byte) for byte in int(fields[column], 16).to_bytes(4, "little"))
            for column in (1, 7)
        )
        routes.append((IPv4Network(f"{address}/{mask}"), fields[0]))
    return routes
