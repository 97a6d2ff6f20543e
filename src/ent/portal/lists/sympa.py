"""The list server (Sympa), asked as a trusted application in the name of a person.

Pages never depend on it: answers are waited for a few seconds at most, only some of the
process's threads may wait at the same time, and after a failure nobody is kept waiting for
some seconds. Nothing is kept from one request to the next, cookies neither: Sympa answers
each with a session, and two people must never meet in one.
"""

import logging
import re
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from lxml.etree import _Element
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from ent.portal.lists import envelope
from ent.portal.lists.config import ListsConfig

log = logging.getLogger(__name__)

_CONNECT = 1.0  # seconds
_TO_READ = 4.0  # seconds for the lists of one person
_TO_READ_ALL = 5.0  # seconds for all lists, of which Sympa asks one by one who may see them
_TO_ACT = 6.0  # seconds when Sympa writes to its database and sends messages
_LONGEST = 4 * 1024 * 1024  # bytes of an answer; a list takes about 500

# What separates the variables of a request is in no address that the directory gives.
_ADDRESS = re.compile(r"[^\s,=@<>\x00-\x1f\x7f]+@[A-Za-z0-9.-]+")
_LIST_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._+-]{0,49})@([A-Za-z0-9.-]{1,253})")
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,49}")
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
_REFUSALS = ("Not allowed", "Undef")
_UNKNOWN_LIST = "Unknown list"


class SympaUnavailable(Exception):  # noqa: N818
    """The list server gave no usable answer. The message is for the log."""


class Refused(Exception):  # noqa: N818
    """The list's rules, or its state, do not allow it. The message is for the log."""


class NoSuchList(Exception):  # noqa: N818
    """There is no list of this name."""


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list, as Sympa tells somebody about it.

    page, archive: addresses on Sympa; "" when what it told is not on its host.
    """

    name: str
    address: str
    subject: str
    page: str
    archive: str
    subscriber: bool
    owner: bool
    editor: bool


def usable(address: str) -> bool:
    """Whether somebody with this address can be spoken of to Sympa."""
    return _ADDRESS.fullmatch(address) is not None


def is_name(text: str) -> bool:
    """Whether a list can have this name."""
    return _NAME.fullmatch(text) is not None


class Sympa:
    """The list server of `config`.

    ca_file: authorities that its certificate is verified with.
    quiet: seconds for which, after a failure, nothing is asked.
    """

    def __init__(self, config: ListsConfig, ca_file: str, quiet: float = 8.0) -> None:
        self._config = config
        self._site = urlsplit(config.url).netloc
        self._ca_file = ca_file
        self._quiet = quiet
        self._quiet_until = 0.0
        self._places = threading.BoundedSemaphore(config.places)

    # Every method raises SympaUnavailable. `person` is an address that is `usable`.

    def of(self, person: str) -> list[MailingList]:
        """The lists that the person is on, owns or moderates."""
        return self._lists(person, "complexWhich", _TO_READ)

    def visible(self, person: str) -> list[MailingList]:
        """The lists that the person may see; without their roles."""
        return self._lists(person, "complexLists", _TO_READ_ALL)

    def subscribe(self, person: str, name: str, their_name: str) -> None:
        """Subscribe, or ask the owners to, as the list's rules say. Raises Refused, NoSuchList.

        Sympa does not tell which of the two it did.
        """
        self._act(person, "subscribe", name, _NOT_TEXT.sub(" ", their_name).strip())

    def sign_off(self, person: str, name: str) -> None:
        """Unsubscribe, or ask the owners to. Raises Refused, NoSuchList."""
        self._act(person, "signoff", name)

    def _lists(self, person: str, call: str, seconds: float) -> list[MailingList]:
        try:
            told = envelope.items(self._ask(person, call, seconds))
        except envelope.NotAnAnswer as error:
            raise self._failed(f"{call}: {error}") from error
        except envelope.Fault as fault:
            raise _told_nothing(call, str(fault)) from fault
        return [one for one in map(self._list, told) if one]

    def _act(self, person: str, call: str, name: str, *values: str) -> None:
        try:
            done = self._ask(person, call, _TO_ACT, name, *values).text
        except envelope.Fault as fault:
            said = str(fault)
            log.info("%s to %s for %s: %s", call, name, person, said)
            if said.startswith(_UNKNOWN_LIST):
                raise NoSuchList(name) from fault
            if said.startswith(_REFUSALS):
                raise Refused(said) from fault
            raise _told_nothing(call, said) from fault
        except envelope.NotAnAnswer as error:
            raise self._failed(f"{call}: {error}") from error
        if done not in ("true", "1"):
            raise self._failed(f"{call}: result {done!r}")
        log.info("%s to %s for %s: done or asked", call, name, person)

    def _ask(self, person: str, call: str, seconds: float, *values: str) -> _Element:
        if not usable(person):
            raise SympaUnavailable(f"{person!r} is no address to speak of")
        if time.monotonic() < self._quiet_until:
            raise SympaUnavailable("no answer a moment ago")
        if not self._places.acquire(blocking=False):
            raise SympaUnavailable(f"{self._config.places} requests are waiting already")
        try:
            text = self._post(
                envelope.request(
                    self._config.application, self._config.password, person, call, *values
                ),
                seconds,
            )
        except (RequestException, HTTPError, OSError) as error:
            raise self._failed(f"{call}: {error}") from error
        finally:
            self._places.release()
        return envelope.result(text)

    def _post(self, text: bytes, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        with requests.Session() as session:
            session.trust_env = False  # no proxy, and no password of a .netrc
            answer = session.post(
                self._config.url,
                data=text,
                headers={
                    "Content-Type": "text/xml; charset=utf-8",
                    "SOAPAction": f'"{envelope.ACTION}"',
                    "Accept-Encoding": "identity",
                },
                timeout=(_CONNECT, seconds),
                verify=self._ca_file,
                allow_redirects=False,
                stream=True,
            )
            # a fault comes with 500, as SOAP wants it
            if answer.status_code not in (requests.codes.ok, requests.codes.server_error):
                raise RequestException(f"answer {answer.status_code}")
            read = bytearray()
            while some := answer.raw.read1(65536):
                read += some
                if len(read) > _LONGEST:
                    raise RequestException(f"an answer of more than {_LONGEST} bytes")
                if time.monotonic() > end:
                    raise RequestException(f"an answer that takes more than {seconds} seconds")
            return bytes(read)

    def _failed(self, why: str) -> SympaUnavailable:
        log.warning("lists: %s", why)
        self._quiet_until = time.monotonic() + self._quiet
        return SympaUnavailable(why)

    def _list(self, told: dict[str, str]) -> MailingList | None:
        found = _LIST_ADDRESS.fullmatch(told.get("listAddress", ""))
        if not found:
            log.warning("lists: not the address of a list: %.100r", told.get("listAddress"))
            return None
        page, archive = self._pages(told.get("homepage", ""))
        return MailingList(
            name=found[1].lower(),
            address=found[0].lower(),
            subject=_NOT_TEXT.sub(" ", told.get("subject", "")).strip(),
            page=page,
            archive=archive,
            subscriber=_is_true(told.get("isSubscriber")),
            owner=_is_true(told.get("isOwner")),
            editor=_is_true(told.get("isEditor")),
        )

    def _pages(self, home: str) -> tuple[str, str]:
        try:
            parts = urlsplit(home)
            ours = parts.scheme == "https" and parts.netloc == self._site
        except ValueError:
            ours = False
        before, info, name = home.rpartition("/info/")
        if not (ours and info and is_name(name)):
            return "", ""
        return home, f"{before}/arc/{name}"


def _told_nothing(call: str, said: str) -> SympaUnavailable:
    # answered without delay: nobody is kept waiting by asking again
    log.error("lists: %s: the list server says: %s", call, said)
    return SympaUnavailable(f"{call}: {said}")


def _is_true(text: str | None) -> bool:
    return text in ("true", "1")
