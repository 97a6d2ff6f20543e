"""How far the move of the old messages is, as the legacy mail server tells it (docs/mailmove.md).

The page never depends on that server: an answer is waited for a second at most, and after a
failure nobody is kept waiting for some seconds. What was heard is kept for some seconds too.
"""

import functools
import json
import logging
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import requests
from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from ent.annuaire.account.person import Own

log = logging.getLogger(__name__)

_TIMEOUT = (1.0, 1.0)  # seconds to connect, seconds between bytes
_LONGEST = 4096  # bytes of an answer; a real one has about 150
_MANY = 1000  # answers kept before those which are too old are thrown away


class MoveUnknown(Exception):  # noqa: N818
    """The legacy server gave no usable answer. The message is for the log."""


class State(StrEnum):
    """How far it is, in the words of `ent.mailmove.status`."""

    WAITING = "waiting"
    MOVING = "moving"
    DELAYED = "delayed"
    DONE = "done"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Move:
    """The move of one person's messages; total and copied count them, as far as known."""

    state: State
    total: int
    copied: int

    @classmethod
    def from_json(cls, text: bytes) -> "Move":
        """From the answer of the legacy server. Raises MoveUnknown."""
        try:
            said = json.loads(text)
            total, copied = said["total"], said["copied"]
            if not (type(total) is type(copied) is int and 0 <= copied <= total):
                raise ValueError(f"{copied!r} of {total!r}")
            return cls(State(said["state"]), total, copied)
        except (ValueError, KeyError, TypeError) as error:
            raise MoveUnknown(f"not an answer of ent-mailmove: {error}") from error


class LegacyServer:
    """Asks the legacy server, as `AccountConfig` says where and with which token.

    remember: seconds for which an answer is kept; and for which, after a failure, nothing is asked.
    """

    def __init__(self, url: str, token: str, ca_file: str, remember: float = 5.0) -> None:
        self._url = url
        self._token = token
        self._ca_file = ca_file
        self._remember = remember
        self._heard: dict[str, tuple[float, Move | None]] = {}
        self._quiet_until = 0.0
        self._mutex = threading.Lock()

    def move_of(self, uid: str) -> Move | None:
        """The move of this person's messages; None: there was nothing to move.

        Raises MoveUnknown.
        """
        now = time.monotonic()
        with self._mutex:
            until, move = self._heard.get(uid, (0.0, None))
            if now < until:
                return move
            if now < self._quiet_until:
                raise MoveUnknown("no answer a moment ago")
        try:
            move = self._ask(uid)
        except MoveUnknown as error:
            log.warning("move of the messages of %s: %s", uid, error)
            with self._mutex:
                self._quiet_until = time.monotonic() + self._remember
            raise
        with self._mutex:
            if len(self._heard) >= _MANY:
                self._heard = {one: kept for one, kept in self._heard.items() if now < kept[0]}
            self._heard[uid] = (time.monotonic() + self._remember, move)
        return move

    def _ask(self, uid: str) -> Move | None:
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy, and no password of a .netrc
                answer = session.get(
                    self._url + quote(uid, safe=""),
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=_TIMEOUT,
                    verify=self._ca_file,
                    allow_redirects=False,
                    stream=True,
                )
                if answer.status_code == requests.codes.not_found:
                    return None
                if answer.status_code != requests.codes.ok:
                    raise MoveUnknown(f"answer {answer.status_code}")
                return Move.from_json(next(answer.iter_content(_LONGEST), b""))
        except (requests.RequestException, OSError) as error:
            raise MoveUnknown(str(error)) from error


def told(own: Own) -> str:
    """What to tell a person of the move of their old messages; "" when there is nothing to tell.

    Nobody is asked about people without an address of the old servers.
    """
    config: Any = settings.ANNUAIRE
    if not config.account.mailmove_url or not has_former_address(own):
        return ""
    server = _server(config.account.mailmove_url, config.account.mailmove_token, config.ca_file)
    try:
        move = server.move_of(own.uid)
    except MoveUnknown:
        return _("L’état de l’arrivée de vos anciens messages est momentanément inconnu.")
    return in_words(move) if move else ""


def has_former_address(own: Own) -> bool:
    """Whether the person has an address of the old servers."""
    domains = tuple(f"@{one.lower()}" for one in settings.ANNUAIRE.activation.legacy_domains)
    return any(one.lower().endswith(domains) for one in own.texts("supannAutreMail"))


def in_words(move: Move) -> str:
    """What the page says of a move."""
    if move.state is State.DONE:
        return _("Vos anciens messages sont dans votre nouvelle boîte.")
    if move.state is State.FULL:
        return _(
            "Vos anciens messages ne tiennent pas dans votre nouvelle boîte : faites de la place"
            " ou demandez-en à l’assistance."
        )
    if not move.total:
        return _("Vos anciens messages arrivent dans votre nouvelle boîte.")
    return _(
        "Vos anciens messages arrivent dans votre nouvelle boîte (%(copied)s sur %(total)s)."
    ) % {
        "copied": number_format(move.copied, force_grouping=True),
        "total": number_format(move.total, force_grouping=True),
    }


@functools.cache
def _server(url: str, token: str, ca_file: str) -> LegacyServer:
    """One in a process, so that what was heard is kept."""
    return LegacyServer(url, token, ca_file)
