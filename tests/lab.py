"""The lab under test: its hosts, secrets and names, for every test that needs it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from imaplib import IMAP4
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import ldap
from testinfra.host import Host

from container import Container
from ent.directory import DirectoryUnavailable
from needs import Locks, NotAloneError

REPOSITORY = Path(__file__).resolve().parents[1]
T = TypeVar("T")
_NOT_YET = (AssertionError, OSError, ldap.LDAPError, DirectoryUnavailable, IMAP4.error)


#: Seconds for what hangs, not for what is slow: a machine with other work takes its time.
PATIENCE = 300


def wait_for(condition: Callable[[], T], *, what: str, timeout: float = PATIENCE) -> T:
    """Call until it returns something true, and return that.

    Args:
        condition: called again and again; a failed assertion, or a service that does not answer,
            counts as "not yet".
        what: named when it does not come true.
        timeout: seconds.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            last = condition()
            if last:
                return last  # type: ignore[return-value]
        except _NOT_YET as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s (last: {last!r})")
        time.sleep(0.1)


def everywhere(holds: Callable[[], bool]) -> bool:
    """Whether something holds in each process of a service.

    Args:
        holds: asks the service once; called from several threads at a time, often enough that
            every process gets some of it.
    """
    with ThreadPoolExecutor(8) as pool:
        return all(pool.map(lambda _: holds(), range(24)))


@dataclass(frozen=True)
class LabUnderTest:
    """One running lab, as ``make up`` and Molecule leave it.

    Attributes:
        name: instance name.
        facts: what the create playbook wrote (lab.json).
    """

    name: str
    facts: dict[str, Any]

    @property
    def state(self) -> Path:
        return REPOSITORY / ".lab" / self.name

    @property
    def ca_file(self) -> str:
        """PEM file of the lab's authority."""
        return str(self.state / "pki" / "ca.pem")

    @property
    def domain(self) -> str:
        return str(self.facts["domain"])

    @property
    def suffix(self) -> str:
        return str(self.facts["suffix"])

    @property
    def network(self) -> IPv4Network:
        """The lab's /24."""
        return IPv4Network(self.facts["network"])

    @property
    def tests_network(self) -> IPv4Network:
        """Addresses of this machine from which tests speak (tests/addresses.py)."""
        return IPv4Network(self.facts["tests_network"])

    @property
    def locks(self) -> Locks:
        """What this process holds of the lab."""
        return _locks(self.state / "locks")

    def ip(self, host: str) -> str:
        """Address of an inventory host."""
        return str(self.facts["hosts"][host]["address"])

    def host(self, host: str) -> Host:
        """Testinfra's view of an inventory host."""
        return _container(f"{self.name}-{host}")

    def run(self, host: str, command: str, *args: str) -> Any:
        """Run a shell command on a host; ``%s`` are quoted arguments.

        Raises:
            NotAloneError: it disturbs others, and the test has not the host to itself.
        """
        self.locks.check(host, " ".join((command, *args)))
        return self.host(host).run(command, *args)

    @contextmanager
    def stopped(self, host: str, unit: str) -> Iterator[None]:
        """A service that is not there for a moment."""
        assert self.run(host, "systemctl stop %s", unit).rc == 0
        try:
            yield
        finally:
            start = self.run(host, "systemctl reset-failed %s; systemctl start %s", unit, unit)
            assert start.rc == 0, start.stderr

    @contextmanager
    def frozen(self, host: str, program: str) -> Iterator[None]:
        """A program that keeps its connections and says nothing.

        The signal counts for each thread when that runs next, so until then it may still answer.
        """
        threads = "$(pgrep -x %s | sed 's|.*|/proc/&/task/*/status|')"
        running = f"cat {threads} | grep ^State: | grep -v stopped"
        assert self.run(host, "pkill -STOP -x %s", program).rc == 0
        try:
            wait_for(lambda: self.run(host, running, program).rc == 1, what=f"{program} frozen")
            yield
        finally:
            assert self.run(host, "pkill -CONT -x %s", program).rc == 0

    def secret(self, name: str) -> str:
        """A generated secret, such as ``ldap-portal`` or ``person-jmartin``."""
        return (self.state / "secrets" / name).read_text().strip()

    def var(self, host: str, name: str) -> Any:
        """A variable of a host, templated as Ansible does (about 2 s)."""
        return variable(host, name)

    def ansible(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ansible-playbook on this lab, such as ``playbooks/directory.yml``.

        Raises:
            NotAloneError: it may change hosts, and the test has none to itself.
        """
        if not self.locks.needs.alone and "--check" not in arguments:
            raise NotAloneError(f"{arguments} may change hosts: mark the test alone(…)")
        return self._ansible(*arguments)

    def refused(self, *arguments: str) -> str:
        """Run ansible-playbook, which changes nothing but says why; what it says."""
        run = self._ansible(*arguments)
        assert run.returncode != 0, run.stdout
        return run.stdout + run.stderr

    def _ansible(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.locks.playbook():
            return subprocess.run(
                ["ansible-playbook", *arguments],
                cwd=REPOSITORY,
                env=_ansible_environment(),
                capture_output=True,
                text=True,
                check=False,
            )


def _ansible_environment() -> dict[str, str]:
    """The environment of `make up`: without what belongs to this process, or to Molecule."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "MOLECULE_", "NSS_WRAPPER_", "LD_PRELOAD", "PY_COLORS"))
        or key in ("ANSIBLE_STRATEGY", "ANSIBLE_STRATEGY_PLUGINS")
    }
    return kept | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}


@functools.cache
def _locks(folder: Path) -> Locks:
    return Locks(folder)


@functools.cache
def _container(name: str) -> Host:
    backend = Container(name)
    made = Host(backend)
    backend.set_host(made)
    return made


@functools.cache
def variable(host: str, name: str) -> Any:
    """A variable of a host, templated as Ansible does, for the lab that ENT_LAB names."""
    result = subprocess.run(
        ["ansible", host, "-m", "ansible.builtin.debug", "-a", f"var={name}"],
        cwd=REPOSITORY,
        # debug needs no host, but a connection plugin that is there without Mitogen
        env=_ansible_environment()
        | {"ANSIBLE_STRATEGY": "linear", "ENT_LAB_CONNECTION": "community.docker.docker"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.partition("=>")[2])[name]


def load() -> LabUnderTest:
    """The lab that ENT_LAB names.

    Raises:
        RuntimeError: it is not there, or these are not its tests' surroundings.
    """
    name = os.environ.get("ENT_LAB", "ent")
    path = REPOSITORY / ".lab" / name / "lab.json"
    if not path.exists():
        raise RuntimeError(
            f"There is no lab {name!r}: make up LAB={name}, then make verify LAB={name}"
        )
    if not os.environ.get("NSS_WRAPPER_HOSTS"):
        raise RuntimeError("Start these tests with make verify: they need the lab's names resolved")
    return LabUnderTest(name, json.loads(path.read_text()))
