"""« Mes listes » as a browser without a screen sees it, and the faults of what is behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from html import unescape
from typing import Any

import requests

from integration.cas_browser import Browser
from lab import LabUnderTest, wait_for
from sympa import Sympa


class Lists(Sympa):
    """The lists host, as the portal's tests use it."""

    def drop(self, name: str, address: str) -> None:
        """Take somebody off, if they are on it."""
        if address in self.members(name):
            self.cli("del", "--quiet", self.address(name), given=f"{address}\n")
            assert address not in self.members(name)

    def review(self, name: str) -> str:
        """Who is on it, as `sympa review` tells."""
        return str(self.cli("review", self.address(name)).stdout)

    def requests(self, name: str) -> int:
        """How many requests wait for the owners' consent."""
        found = self.lab.run("lists1", "ls /var/spool/sympa/subscribe")
        return str(found.stdout).count(f",{self.address(name)}_")

    def post(self, name: str, sender: str, subject: str) -> None:
        """Put a message where the mail server would, and wait until it is in the archive."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, self.address(name), subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self.lab.domain)
        message.set_content("Bonjour.")
        queue = f"runuser -u sympa -- /usr/lib/sympa/bin/queue {self.address(name)}"
        put = self.lab.run("lists1", f"printf '%%s' %s | {queue}", message.as_string())
        assert put.rc == 0, put.stderr
        archive = f"/var/lib/sympa/arc/{self.address(name)}"
        wait_for(
            # its pages are made after the text is stored
            lambda: (
                self.lab.run("lists1", f"grep -rqF --include='thrd*' %s {archive}", subject).rc == 0
            ),
            what="the message in the archive",
        )

    def mail(self, uid: str) -> str:
        """The address of somebody of the directory."""
        found = self.lab.run(
            "ldap1",
            "ldapsearch -Q -LLL -Y EXTERNAL -H ldapi:/// -b %s uid=%s mail",
            f"ou=people,{self.lab.suffix}",
            uid,
        )
        address = re.search(r"^mail: (\S+)", str(found.stdout), re.M)
        assert address, found.stdout
        return address[1]

    @contextmanager
    def shown(self, *lists: dict[str, Any]) -> Iterator[None]:
        """Lists that are there for a moment, and that the portal tells of from the beginning."""
        with self.lists(*lists):
            self.recovered()  # what the portal keeps of the lists to join is from before
            try:
                yield
            finally:
                for one in lists:
                    waiting = f"/var/spool/sympa/subscribe/*,{self.address(one['name'])}_*"
                    self.lab.run("lists1", f"rm -f {waiting}")

    @contextmanager
    def away(self) -> Iterator[None]:
        """Its SOAP interface is not there."""
        # the socket too, or the next request starts the service
        self._systemctl("stop sympasoap.socket sympasoap.service")
        try:
            yield
        finally:
            self._systemctl("start sympasoap.socket sympasoap.service")
            self.recovered()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Its SOAP interface takes requests and says nothing."""
        self._systemctl("kill --signal=STOP --kill-whom=all sympasoap")
        try:
            yield
        finally:
            self._systemctl("kill --signal=CONT --kill-whom=all sympasoap")
            self.recovered()

    def recovered(self) -> None:
        """Wait until Sympa answers each process of the portal, and none keeps quiet any more.

        One that failed does for some seconds, and which process answers cannot be chosen. So they
        are started again, and several looks at once go well: through all of theirs and of Sympa's.
        """
        reader = Reader(self.lab, "tnguyen")
        reader.look()

        def anew() -> bool:
            done = self.lab.run("portal1", "systemctl restart ent-portal")
            assert done.rc == 0, done.stderr
            with ThreadPoolExecutor(2) as pool:
                return all(pool.map(lambda _: reader.look_now().answers, range(8)))

        wait_for(anew, what="every process of the portal to tell lists")

    def _systemctl(self, command: str) -> None:
        done = self.lab.run("lists1", f"systemctl {command}")
        assert done.rc == 0, done.stderr


class Reader(Browser):
    """Somebody signed in at the portal, who looks at « Mes listes »."""

    def __init__(self, lab: LabUnderTest, uid: str) -> None:
        super().__init__(lab)
        self.portal = f"https://ent.{lab.domain}"
        self.headers["Referer"] = f"{self.portal}/"
        login = self.get(f"{self.portal}/connexion?next=/mes-listes")
        form = self.get(login.headers["Location"])
        back = self.fill_in(form, uid, lab.secret(f"person-{uid}"))
        assert self.get(back.headers["Location"]).headers["Location"] == "/mes-listes"

    def look(self) -> Seen:
        """« Mes listes », once Sympa answers and the process that is asked asks it."""
        return wait_for(
            lambda: (seen := self.look_now()).answers and seen,
            what="lists on the page",
        )

    def look_now(self, path: str = "/mes-listes") -> Seen:
        """A page of the portal, whatever it says."""
        return Seen(self.get(f"{self.portal}{path}"))

    def click(self, action: str, name: str, **more: str) -> Seen:
        """Subscribe (« abonnement ») or unsubscribe (« desabonnement »); the page after it."""
        key = next(one.value or "" for one in self.cookies if one.name.endswith("-csrf"))
        data = {"csrfmiddlewaretoken": key, "liste": name, **more}
        answer = self.post(f"{self.portal}/mes-listes/{action}", data=data)
        assert answer.status_code == 302, answer.text
        return self.look_now(answer.headers["Location"])


class Seen:
    """What a page says, and in how many seconds it came."""

    def __init__(self, page: requests.Response) -> None:
        page.encoding = "utf-8"
        assert page.status_code == 200, page.text
        assert page.text.rstrip().endswith("</html>")
        assert "Se déconnecter" in page.text
        self.seconds = page.elapsed.total_seconds()
        self.text = _text(page.text)
        missing = ("Le serveur de listes ne répond pas", "n’a pas donné les autres listes")
        self.answers = not any(one in self.text for one in missing)
        self.own = _cards(page.text, "abonnements")
        self.open = _cards(page.text, "ouvertes")
        found = re.search(r'<p class="\w+ outcome".*?</p>', page.text, re.S)
        self.notice = _text(found[0]) if found else ""


def _cards(page: str, section: str) -> dict[str, str]:
    found = re.search(rf'<section aria-labelledby="{section}">.*?</section>', page, re.S)
    cards = re.findall(
        r'<li class="list" id="liste-([^"]+)">(.*?)</li>', found[0] if found else "", re.S
    )
    return {name: _text(card) for name, card in cards}


def _text(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())
