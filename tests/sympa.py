"""Sympa as its host sees it: lists that tests declare, who is on them, and what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from integration.cas_browser import Browser
from lab import LabUnderTest, wait_for

_SYMPA = "runuser -u sympa -- /usr/lib/sympa/bin/sympa"
_ENT = "runuser -u sympa -- /usr/local/libexec/ent-sympa"
_DEFAULTS: dict[str, Any] = {
    "description": "",
    "owners": ["sfaure"],
    "moderators": ["sfaure"],
    "topics": [],
    "language": "fr",
    "members": {},
    "state": "open",
    "listed": "everyone",
    "archive": "members",
    "review": "owners",
    "post": "members",
    "subscribe": "open",
    "unsubscribe": "open",
}


@dataclass(frozen=True)
class Sympa:
    """The lists host of the lab under test."""

    lab: LabUnderTest

    @property
    def domain(self) -> str:
        """Domain of the lists, and name of their pages."""
        return f"listes.{self.lab.domain}"

    @property
    def url(self) -> str:
        """The web pages."""
        return f"https://{self.domain}/sympa"

    def address(self, name: str) -> str:
        """Address of a list, or of what ends so."""
        return f"{name}@{self.domain}"

    def cli(self, *arguments: str, given: str = "") -> Any:
        """Run Sympa's own command; it writes much to stderr that says nothing."""
        slots = " ".join(["%s"] * len(arguments))
        return self.lab.run("lists1", f"printf '%%s' %s | {_SYMPA} {slots}", given, *arguments)

    def declare(self, *lists: dict[str, Any], check: bool = False) -> Any:
        """Make the lists host have lists as the inventory would; what is not said is usual."""
        declared = {
            "domain": self.domain,
            "sender": f"postmaster@{self.lab.domain}",
            "ttl": 3600,
            "lists": [_DEFAULTS | one for one in lists],
        }
        mode = "check" if check else ""
        return self.lab.run(
            "lists1",
            "file=$(mktemp /run/ent-lists-XXXXXX) && chmod 644 $file && printf '%%s' %s > $file; "
            f"{_ENT} lists $file {mode}; code=$?; rm $file; exit $code",
            json.dumps(declared),
        )

    @contextmanager
    def lists(self, *lists: dict[str, Any]) -> Iterator[None]:
        """Lists that are there for a moment."""
        for one in lists:
            self.remove(one["name"])
        try:
            made = self.declare(*lists)
            assert made.rc == 0, made.stderr
            yield
        finally:
            for one in lists:
                self.remove(one["name"])

    def remove(self, name: str) -> None:
        """With everything, messages that wait included; also what is not there."""
        self.cli("close", "--mode=purge", self.address(name))
        self.lab.run("lists1", "rm -rf /var/spool/sympa/moderation/%s*", self.address(name))

    def add(self, name: str, *addresses: str) -> None:
        """Subscribe, as an owner would."""
        added = self.cli("add", "--quiet", self.address(name), given="\n".join(addresses) + "\n")
        assert set(addresses) <= set(self.members(name)), added.stdout

    def include(self, name: str, role: str = "member") -> Any:
        """Compare a list with the directory now, instead of in a while."""

        def included() -> Any:
            """Unless Sympa's own task is at it: then nothing was done."""
            done = self.cli("include", "--lang=en", f"--role={role}", self.address(name))
            return None if "was skipped" in done.stdout + done.stderr else done

        return wait_for(included, what=f"{name} compared with the directory")

    def sql(self, statement: str) -> list[list[str]]:
        """Run SQL as the database's administrator; rows as texts."""
        done = self.lab.run(
            "db1",
            "cd / && runuser -u postgres -- psql -X -v ON_ERROR_STOP=1 -AtqF '\t' -c %s sympa",
            statement,
        )
        assert done.rc == 0, done.stderr
        return [line.split("\t") for line in str(done.stdout).splitlines()]

    def members(self, name: str) -> list[str]:
        """Addresses of the members, sorted."""
        rows = self.sql(
            "SELECT user_subscriber FROM subscriber_table "
            f"WHERE list_subscriber = '{name}' ORDER BY 1"
        )
        return [address for (address,) in rows]

    def admins(self, name: str, role: str = "owner") -> list[str]:
        """Addresses of the owners, or of the moderators (editor), sorted."""
        rows = self.sql(
            "SELECT user_admin FROM admin_table "
            f"WHERE list_admin = '{name}' AND role_admin = '{role}' ORDER BY 1"
        )
        return [address for (address,) in rows]

    def setting(self, name: str, parameter: str) -> str:
        """A line of a list's settings."""
        found = self.lab.run(
            "lists1",
            "sed -n 's/^%s //p' %s",
            parameter,
            f"/var/lib/sympa/list_data/{self.domain}/{name}/config",
        )
        return str(found.stdout).strip()

    def waiting(self, name: str) -> list[str]:
        """Files of messages that wait for a moderator."""
        found = self.lab.run("lists1", "ls /var/spool/sympa/moderation | grep -F %s", f"{name}@")
        return str(found.stdout).split()

    def sessions(self, address: str) -> int:
        """How many sessions of the web pages somebody has."""
        [[count]] = self.sql(
            f"SELECT count(*) FROM session_table WHERE email_session = '{address}'"
        )
        return int(count)

    def idle(self) -> None:
        """Wait until Sympa has dealt with all that came in and all that goes out."""
        wait_for(
            lambda: (
                self.lab.run(
                    "lists1",
                    "! find /var/spool/sympa/msg /var/spool/sympa/bulk/msg /var/spool/sympa/bounce"
                    " -maxdepth 1 -type f | grep -q .",
                ).rc
                == 0
            ),
            what="empty spools of Sympa",
        )


class Reader(Browser):
    """A browser with a cookie jar of its own, on the pages of the lists."""

    def __init__(self, lab: LabUnderTest) -> None:
        super().__init__(lab)
        self.sympa = Sympa(lab)
        # Programs get no session there.
        self.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"

    def follow(self, response: requests.Response) -> requests.Response:
        """What a browser shows in the end, forms of the sign-on included."""
        for _ in range(12):
            if not response.is_redirect:
                return response
            response = self.get(response.headers["Location"])
        raise AssertionError(f"redirected for ever: {response.url}")

    def page(self, path: str = "") -> requests.Response:
        """A page of the lists."""
        response = self.follow(self.get(self.sympa.url + path))
        response.encoding = "utf-8"
        return response

    def enter(self, uid: str) -> requests.Response:
        """Sign in at the sign-on, then open the lists."""
        assert self.sign_in(uid).status_code in (200, 302)
        return self.page()

    @property
    def who(self) -> str:
        """Address that the lists know this browser by; empty for nobody."""
        cookie = self.cookies.get("sympa_session", domain=self.sympa.domain)
        rows = self.sympa.sql(
            "SELECT email_session FROM session_table "
            f"WHERE id_session = '{cookie}' OR prev_id_session = '{cookie}'"
        )
        return next((email for (email,) in rows if email != "nobody"), "")
