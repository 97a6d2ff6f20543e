"""Sympa's tables and the list mover, as their hosts see them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ldap

from lab import LabUnderTest, wait_for
from openldap_client import Directory, ldif_add, person

_LIST = """<?xml version="1.0" encoding="UTF-8"?>
<list><listname>{name}</listname><type>discussion_list</type><subject>Essai {name}</subject>
<description>Essai</description><status>open</status><language>fr</language><topic>essai</topic>
<owner multiple="1"><email>{owner}</email></owner></list>
"""
_SYMPA = "runuser -u sympa -- /usr/lib/sympa/bin/sympa"
_TABLES = {"subscriber": "subscriber_table", "admin": "admin_table"}


@dataclass(frozen=True)
class Lists:
    """The lists host of the lab, and what it has in the database."""

    lab: LabUnderTest

    @property
    def robot(self) -> str:
        """The domain of the lists."""
        return f"listes.{self.lab.domain}"

    def sql(self, statement: str, database: str = "sympa") -> list[list[str]]:
        """Run SQL as the database's administrator; rows as texts."""
        done = self.lab.run(
            "db1",
            "cd / && runuser -u postgres -- psql -X -v ON_ERROR_STOP=1 -AtqF '\t' -c %s %s",
            statement,
            database,
        )
        assert done.rc == 0, done.stderr
        return [line.split("\t") for line in str(done.stdout).splitlines()]

    def json(self, query: str, database: str = "sympa") -> list[dict[str, Any]]:
        """The rows of a query, as they are typed."""
        [[text]] = self.sql(f"SELECT coalesce(jsonb_agg(q), '[]') FROM ({query}) q", database)
        return list(json.loads(text))

    @contextmanager
    def lists(self, *names: str, owner: str = "") -> Iterator[None]:
        """Lists that are there for a moment, with an owner that nobody is."""
        try:
            for name in names:
                self.create(name, owner or f"personne@{self.robot}")
            yield
        finally:
            for name in names:
                self.remove(name)

    def create(self, name: str, owner: str) -> None:
        """Make a list, as `sympa create` does."""
        self.remove(name)
        done = self.lab.run(
            "lists1",
            f"umask 022; printf '%%s' %s > /tmp/list.xml && {_SYMPA} create "
            "--input-file=/tmp/list.xml %s; code=$?; rm -f /tmp/list.xml; exit $code",
            _LIST.format(name=name, owner=owner),
            self.robot,
        )
        assert done.rc == 0, done.stderr

    def remove(self, name: str) -> None:
        """Remove a list with everything."""
        self.lab.run("lists1", f"{_SYMPA} close --mode=purge %s", f"{name}@{self.robot}")
        self.sql(
            f"DELETE FROM subscriber_table WHERE list_subscriber = '{name}'; "
            f"DELETE FROM admin_table WHERE list_admin = '{name}'; "
            f"DELETE FROM exclusion_table WHERE list_exclusion = '{name}'"
        )

    def sympa(self, arguments: str, *values: str, text: str = "") -> None:
        """Run a command of Sympa's, `%s` in it being quoted arguments."""
        command = f"{_SYMPA} {arguments}"
        if text:
            done = self.lab.run("lists1", f"printf '%%s' %s | {command}", text, *values)
        else:
            done = self.lab.run("lists1", command, *values)
        assert done.rc == 0, done.stderr

    def subscribe(self, name: str, address: str, **columns: Any) -> None:
        """Put a row into the table of subscribers, as it may have come from anywhere."""
        given = {"reception": "mail", "visibility": "noconceal", "subscribed": 1} | columns
        self._insert("subscriber", name, address, {"number_messages": 0} | given)

    def appoint(self, name: str, address: str, role: str, **columns: Any) -> None:
        """Put a row into the table of owners and editors."""
        given = {"reception": "mail", "visibility": "noconceal", "subscribed": 1} | columns
        self._insert("admin", name, address, {"role": role, "profile": "normal"} | given)

    def _insert(self, kind: str, name: str, address: str, columns: dict[str, Any]) -> None:
        values = {
            f"user_{kind}": address,
            f"list_{kind}": name,
            f"robot_{kind}": self.robot,
            f"date_epoch_{kind}": 1_000_000_000,
        } | {f"{column}_{kind}": value for column, value in columns.items()}
        names, texts = ", ".join(values), ", ".join(literal(one) for one in values.values())
        self.sql(f"INSERT INTO {_TABLES[kind]} ({names}) VALUES ({texts})")

    def subscribers(self, name: str) -> dict[str, dict[str, Any]]:
        """Address → columns without their suffix, of the subscribers of a list."""
        rows = self.json(f"SELECT * FROM subscriber_table WHERE list_subscriber = '{name}'")
        return {row["user_subscriber"]: _short(row, "_subscriber") for row in rows}

    def admins(self, name: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Role and address → columns without their suffix, of a list's owners and editors."""
        rows = self.json(f"SELECT * FROM admin_table WHERE list_admin = '{name}'")
        return {(row["role_admin"], row["user_admin"]): _short(row, "_admin") for row in rows}

    def excluded(self, name: str) -> list[str]:
        """Who does not want to be on a list whatever its data sources say."""
        query = f"SELECT user_exclusion FROM exclusion_table WHERE list_exclusion = '{name}'"
        return sorted(row[0] for row in self.sql(query))

    def known(self, *logins: str) -> list[dict[str, Any]]:
        """What the worker says about people."""
        some = " ".join(["%s"] * len(logins))
        done = self.lab.run(
            "lists1", f"runuser -u ent-listmove -- ent-listmove status {some}", *logins
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def outcomes(self, login: str) -> list[tuple[str, str, str, str]]:
        """Old address, list, role and outcome (or reason) of a person's moves, sorted."""
        return sorted(
            (
                one["old_address"],
                one["list"].partition("@")[0],
                one["role"],
                one.get("reason") or one["outcome"],
            )
            for one in self.known(login)
            if "outcome" in one
        )

    def forget(self, *logins: str) -> None:
        """Take invented people out of the worker's database."""
        some = ", ".join(literal(one) for one in logins)
        self.sql(
            f"DELETE FROM move WHERE login IN ({some}); DELETE FROM intent WHERE login IN ({some});"
            f" DELETE FROM wanted WHERE uid IN ({some})",
            "listmove",
        )

    def worker(self, verb: str) -> None:
        """systemctl, on the worker."""
        done = self.lab.run("lists1", f"systemctl {verb} ent-listmove.service")
        assert done.rc == 0, done.stderr

    def listed(self, name: str, *addresses: str) -> Callable[[], bool]:
        """A condition: these are the subscribers of a list, and nobody else."""
        return lambda: sorted(self.subscribers(name)) == sorted(addresses)

    def journal(self) -> str:
        """What the worker has said since it was started last."""
        return str(
            self.lab.run(
                "lists1",
                "journalctl -o cat --no-pager _SYSTEMD_INVOCATION_ID="
                "$(systemctl show -P InvocationID ent-listmove.service)",
            ).stdout
        )

    def says(self, text: str) -> Callable[[], bool]:
        """A condition: the worker has said this since now."""
        before = self.journal().count(text)
        return lambda: self.journal().count(text) > before

    def compared(self) -> None:
        """Wait until the worker, just started, has compared everything, and done what it found."""
        wait_for(lambda: "compared with " in self.journal(), what="the comparison at the start")
        self.idle()

    def idle(self) -> None:
        """Wait until nobody waits to be looked at."""
        wait_for(
            lambda: self.sql("SELECT count(*) FROM wanted WHERE tries = 0", "listmove") == [["0"]],
            what="the worker to have looked at everybody",
        )


@dataclass(frozen=True)
class Crowd:
    """Many people with a legacy address each, made and activated all at once."""

    lab: LabUnderTest
    size: int
    prefix: str = "lmfoule"

    @property
    def uids(self) -> list[str]:
        return [f"{self.prefix}{number}" for number in range(self.size)]

    def old(self, uid: str) -> str:
        return f"{uid}@up.univ-aix.fr"

    def new(self, uid: str) -> str:
        return f"{uid}@{self.lab.domain}"

    @contextmanager
    def there(self) -> Iterator[None]:
        """They are in the directory for a moment, not activated."""
        directory = Directory(self.lab)
        self._remove()
        try:
            self.modify(
                "".join(
                    ldif_add(
                        directory.dn(uid),
                        person(uid, "I:SupannPrecree", supannAutreMail=self.old(uid)),
                    )
                    for uid in self.uids
                )
            )
            yield
        finally:
            self._remove()
            Lists(self.lab).sql(
                f"DELETE FROM move WHERE login LIKE '{self.prefix}%';"
                f"DELETE FROM intent WHERE login LIKE '{self.prefix}%';"
                f"DELETE FROM wanted WHERE uid LIKE '{self.prefix}%'",
                "listmove",
            )

    def activate(self, first: int = 0, last: int | None = None) -> None:
        """What activation changes, for those from `first` to before `last`."""
        directory = Directory(self.lab)
        state = "supannRessourceEtat: {COMPTE}"
        self.modify(
            "".join(
                f"dn: {directory.dn(uid)}\nchangetype: modify\n"
                f"replace: supannRessourceEtat\n{state}A:SupannActif\n-\n"
                f"add: mail\nmail: {self.new(uid)}\n-\n"
                f"add: supannAutreMail\nsupannAutreMail: {self.new(uid)}\n\n"
                for uid in self.uids[first:last]
            )
        )

    def changes(self, uid: str) -> list[tuple[int, str, list[bytes]]]:
        """What activation changes in its one operation, for python-ldap."""
        new = [self.new(uid).encode()]
        return [
            (ldap.MOD_REPLACE, "userPassword", [b"essai2026"]),
            (ldap.MOD_DELETE, "supannRessourceEtat", [b"{COMPTE}I:SupannPrecree"]),
            (ldap.MOD_ADD, "supannRessourceEtat", [b"{COMPTE}A:SupannActif"]),
            (ldap.MOD_ADD, "mail", new),
            (ldap.MOD_ADD, "supannAutreMail", new),
        ]

    def modify(self, ldif: str) -> None:
        """Apply LDIF as root of the directory's host, however long it is."""
        self._ldap("ldapmodify", ldif)

    def _remove(self) -> None:
        directory = Directory(self.lab)
        self._ldap("ldapdelete -c", "".join(f"{directory.dn(u)}\n" for u in self.uids), check=False)

    def _ldap(self, command: str, text: str, *, check: bool = True) -> None:
        done = subprocess.run(
            [
                *("docker", "exec", "-i", f"{self.lab.name}-ldap1", *command.split()),
                *("-Q", "-Y", "EXTERNAL", "-H", "ldapi:///"),
            ],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr[-500:]

    def subscribe(self, name: str) -> None:
        """Put everybody on a list, with a digest, under their old address."""
        lists = Lists(self.lab)
        lists.sql(
            "INSERT INTO subscriber_table (user_subscriber, list_subscriber, robot_subscriber, "
            "date_epoch_subscriber, number_messages_subscriber, reception_subscriber, "
            f"subscribed_subscriber) SELECT '{self.prefix}' || n || '@up.univ-aix.fr', '{name}', "
            f"'{lists.robot}', 1000000000, 0, 'digest', 1 "
            f"FROM generate_series(0, {self.size - 1}) n"
        )

    def moved(self, name: str) -> int:
        """How many of them are on the list under their new address."""
        query = (
            f"SELECT count(*) FROM subscriber_table WHERE list_subscriber = '{name}' AND "
            f"user_subscriber LIKE '{self.prefix}%@{self.lab.domain}'"
        )
        return int(Lists(self.lab).sql(query)[0][0])

    def followed(self, name: str) -> None:
        """Everybody is on the list, once, with their digest, and it is noted once."""
        lists = Lists(self.lab)
        rows = lists.sql(
            "SELECT user_subscriber, reception_subscriber FROM subscriber_table "
            f"WHERE list_subscriber = '{name}' AND user_subscriber LIKE '{self.prefix}%'"
        )
        assert sorted(rows) == sorted([self.new(uid), "digest"] for uid in self.uids)
        noted = lists.sql(
            "SELECT login, outcome, count(*) FROM move "
            f"WHERE login LIKE '{self.prefix}%' GROUP BY 1, 2",
            "listmove",
        )
        assert sorted(noted) == sorted([uid, "moved", "1"] for uid in self.uids)


def literal(value: Any) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    return "'" + str(value).replace("'", "''") + "'"


def _short(row: dict[str, Any], suffix: str) -> dict[str, Any]:
    return {name.removesuffix(suffix): value for name, value in row.items()}
