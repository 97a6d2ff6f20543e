"""People who have not activated their accounts, made for a test, and a browser without a screen."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from types import SimpleNamespace
from typing import Any
from unittest import mock

import requests

from ent.annuaire import references
from lab import PATIENCE, LabUnderTest, everywhere, wait_for
from openldap_client import Directory, person

PRE_CREATED = "I:SupannPrecree"
PASSWORD = "depart-2026"
_ONE_AT_A_TIME = threading.Lock()
WRONG_PROOFS = "ne correspondent pas, ensemble, à cette personne"


@dataclass(frozen=True)
class Newcomer:
    """Somebody who has the paper with the guide in hand.

    born: as they write it.
    """

    uid: str
    given_name: str
    surname: str
    code: str
    born: str = "03/02/1975"

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.surname}"


@dataclass
class People:
    """Makes people as the nightly feed leaves them, and removes them with all traces."""

    lab: LabUnderTest
    made: list[str] = field(default_factory=list)

    @property
    def directory(self) -> Directory:
        return Directory(self.lab)

    def make(
        self,
        uid: str,
        given_name: str,
        surname: str,
        *,
        state: str = PRE_CREATED,
        **more: Any,
    ) -> Newcomer:
        """Born on 3 February 1975; the Harpège code is a number made of the login."""
        one = Newcomer(uid, given_name, surname, code_of(uid))
        self.directory.delete(self.directory.dn(uid))
        self.made.append(uid)
        attributes = person(
            uid,
            state,
            givenName=given_name,
            sn=surname,
            cn=f"{surname} {given_name}",
            displayName=one.name,
            supannEmpId=one.code,
            supannOIDCDateDeNaissance="1975-02-03",
            eduPersonAffiliation=["employee", "staff", "member"],
            eduPersonPrimaryAffiliation="staff",
            supannEntiteAffectation="DRH",
            supannEntiteAffectationPrincipale="DRH",
            **more,
        )
        self.directory.add(
            self.directory.dn(uid), {key: value for key, value in attributes.items() if value}
        )
        return one

    def entry(self, uid: str) -> dict[str, list[str]]:
        """What root sees of the entry; values that are no text are left in base64."""
        found: dict[str, list[str]] = {}
        for line in self.directory.root_search(
            self.directory.dn(uid), "(objectClass=*)", "*", scope="base"
        ).splitlines():
            name, _, value = line.partition(": ")
            if value:
                found.setdefault(name.rstrip(":"), []).append(value)
        return found

    def state(self, uid: str) -> str:
        [value] = self.entry(uid)["supannRessourceEtat"]
        return value.removeprefix("{COMPTE}")

    def lock(self, uid: str) -> None:
        """As after too many wrong attempts at their activation."""
        sql(
            self.lab,
            "UPDATE annuaire.annuaire_limits_count SET failures = 10, locked_at = now() "
            f"WHERE task = 'activation' AND subject = '{uid}'",
        )

    def remove(self) -> None:
        """Remove everybody, and what limits know of them."""
        self.directory.delete(*(self.directory.dn(uid) for uid in self.made))
        self.forget_failures()

    def forget_failures(self) -> None:
        """Also those of networks: tests of one run share theirs."""
        subjects = ",".join(f"'{uid}'" for uid in [*self.made, ""])
        sql(
            self.lab,
            "DELETE FROM annuaire.annuaire_limits_count "
            f"WHERE task = 'network' OR subject IN ({subjects})",
        )


def code_of(uid: str) -> str:
    """A Harpège code that no demonstration person has."""
    return "9" + str(int.from_bytes(uid.encode(), "big") % 10**8).zfill(8)


def sql(lab: LabUnderTest, statement: str) -> str:
    """Run SQL in the annuaire's database as its administrator; what it says."""
    done = lab.run(
        "db1", "cd / && runuser -u postgres -- psql -v ON_ERROR_STOP=1 -Atqc %s annuaire", statement
    )
    assert done.rc == 0, done.stderr
    return str(done.stdout).strip()


def reference(lab: LabUnderTest, uid: str) -> str:
    """The person in the addresses of the annuaire of the lab."""
    with _ONE_AT_A_TIME:
        return _reference(lab.secret("annuaire-django"), uid)


@functools.cache
def _reference(secret_key: str, uid: str) -> str:
    references._keys.cache_clear()
    try:
        with mock.patch.object(references, "settings", SimpleNamespace(SECRET_KEY=secret_key)):
            return references.reference_of(uid)
    finally:
        references._keys.cache_clear()


class Visitor(requests.Session):
    """A browser with a cookie jar of its own that follows no redirection by itself."""

    def __init__(self, lab: LabUnderTest) -> None:
        super().__init__()
        self.lab = lab
        self.trust_env = False
        self.verify = lab.ca_file
        self.site = f"https://annuaire.{lab.domain}"
        self.headers["Origin"] = self.site

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        kwargs["allow_redirects"] = False  # get() would follow them
        kwargs.setdefault("timeout", PATIENCE)
        address = url if url.startswith("https://") else self.site + url
        return super().request(method, address, *args, **kwargs)

    def path(self, who: Newcomer | str, name: str = "") -> str:
        uid = who if isinstance(who, str) else who.uid
        return f"/activer/{reference(self.lab, uid)}{'/' + name if name else ''}"

    def accept(self, who: Newcomer) -> requests.Response:
        """Read the charter, tick the box, continue."""
        page = self.get(self.path(who))
        assert page.status_code == 200, said(page)
        form = {"version": hidden(page, "version"), "accept": "on"}
        return self.post(self.path(who), data=form | self.token())

    def validate(self, who: Newcomer, **changes: str) -> requests.Response:
        """Fill in the information requested, « Valider »."""
        form = {
            "code": who.code,
            "birth_date": who.born,
            "password": PASSWORD,
            "confirmation": changes.get("password", PASSWORD),
        }
        return self.post(self.path(who, "informations"), data=form | changes | self.token())

    def token(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": self.cookies["__Host-annuaire-csrf"]}


def hidden(page: requests.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"{name}: {page.status_code} {said(page)}"
    return unescape(found[1])


def said(page: requests.Response) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text))).strip()


def heading(page: requests.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text, re.S)
    return unescape(found[1]) if found else f"{page.status_code}: {said(page)}"


@contextmanager
def stopped(lab: LabUnderTest, host: str, unit: str) -> Iterator[None]:
    """A service that is not there for a moment; at the end the annuaire has it again."""
    with lab.stopped(host, unit):
        yield
    recovered(lab)


def recovered(lab: LabUnderTest) -> None:
    """Wait until each process of the annuaire has found again what it needs."""
    page = Visitor(lab).path("ygarnier")

    def there() -> bool:
        # more than nginx takes from one address says nothing of the processes behind it
        heard = wait_for(
            lambda: (
                (code := Visitor(lab).get(page).status_code) != requests.codes.too_many and code
            ),
            what="nginx to let requests pass",
        )
        return heard == requests.codes.ok

    wait_for(
        lambda: everywhere(there),
        what="each process of the annuaire to have recovered",
    )
