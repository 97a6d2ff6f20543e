"""What bench.activation runs on the annuaire's host: people who activate, and slapd's own rate.

Reads {"annuaire", "suffix", "ldap_uri", "identity", "password", "new_password", "people",
"others", "clients"} from standard input, writes {"journey", "validate", "modify"} with seconds
and answers to standard output. Python's and Debian's modules only. Each client has a loopback
address of its own: the limits per address are not what is measured.
"""

from __future__ import annotations

import http.client
import json
import queue
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import ldap

CA = "/etc/ssl/certs/ca-certificates.crt"


class Browser:
    """One person's browser: a connection and a cookie jar."""

    def __init__(self, host: str, address: str) -> None:
        self.host = host
        self.connection = http.client.HTTPSConnection(
            host,
            context=ssl.create_default_context(cafile=CA),
            timeout=120,
            source_address=(address, 0),
        )
        self.connection._create_connection = _to_this_host  # type: ignore[attr-defined]
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Status, and the text of the answer or where it redirects to."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body = urlencode(form | {"csrfmiddlewaretoken": self.cookies["__Host-annuaire-csrf"]})
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"https://{self.host}",
                "Referer": f"https://{self.host}{path}",
            }
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location") or text


def _to_this_host(address: tuple[str, int], timeout: float, source_address: tuple[str, int]) -> Any:
    import socket  # noqa: PLC0415

    return socket.create_connection(("127.0.0.1", address[1]), timeout, source_address)


def accept(browser: Browser, person: dict[str, str]) -> None:
    """To the form, as a person comes there."""
    status, page = browser.ask("GET", person["path"])
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version, f"{status} {page[:300]}"
    form = {"version": version[1], "accept": "on"}
    status, where = browser.ask("POST", person["path"], form)
    assert status == 302, f"{status} {where[:300]}"
    browser.ask("GET", where)


def validate(browser: Browser, person: dict[str, str], password: str) -> None:
    """« Valider », and nothing else."""
    form = {"code": person["code"], "birth_date": "03/02/1975"}
    form |= {"password": password, "confirmation": password}
    status, where = browser.ask("POST", f"{person['path']}/informations", form)
    assert status == 302, f"{status} {where[:300]}"
    assert where.endswith("/termine"), where


def in_turn(works: Iterable[Callable[[int], None]], clients: int) -> float:
    """Seconds that so many clients take together for these works."""
    waiting: queue.SimpleQueue[Callable[[int], None]] = queue.SimpleQueue()
    for work in works:
        waiting.put(work)
    wrong: list[BaseException] = []

    def client(number: int) -> None:
        try:
            while True:
                waiting.get_nowait()(number)
        except queue.Empty:
            return
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begun
    if wrong:
        raise wrong[0]
    return seconds


def main(task: dict[str, Any]) -> dict[str, Any]:
    clients, password = task["clients"], task["new_password"]
    half = len(task["people"]) // 2
    browsers: dict[str, Browser] = {}

    def journey(person: dict[str, str]) -> Callable[[int], None]:
        def work(number: int) -> None:
            browser = Browser(task["annuaire"], f"127.0.1.{number + 1}")
            accept(browser, person)
            validate(browser, person, password)
            status, _ = browser.ask("GET", f"{person['path']}/termine")
            assert status == 200, status

        return work

    def prepare(person: dict[str, str]) -> Callable[[int], None]:
        def work(number: int) -> None:
            address = f"127.0.{2 + len(browsers) // 200}.{1 + len(browsers) % 200}"
            browsers[person["path"]] = browser = Browser(task["annuaire"], address)
            accept(browser, person)

        return work

    def press(person: dict[str, str]) -> Callable[[int], None]:
        return lambda _: validate(browsers[person["path"]], person, password)

    connections = []
    for _ in range(clients):
        connection = ldap.initialize(task["ldap_uri"])
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, CA)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.simple_bind_s(task["identity"], task["password"])
        connections.append(connection)

    def modify(uid: str) -> Callable[[int], None]:
        change = [(ldap.MOD_REPLACE, "userPassword", [password.encode()])]
        dn = f"uid={uid},ou=people,{task['suffix']}"
        return lambda number: connections[number].modify_s(dn, change)

    first, second = task["people"][:half], task["people"][half:]
    seconds = {"journey": in_turn(map(journey, first), clients)}
    in_turn(map(prepare, second), clients)
    seconds["validate"] = in_turn(map(press, second), clients)
    seconds["modify"] = in_turn(map(modify, task["others"]), clients)
    return seconds


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))
