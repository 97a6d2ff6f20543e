"""Where a request comes from."""

import ipaddress

from django.http import HttpRequest

# RFC 6177: a site gets at least this much; whoever limits less limits nobody
_IPV6_PREFIX = 64


def client_address(request: HttpRequest) -> str:
    """The address nginx saw, canonical; "" when there is none (a request made on the host itself).

    nginx sets X-Forwarded-For anew, so what a client writes there never arrives.
    """
    given = request.headers.get("X-Forwarded-For", "").strip()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def client_network(request: HttpRequest) -> str:
    """What limits count by: the IPv4 address, or the /64 of an IPv6 one ("2001:db8::/64")."""
    return network_of(client_address(request))


def network_of(address: str) -> str:
    """The network that a canonical address counts for."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_IPV6_PREFIX}", strict=False))
