"""A list server that speaks as Sympa 6.2.76 does over SOAP, with faults on demand.

Its answers have the shape of recorded ones: SOAP::Lite's untyped array items, in a part that
each function names differently, fields in any order; faults with status 500; the cookie of a
new session every time.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

PASSWORD = "p" * 32
DOMAIN = "listes.univ-provence.fr"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope'
    ' soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
    ' xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>'
)
_TAIL = "</soap:Body></soap:Envelope>"


def answer(part: str) -> bytes:
    """A whole answer around its one part."""
    run = "authenticateRemoteAppAndRunResponse"
    body = f'<{run} xmlns="urn:sympasoap">{part}</{run}>'
    return f"{_HEAD}{body}{_TAIL}".encode()


def array(*items: dict[str, str | bool], part: str = "return") -> bytes:
    """Structures, as complexWhich ("return") and complexLists ("listInfo") tell them."""
    told = "".join(
        f"<item>{''.join(_field(*one) for one in item.items())}</item>" for item in items
    )
    kind = f'soapenc:arrayType="xsd:anyType[{len(items)}]" xsi:type="soapenc:Array"'
    return answer(f"<{part} {kind}>{told}</{part}>" if told else f"<{part} {kind} />")


def _field(name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return f'<{name} xsi:type="xsd:boolean">{str(value).lower()}</{name}>'
    return f'<{name} xsi:type="xsd:string">{escape(value, quote=False)}</{name}>'


DONE = answer('<result xsi:type="xsd:boolean">true</result>')


def fault(text: str, detail: str = "Il y a une raison.") -> bytes:
    """What Sympa says when it did not do it."""
    inner = f'<detail xsi:type="xsd:string">{detail}</detail>'
    return (
        f"{_HEAD}<soap:Fault><faultcode>soap:Server</faultcode>"
        f"<faultstring>{text}</faultstring>{inner}</soap:Fault>{_TAIL}"
    ).encode()


@dataclass
class Kept:
    """A list of the server. subscribe, unsubscribe: open, owner, closed."""

    subject: str = ""
    subscribe: str = "open"
    unsubscribe: str = "open"
    members: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    editors: set[str] = field(default_factory=set)
    hidden: bool = False


@dataclass(frozen=True)
class Asked:
    """One request, as the server understood it."""

    person: str
    call: str
    values: tuple[str, ...]
    application: str
    password: str
    cookie: str
    action: str


class SympaDouble(ThreadingHTTPServer):
    """Over TLS, on this machine.

    says: what is answered instead, with which status. held: cleared, nobody is answered.
    drip: seconds between the bytes of an answer. arrived: released once for each request.
    """

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.lists: dict[str, Kept] = {}
        self.asked: list[Asked] = []
        self.says: dict[str, tuple[int, bytes]] = {}
        self.location = ""
        self.drip = 0.0
        self.held = threading.Event()
        self.held.set()
        self.ended = threading.Event()
        self.arrived = threading.Semaphore(0)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}/sympasoap"

    def handle_error(self, *_: Any) -> None:
        """Clients that go away are what tests are about."""

    def calls(self) -> list[str]:
        return [one.call for one in self.asked]

    def run(self, one: Asked) -> tuple[int, bytes]:
        """What Sympa would do."""
        if (one.application, one.password) != ("portal", PASSWORD):
            return 500, fault("Authentication failed")
        if one.call in ("complexWhich", "complexLists"):
            return 200, self._told(one)
        kept = self.lists.get(one.values[0])
        if kept is None:
            return 500, fault("Unknown list" if one.call == "subscribe" else "Unknown list.")
        rule = kept.subscribe if one.call == "subscribe" else kept.unsubscribe
        if rule == "closed":
            return 500, fault("Not allowed.")
        if rule == "open" and one.call == "subscribe":
            kept.members.add(one.person)
        elif rule == "open":
            kept.members.discard(one.person)
        return 200, DONE

    def _told(self, one: Asked) -> bytes:
        def about(name: str, kept: Kept) -> dict[str, str | bool]:
            return {
                "listAddress": f"{name}@{DOMAIN}",
                "subject": kept.subject,
                "homepage": f"https://localhost:{self.server_port}/sympa/info/{name}",
            }

        if one.call == "complexLists":
            visible = [about(*two) for two in self.lists.items() if not two[1].hidden]
            return array(*visible, part="listInfo")
        return array(
            *(
                about(name, kept)
                | {
                    "isSubscriber": one.person in kept.members,
                    "isOwner": one.person in kept.owners,
                    "isEditor": one.person in kept.editors,
                    "bounceCount": "0",
                }
                for name, kept in self.lists.items()
                if one.person in kept.members | kept.owners | kept.editors
            )
        )


class _Handler(BaseHTTPRequestHandler):
    server: SympaDouble

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        run = ElementTree.fromstring(text)[0][0]
        given = {one.tag: one for one in run}
        one = Asked(
            person=(given["vars"].text or "").removeprefix("USER_EMAIL="),
            call=given["service"].text or "",
            values=tuple(value.text or "" for value in given["parameters"]),
            application=given["appname"].text or "",
            password=given["apppassword"].text or "",
            cookie=self.headers.get("Cookie", ""),
            action=self.headers.get("SOAPAction", ""),
        )
        self.server.asked.append(one)
        self.server.arrived.release()
        self.server.held.wait(20)
        status, body = self.server.says.get(one.call) or self.server.run(one)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        for name in ("Set-Cookie", "Set-Cookie2"):
            self.send_header(name, "sympa_session=12345678901234; path=/; max-age=600")
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not self.server.drip:
            self.wfile.write(body)
            return
        for number in range(len(body)):
            try:
                self.wfile.write(body[number : number + 1])
            except OSError:
                return
            if self.server.ended.wait(self.server.drip):
                return

    def log_message(self, *_: Any) -> None:
        pass
