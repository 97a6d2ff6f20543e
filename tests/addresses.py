"""Each test speaks to the lab from an address of its own.

Services count requests, wrong passwords and failures by address. From one address for all tests,
one test would use up what another is allowed.
"""

from __future__ import annotations

import _socket
import json
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import cycle
from typing import Any

from ent.lab import image
from lab import LabUnderTest

_current: IPv4Address | None = None
_network: IPv4Network | None = None


def provide(lab: LabUnderTest) -> None:
    """Give this machine the addresses, on the lab's bridge.

    In a container, as whoever may use Docker may do that, and need not be root. They go with the
    lab's network.
    """
    inspected = _docker("network", "inspect", lab.name)
    bridge = f"br-{json.loads(inspected)[0]['Id'][:12]}"
    batch = "".join(f"address replace {address}/32 dev {bridge}\n" for address in lab.tests_network)
    _docker(
        *("run", "--rm", "--interactive", "--network", "host", "--cap-add", "NET_ADMIN"),
        *(image.reference(), "ip", "-batch", "-"),
        standard_input=batch,
    )


def take_turns(lab: LabUnderTest, worker: int, workers: int) -> Iterator[IPv4Address]:
    """The addresses of one of several test processes, over and over; each one taken is in use.

    Args:
        lab: to whose hosts connections come from them; others are left alone.
        worker: number of this process, from 0.
        workers: how many there are.
    """
    global _current, _network  # noqa: PLW0603
    socket.socket.connect = _connect  # type: ignore[method-assign]
    _network = lab.network
    for address in cycle(list(lab.tests_network)[worker::workers]):
        _current = address
        yield address


def current() -> str:
    """The address from which this test speaks."""
    return str(_current)


def _connect(self: socket.socket, address: Any) -> None:
    """`socket.connect`, from the address of the test; what is bound already stays so."""
    if self.family == socket.AF_INET and _current and _network:
        try:
            ours = IPv4Address(address[0]) in _network
        except AddressValueError:  # a name
            ours = False
        if ours and self.getsockname()[1] == 0:
            self.bind((str(_current), 0))
    _socket.socket.connect(self, address)


def _docker(*arguments: str, standard_input: str = "") -> str:
    return subprocess.run(
        ["docker", *arguments], input=standard_input, capture_output=True, text=True, check=True
    ).stdout
