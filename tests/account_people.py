"""People with accounts of their own, made for a test, in a browser without a screen."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from activation_people import Newcomer, People, Visitor, hidden, said, sql
from integration.cas_browser import Browser as CasBrowser
from integration.cas_browser import forget_failures
from lab import LabUnderTest

PASSWORD = "present-2026"
NEW = "nouveau-2027"
PREFIX = "ac."


def make(people: People, uid: str, given_name: str = "Inès", **more: Any) -> Newcomer:
    """Somebody who has activated, with an address, a telephone and the charter accepted."""
    domain = people.lab.domain
    address = f"{uid}@{domain}"
    return people.make(
        uid,
        given_name,
        more.pop("surname", "Compte-Essai"),
        state=more.pop("state", "A:SupannActif"),
        **{
            "userPassword": PASSWORD,
            "mail": address,
            "supannAutreMail": [address, f"{uid}@up.univ-aix.fr"],
            "telephoneNumber": "04 65 71 00 47",
            "supannConsentement": "{CHARTE}2026-1:20261101080000Z",
        }
        | more,
    )


class Member(Visitor):
    """A browser in which somebody signs in and looks at their own page."""

    def __init__(self, lab: LabUnderTest, uid: str) -> None:
        super().__init__(lab)
        self.uid = uid
        self.sso = CasBrowser(lab)

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        """From the own page to CAS and back; what is there then."""
        self.follow_to_cas()
        answer = self.sso.sign_in(self.uid, password, service=self.service)
        assert answer.status_code == 302, said(answer)
        back = self.get(answer.headers["Location"])
        assert back.status_code == 302, said(back)
        return self.get(back.headers["Location"])

    def follow_to_cas(self) -> None:
        """Ask for the own page; the service for which CAS is to give a ticket is kept."""
        first = self.get("/compte/")
        assert first.status_code == 302, said(first)
        login = self.get(first.headers["Location"])
        query = urlsplit(login.headers["Location"]).query
        self.service = parse_qs(query)["service"][0]

    def fill(self, page: str, **typed: str) -> requests.Response:
        """Open a page's form, fill it in, send it."""
        path = f"/compte/{page}"
        shown = self.get(path)
        assert shown.status_code == 200, said(shown)
        if 'name="seen"' in shown.text and "seen" not in typed:
            typed["seen"] = hidden(shown, "seen")
        return self.post(path, data=typed | self.token())

    def change_password(self, new: str = NEW, present: str = PASSWORD) -> requests.Response:
        """Fill in the change of password."""
        return self.fill("mot-de-passe", present=present, password=new, confirmation=new)

    def home(self) -> str:
        """What the first page says."""
        page = self.get("/compte/")
        assert page.status_code == 200, f"{page.status_code} {said(page)}"
        return said(page)


def cas_accepts(lab: LabUnderTest, uid: str, password: str) -> bool:
    """Whether somebody can sign in with this password, in a browser without a session."""
    service = f"https://ent.{lab.domain}/connexion"
    return CasBrowser(lab).sign_in(uid, password, service=service).status_code == 302


def forget(people: People) -> None:
    """Failures of this test's people, here and at the sign-on."""
    people.forget_failures()
    if people.made:
        forget_failures(people.lab, *people.made)


def counted(lab: LabUnderTest, uid: str) -> int:
    """Failed changes of password that count."""
    found = sql(
        lab,
        "SELECT coalesce(sum(failures), 0) FROM annuaire.annuaire_limits_count "
        f"WHERE task = 'password' AND subject = '{uid}'",
    )
    return int(found)
