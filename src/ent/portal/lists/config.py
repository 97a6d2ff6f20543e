"""Section `lists` of the portal's settings file."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class ListsConfig:
    """How to ask the list server, and what it does not tell.

    url: of its SOAP interface, https://listes.univ-provence.fr/sympasoap; "": there is no
        list server, and no page about lists.
    application, password: of the trusted application that the portal is to it.
    from_directory: names of lists whose members come from the directory, as patterns
        (structure-*): nobody joins or leaves them by themselves.
    places: how many requests of this process may wait for the list server at the same time.
    """

    url: str = ""
    application: str = "portal"
    password: str = field(default="", repr=False)
    from_directory: tuple[str, ...] = ()
    places: int = 4

    def __post_init__(self) -> None:
        if bool(self.url) != bool(self.password):
            missing = "password" if self.url else "url"
            raise ValueError(f"{missing} is empty, expected both or neither of url and password")
        parts = urlsplit(self.url)
        if self.url and not (parts.scheme == "https" and parts.hostname):
            raise ValueError(f"url is {self.url!r}, expected https://HOST/sympasoap")
        if not self.application:
            raise ValueError("application is empty, expected the name that the list server knows")
        if self.places < 1:
            raise ValueError(f"places is {self.places}, expected 1 or more")
