"""How many people a network address is shown in an hour: the directory is not for copying."""

import ipaddress
import time
from collections.abc import Iterable

from django.db import connection

from ent.annuaire.search.models import Allowance


def allows(network: str, limit: int, unlimited: Iterable[str]) -> bool:
    """Whether this network may be shown more people now.

    network: `ent.web.network.client_network`; "" is the host itself.
    limit: people in an hour. unlimited: networks (CIDR) that are not counted.
    """
    if _is_free(network, unlimited):
        return True
    shown = (
        Allowance.objects.filter(network=network, hour=_hour())
        .values_list("shown", flat=True)
        .first()
    )
    return (shown or 0) < limit


def count(network: str, people: int, unlimited: Iterable[str]) -> None:
    """Note that a network was shown so many people."""
    if not people or _is_free(network, unlimited):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO search_allowance (network, hour, shown) VALUES (%s, %s, %s) "
            "ON CONFLICT (network, hour) "
            "DO UPDATE SET shown = search_allowance.shown + excluded.shown",
            [network, _hour(), people],
        )


def clear() -> int:
    """Remove the counts of hours that are over; how many."""
    return Allowance.objects.filter(hour__lt=_hour()).delete()[0]


def _is_free(network: str, unlimited: Iterable[str]) -> bool:
    if not network:
        return True
    mine = ipaddress.ip_network(network)
    return any(
        mine.version == other.version and mine.subnet_of(other)  # type: ignore[arg-type]
        for other in map(ipaddress.ip_network, unlimited)
    )


def _hour() -> int:
    return int(time.time() // 3600)
