"""The help desk over HTTP: staff who signed in with CAS, and callers who did not."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import requests

from integration.cas_browser import Browser
from lab import PATIENCE, LabUnderTest, wait_for


class Visitor(Browser):
    """A browser at annuaire's /assistance/; `go` and `submit` follow what a browser follows."""

    def __init__(self, lab: LabUnderTest) -> None:
        super().__init__(lab)
        self.desk = f"https://annuaire.{lab.domain}/assistance"
        self.headers["Referer"] = f"{self.desk}/"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As people do: who is told by nginx to slow down tries again."""
        asked = super().request
        # an answer of 4xx or 5xx is false in itself
        found: list[requests.Response] = wait_for(
            lambda: _heard(asked(*args, **kwargs)), what="nginx to let requests pass"
        )
        return found[0]

    def go(self, path: str = "/", **parameters: str) -> requests.Response:
        """A page, after redirections."""
        return self._follow(self.get(f"{self.desk}{path}", params=parameters))

    def submit(self, path: str, follow: bool = True, **fields: str) -> requests.Response:
        """Send a form of the help desk; the page after it."""
        if not self._form_key():
            self.go("/code")
        data = {"csrfmiddlewaretoken": self._form_key(), **fields}
        answer = self.post(f"{self.desk}{path}", data=data, timeout=PATIENCE)
        return self._follow(answer) if follow else answer

    def enter(self, uid: str, password: str) -> requests.Response:
        """Sign in as staff; the page that is shown then."""
        page = self.get(f"{self.desk}/connexion", params={"next": "/assistance/"})
        assert page.status_code == 302, text(page)
        form = self.get(page.headers["Location"])
        return self._follow(self.fill_in(form, uid, password))

    def redeem(self, uid: str, code: str, password: str) -> requests.Response:
        """The caller's form; the page after it."""
        return self.submit("/code", login=uid, code=code, password=password, again=password)

    def _form_key(self) -> str:
        return next((one.value or "" for one in self.cookies if one.name.endswith("-csrf")), "")

    def _follow(self, answer: requests.Response) -> requests.Response:
        for _ in range(8):
            if answer.status_code not in (301, 302, 303):
                break
            answer = self.get(urljoin(answer.url, answer.headers["Location"]))
        return answer


def _heard(answer: requests.Response) -> list[requests.Response]:
    answer.encoding = "utf-8"
    return [] if "Trop de demandes à la fois" in answer.text else [answer]


def text(page: requests.Response) -> str:
    """What a reader reads."""
    page.encoding = "utf-8"
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def code_on(page: requests.Response) -> str:
    """The code that a page shows to the agent."""
    found: Any = re.search(r'class="code"[^>]*>([\d ]+)<', page.text)
    assert found, text(page)
    return str(found[1])
