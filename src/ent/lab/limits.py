"""Limits of the running kernel that many hosts on one machine come up against.

What a host needs was measured on a lab that was up and under test (docs/lab.md has the
figures and what was looked at besides), with some to spare. As root `make` raises a limit
that is too low, until the next start of the machine; what is kept is the administrator's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SYSCTL = Path("/proc/sys")
_CONNTRACK = "net.netfilter.nf_conntrack_max"


@dataclass(frozen=True)
class Limit:
    """One limit of the kernel.

    Attributes:
        need: how much of it a lab of so many hosts takes.
        used: how much of it is taken now, as far as this process can see.
        why: what takes it, for the message.

    """

    need: Callable[[int], int]
    used: Callable[[], int]
    why: str


@dataclass(frozen=True)
class Reading:
    """What was found: the limit, and how much of it is in use."""

    limit: int
    used: int


@dataclass(frozen=True)
class Shortage:
    """A limit that the lab would come up against."""

    name: str
    reading: Reading
    needed: int
    why: str

    @property
    def target(self) -> int:
        """What to raise it to: a round number with room for more labs, above what it is."""
        return 1 << (4 * self.needed - 1).bit_length()

    @property
    def found(self) -> str:
        """The limit and its use."""
        return f"{self.reading.limit}, of which {self.reading.used} are in use"


def _each(amount: int) -> Callable[[int], int]:
    return lambda hosts: hosts * amount


def short(found: Mapping[str, Reading], hosts: int) -> list[Shortage]:
    """Limits too low for so many hosts more.

    Args:
        found: by name of the sysctl; what is not in it does not limit here.
        hosts: how many containers will start.

    """
    shortages = [
        Shortage(name, found[name], found[name].used + limit.need(hosts), limit.why)
        for name, limit in LIMITS.items()
        if name in found
    ]
    return [shortage for shortage in shortages if shortage.needed > shortage.reading.limit]


def read(root: Path = _SYSCTL) -> dict[str, Reading]:
    """The limits of this kernel; without those that it does not have, or not yet."""
    found = {}
    for name, limit in LIMITS.items():
        try:
            value = int(_path(name, root).read_text())
            # The connection table counts without end when told 0.
            if value or name != _CONNTRACK:
                found[name] = Reading(value, limit.used())
        except OSError:
            continue
    return found


def writable(shortage: Shortage, root: Path = _SYSCTL) -> bool:
    """Whether this process may raise it: root may, but not where /proc/sys is read-only."""
    return os.access(_path(shortage.name, root), os.W_OK)


def lift(shortage: Shortage, root: Path = _SYSCTL) -> str | None:
    """Raise a limit at run time; what to say of it, None when somebody raised it meanwhile.

    Raises:
        OSError: the kernel does not take it.

    """
    path = _path(shortage.name, root)
    now = int(path.read_text())
    if now >= shortage.target:
        return None
    path.write_text(f"{shortage.target}\n")
    return (
        f"{shortage.name}: {shortage.found}, needed: {shortage.needed} ({shortage.why}); raised "
        f"from {now} to {shortage.target} until the next start of this machine. To keep it: "
        f"{kept(shortage)}"
    )


def kept(shortage: Shortage) -> str:
    """The command with which an administrator keeps it."""
    return f"echo {shortage.name}={shortage.target} >> /etc/sysctl.d/ent-lab.conf"


def _path(name: str, root: Path) -> Path:
    return root / name.replace(".", "/")


def _inotify() -> Iterator[Path]:
    """Root's inotify instances that this process can see; the limits are for each user."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == 0:
                for entry in (process / "fd").iterdir():
                    if str(entry.readlink()) == "anon_inode:inotify":
                        yield process / "fdinfo" / entry.name
        except OSError:  # ended meanwhile, or not ours to see
            continue


def _instances() -> int:
    return sum(1 for _ in _inotify())


def _watches() -> int:
    found = 0
    for path in _inotify():
        try:
            found += path.read_text().count("inotify wd:")
        except OSError:  # ended meanwhile
            continue
    return found


def keys_of_busiest(users: str) -> tuple[int, int]:
    """Keys and their bytes of the user other than root who has most, from /proc/key-users."""
    most = (0, 0)
    for line in users.splitlines():
        user, _, _, keys, size = line.replace(":", " ").split()
        if user != "0":
            most = max(most, (int(keys.split("/")[0]), int(size.split("/")[0])))
    return most


def _keys() -> tuple[int, int]:
    return keys_of_busiest(Path("/proc/key-users").read_text())


def _neighbours() -> int:
    """Entries of the table that all network namespaces share (hexadecimal, first column)."""
    return int(Path("/proc/net/stat/arp_cache").read_text().splitlines()[1].split()[0], 16)


def _threads() -> int:
    return int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])


def _first(path: str) -> Callable[[], int]:
    return lambda: int(Path(path).read_text().split()[0])


LIMITS = {
    # Measured per host: 5 to 6.
    "fs.inotify.max_user_instances": Limit(
        _each(8), _instances, "systemd and journald of each host"
    ),
    # 25 to 43
    "fs.inotify.max_user_watches": Limit(_each(64), _watches, "files that services look out for"),
    # One for each service of a user, and users of several hosts have the same number: 1 to 2.
    "kernel.keys.maxkeys": Limit(
        _each(4), lambda: _keys()[0], "keyrings of services, by number of their user"
    ),
    "kernel.keys.maxbytes": Limit(
        _each(40), lambda: _keys()[1], "keyrings of services, by number of their user"
    ),
    # Each host knows every other, and the machine knows all.
    "net.ipv4.neigh.default.gc_thresh3": Limit(
        lambda hosts: hosts * (hosts + 1), _neighbours, "each host knows each other's address"
    ),
    _CONNTRACK: Limit(
        _each(1000), _first("/proc/sys/net/netfilter/nf_conntrack_count"), "connections of hosts"
    ),
    # 11 to 76
    "kernel.pid_max": Limit(_each(200), _threads, "processes and threads"),
    "kernel.threads-max": Limit(_each(200), _threads, "processes and threads"),
    # 120 to 1343 descriptors
    "fs.file-max": Limit(_each(2000), _first("/proc/sys/fs/file-nr"), "open files"),
}
