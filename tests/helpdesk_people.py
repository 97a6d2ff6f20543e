"""People for the tests of the help desk: invented, with known proofs, gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab import LabUnderTest, wait_for
from openldap_client import HOST, Directory, ldif_line, person

OLD = "ancien-2026"
NEW = "nouveau-2026"


@dataclass(frozen=True)
class Someone:
    """A person of the lab's directory.

    number, born: the proofs, the date as people say it.
    """

    uid: str
    name: str
    number: str
    born: str
    password: str
    dn: str


@contextmanager
def someone(
    lab: LabUnderTest,
    given: str = "Odile",
    family: str = "Essai",
    state: str = "A:SupannActif",
    groups: tuple[str, ...] = (),
    *,
    plain: bool = False,
    **more: Any,
) -> Iterator[Someone]:
    """Make a person nobody has seen before, so that no count and no line is about them yet.

    plain: with a name as in life, for pictures; else no name is like another.
    """
    directory = Directory(lab)
    mark = secrets.token_hex(4)
    uid = f"hdk{mark}"
    family = family if plain else f"{family}{mark}"
    number = f"9{secrets.randbelow(10**8):08d}"
    who = Someone(
        uid=uid,
        name=f"{given} {family}",
        number=number,
        born="9 août 1979",
        password=OLD,
        dn=directory.dn(uid),
    )
    address = f"essai.{uid}@{lab.domain}"
    values = {
        "cn": f"{family} {given}",
        "sn": family,
        "givenName": given,
        "displayName": who.name,
        "mail": address,
        "supannAutreMail": address,
        "supannEmpId": number,
        "supannOIDCDateDeNaissance": "1979-08-09",
        "eduPersonAffiliation": ["employee", "staff", "member"],
        "eduPersonPrimaryAffiliation": "staff",
        "supannEntiteAffectationPrincipale": "DSI",
        "userPassword": OLD,
    } | more
    directory.add(who.dn, person(uid, state, **{k: v for k, v in values.items() if v}))
    try:
        for group in groups:
            join(directory, group, who.dn)
        yield who
    finally:
        # their membership of groups goes with them (overlay refint)
        wait_for(lambda: _gone(lab, who.dn), what=f"{who.dn} to be removed")


def _gone(lab: LabUnderTest, dn: str) -> bool:
    """Whether the entry is gone; slapd may be away for the moment, in somebody's test."""
    removed = lab.run(HOST, "ldapdelete -Q -Y EXTERNAL -H ldapi:/// %s", dn)
    return bool(removed.rc in (0, 32))


def join(directory: Directory, group: str, dn: str) -> None:
    """Make somebody a member."""
    _member(directory, group, dn, "add")


def leave(directory: Directory, group: str, dn: str) -> None:
    """Take a membership away."""
    _member(directory, group, dn, "delete")


def _member(directory: Directory, group: str, dn: str, what: str) -> None:
    lines = [
        ldif_line("dn", f"cn={group},ou=groups,{directory.suffix}"),
        "changetype: modify",
        f"{what}: member",
        ldif_line("member", dn),
    ]
    directory.as_root("\n".join(lines) + "\n\n")


def sql(lab: LabUnderTest, statement: str, database: str = "annuaire") -> Any:
    """Run SQL as the server's superuser; testinfra's result."""
    command = "runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 %s -c %s"
    return lab.run("db1", command, database, statement)


def lines_about(lab: LabUnderTest, uid: str) -> list[str]:
    """action outcome agent detail of every line of the trail about somebody, the oldest first."""
    found = sql(
        lab,
        "SELECT concat_ws(' ', action, outcome, agent, detail) FROM helpdesk.helpdesk_trailline"
        f" WHERE person = '{uid}' ORDER BY number",
    )
    assert found.rc == 0, found.stderr
    return [" ".join(line.split()) for line in str(found.stdout).splitlines()]
