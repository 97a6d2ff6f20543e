"""Section `search` of the public process's settings file."""

from dataclasses import dataclass
from ipaddress import ip_network

from ent.web.texts import Text


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """What a site decides about the search.

    not_found: paragraphs shown when nobody is found: whom to ask, and when one
        is in the directory after the personnel division entered one
    personnel_phone: telephone of the personnel division
    page_size: results on a page
    result_limit: results of a search at most, over all its pages
    hourly_results: people shown to one network address (IPv6: /64) in an hour
    unlimited_networks: addresses or networks to which hourly_results does not apply
    index_seconds: how often the index takes over what changed in the directory
    index_full_hours: how often it is compared with the whole directory
    """

    not_found: tuple[Text, ...]
    personnel_phone: str
    page_size: int
    result_limit: int
    hourly_results: int
    unlimited_networks: tuple[str, ...]
    index_seconds: int
    index_full_hours: int

    def __post_init__(self) -> None:
        for network in self.unlimited_networks:
            ip_network(network)  # says what is wrong with it
        for name in ("page_size", "result_limit", "hourly_results", "index_seconds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.result_limit > 200:
            raise ValueError(
                f"result_limit is {self.result_limit}, expected at most 200: "
                "the directory gives this service no more at once"
            )
