"""Limits as the settings file of an application states them."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from ent.annuaire.limits.rules import ACCOUNT, NETWORK, Rule


@dataclass(frozen=True)
class LimitsConfig:
    """The rules for an account and for a network, and networks that are not counted.

    exempt: networks in CIDR notation, such as that of a campus whose computers
        share one address. Accounts are counted there all the same.
    """

    account: Rule = ACCOUNT
    network: Rule = NETWORK
    exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for one in self.exempt:
            ip_network(one)  # says what is wrong with it
        if self.network.lock_after:
            raise ValueError(
                f"network.lock_after is {self.network.lock_after}, expected 0: "
                "an address belongs to nobody who could ask to lift the lock"
            )

    def exempts(self, address: str) -> bool:
        """Whether this network address is not counted."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in ip_network(one) for one in self.exempt)
