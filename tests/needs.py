"""What a test needs of the lab, so that tests run side by side without meeting.

A test shares the services that it uses, and has those to itself that it stops, cuts off,
reconfigures or floods. It says so by markers::

    pytestmark = pytest.mark.uses("mail1")      # a module's, or a test's; nothing said: everything

    @pytest.mark.alone("ldap1")                 # nobody else uses it meanwhile
    def test_the_directory_is_away(...): ...

A service is a host, or a part of one that is stopped alone. `uses` brings along what the service
itself needs (SERVICES).

Each of them is a readers-writer lock between processes: a file that is locked shared or
exclusive (flock), so that the lock of a process that ends is free. They are taken in one order.
Who shares goes first: a test that must be alone waits until nobody is left who shares, and so
those of several processes come one after the other, with no others in between. To that end they
come when all others are through, and last those that need alone what nearly everything uses (Turn).
"""

from __future__ import annotations

import ast
import enum
import fcntl
import functools
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

_REPOSITORY = Path(__file__).resolve().parents[1]
#: host or service → what it does not do its work without
SERVICES: dict[str, tuple[str, ...]] = {
    "dns1": (),
    "ldap1": ("dns1",),
    "db1": ("dns1",),
    "sso1": ("ldap1", "db1"),
    "mail1": ("ldap1",),
    "mailup1": ("mail1",),
    "mailmove": ("mailup1",),
    "annuaire1": ("sso1", "mailup1"),
    "helpdesk": ("annuaire1",),
    "lists1": ("sso1", "mail1"),
    "listmove": ("lists1",),
    "portal1": ("sso1", "lists1"),
    "client1": ("dns1",),
    "cas-service": ("client1",),
    # people whose Harpège code only the directory has: a run of the feed lets them go
    "harpege": ("ldap1",),
}
#: what nearly everything uses
_ROOTS = {"dns1", "ldap1", "db1"}
#: where those run that are no host
_HOSTS = {
    "mailmove": "mailup1",
    "helpdesk": "annuaire1",
    "listmove": "lists1",
    "cas-service": "client1",
    "harpege": "ldap1",
}


# What takes a service away from others, or gives it back.
_DISTURBING = re.compile(
    r"\b(systemctl\s+(--\S+\s+)*(stop|restart|reload-or-restart|kill|mask|daemon-reload)\b"
    r"|pkill\b|nft\s+(-f|add|delete|flush)\b|dpkg-reconfigure\b)"
)


@dataclass(frozen=True)
class Needs:
    """What one test needs.

    Attributes:
        alone: services that nobody else uses meanwhile.
        shared: services used beside others.
        module: of the test; two processes never work on one at the same time, as what its fixtures
            make has one name.
    """

    alone: frozenset[str]
    shared: frozenset[str]
    module: str = ""


def of(item: pytest.Item) -> Needs:
    """What the markers of a test say.

    Raises:
        pytest.UsageError: a marker names no service of the lab.
    """
    module = item.nodeid.partition("::")[0]
    alone = frozenset(_named(item, "alone"))
    used = set(_named(item, "uses"))
    if not used:
        return Needs(alone, frozenset(SERVICES) - alone, module)
    used |= alone
    while more := {other for one in used for other in SERVICES.get(one, ())} - used:
        used |= more
    return Needs(alone, frozenset(used) - alone, module)


def _named(item: pytest.Item, marker: str) -> Iterable[str]:
    for mark in item.iter_markers(marker):
        for name in mark.args:
            if name not in SERVICES:
                raise pytest.UsageError(
                    f"{item.nodeid}: {marker}({name!r}): expected one of {', '.join(SERVICES)}"
                )
            yield name


class Turn(enum.IntEnum):
    """When a test comes, so that few wait for each other."""

    BESIDE = 0
    ALONE = 1
    #: on what nearly everything uses
    ALONE_AT_THE_ROOT = 2


def turn(alone: Iterable[str]) -> Turn:
    """When a test comes that needs these services alone."""
    if not alone:
        return Turn.BESIDE
    return Turn.ALONE_AT_THE_ROOT if _ROOTS & set(alone) else Turn.ALONE


def turn_of(nodeid: str) -> Turn:
    """When a test comes, from its source: who gives out tests imports none.

    Args:
        nodeid: a test's identifier, relative to the repository.
    """
    path, _, function = nodeid.partition("::")
    marked = _marked_alone(path)
    name = function.partition("[")[0]
    return turn(marked.get("pytestmark", set()) | marked.get(name, set()))


@functools.cache
def _marked_alone(path: str) -> dict[str, set[str]]:
    """Function of a module, or `pytestmark` → what it is marked to need alone."""
    found = {}
    for node in ast.parse((_REPOSITORY / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            name, marks = node.name, list(node.decorator_list)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, marks = node.targets[0].id, [node.value]
        else:
            continue
        found[name] = {
            argument.value
            for mark in marks
            for call in ast.walk(mark)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "alone"
            for argument in call.args
            if isinstance(argument, ast.Constant)
        }
    return found


class NotAloneError(Exception):
    """A test disturbs others and is not marked; nothing waits for this to pass."""


class Locks:
    """The locks of one lab, as one process holds them.

    Args:
        folder: where their files are.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._module: IO[bytes] | None = None
        self._services: list[IO[bytes]] = []
        self.needs = Needs(frozenset(), frozenset())

    def take(self, needs: Needs) -> float:
        """Wait until all of it is there; seconds that it took."""
        began = time.monotonic()
        if needs.module and not self._module:
            self._module = self._lock(needs.module.replace("/", "-"), fcntl.LOCK_EX)
        for name in SERVICES:
            if name in needs.alone:
                self._services.append(self._lock(name, fcntl.LOCK_EX))
            elif name in needs.shared:
                self._services.append(self._lock(name, fcntl.LOCK_SH))
        self.needs = needs
        return time.monotonic() - began

    def _lock(self, name: str, how: int) -> IO[bytes]:
        lock = (self._folder / name).open("wb")
        fcntl.flock(lock, how)
        return lock

    def release(self, following: Needs | None = None) -> None:
        """Let others have it, but for what the next test of this process goes on with.

        Args:
            following: what that test needs. The module stays this process's own between two of its
                tests, as its fixtures stay. What a test had to itself stays so for the next one.
        """
        if following and following == self.needs and self.needs.alone:
            return
        while self._services:
            self._services.pop().close()
        if self._module and (not following or following.module != self.needs.module):
            self._module.close()
            self._module = None
        self.needs = Needs(frozenset(), frozenset())

    @contextmanager
    def playbook(self) -> Iterator[None]:
        """One run of Ansible at a time: two try their settings in one place on a host."""
        with (self._folder / "playbook").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def check(self, host: str, command: str) -> None:
        """A command that disturbs is only for whoever has the host to itself.

        Raises:
            NotAloneError: the test did not say so.
        """
        mine = {_HOSTS.get(name, name) for name in self.needs.alone}
        if host not in mine and _DISTURBING.search(command):
            raise NotAloneError(
                f"{command!r} on {host} disturbs tests that run beside this one: "
                f'mark it @pytest.mark.alone("{host}")'
            )
