"""Activations per minute with 20 people at once, beside slapd's own rate of new passwords.

slapd's rate is that of modifying userPassword alone, on as many connections as there are
people, on entries that wait for activation: one Argon2 and one write each. An activation is that,
and the search for a free address, two comparisons of proofs, the limits and the session in
PostgreSQL, and Django's pages. Client, annuaire, PostgreSQL and slapd share the machine's cores
in both. Afterwards every account is looked at: activated as a whole, or lost.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import lab as lab_module
from tests.activation_people import PASSWORD, code_of, reference, sql
from tests.openldap_client import Directory, ldif_add, person

from bench.figures import Figure, save

CLIENTS = 20
PEOPLE = 240
_CLIENT = Path(__file__).with_name("activation_client.py")


@dataclass(frozen=True)
class Rates:
    """Per minute: whole journeys, « Valider » alone, and slapd's own; accounts not activated."""

    journey: float
    validate: float
    modify: float
    lost: int


def _root(lab: lab_module.LabUnderTest, *command: str, text: str) -> None:
    done = subprocess.run(
        ["docker", "exec", "-i", f"{lab.name}-ldap1", *command],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")


def _letters(number: int) -> str:
    """A number as a word of letters: names have no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def measure(lab: lab_module.LabUnderTest, people: int = PEOPLE, clients: int = CLIENTS) -> Rates:
    """Make people, let them activate, look at them, and remove them.

    Half of them make the whole journey, from the charter to the last page; for the other half
    only « Valider » is measured.

    Raises:
        RuntimeError: somebody got another answer than the right one.
    """
    directory = Directory(lab)
    uids = [f"b5.activation{number}" for number in range(people)]
    others = [f"b5.other{number}" for number in range(people // 2)]
    everybody = [directory.dn(uid) for uid in uids + others]
    ldap = ("-Q", "-Y", "EXTERNAL", "-H", "ldapi:///")
    entries = (
        ldif_add(
            directory.dn(uid),
            person(
                uid,
                "I:SupannPrecree",
                # one in twenty has the name of the one before
                givenName=f"Banc {_letters(number - (number % 20 == 1))}",
                sn="Essai",
                supannEmpId=code_of(uid),
                supannOIDCDateDeNaissance="1975-02-03",
            ),
        )
        for number, uid in enumerate(uids + others)
    )
    try:
        _root(lab, "ldapmodify", *ldap, text="".join(entries))
        task = {
            "annuaire": f"annuaire.{lab.domain}",
            "ldap_uri": f"ldaps://ldap.{lab.domain}",
            "suffix": lab.suffix,
            "identity": directory.service("annuaire-activation"),
            "password": lab.secret("ldap-annuaire-activation"),
            "new_password": PASSWORD,
            "clients": clients,
            "people": [
                {"path": f"/activer/{reference(lab, uid)}", "code": code_of(uid)} for uid in uids
            ],
            "others": others,
        }
        done = subprocess.run(
            ["docker", "exec", "-i", f"{lab.name}-annuaire1", "python3", "-c", _CLIENT.read_text()],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-2000:])
        seconds = json.loads(done.stdout)
        active = directory.root_search(
            f"ou=people,{lab.suffix}",
            f"(&(uid=b5.activation*)(supannRessourceEtat={{COMPTE}}A:SupannActif)(mail=*@{lab.domain})"
            "(userPassword=*)(supannConsentement=*))",
            "1.1",
        ).count("dn: ")
    finally:
        _root(lab, "ldapdelete", "-c", *ldap, text="".join(f"{dn}\n" for dn in everybody))
        sql(lab, "DELETE FROM annuaire.annuaire_limits_count WHERE subject LIKE '127.0.%'")
    half = people // 2
    return Rates(
        journey=half / seconds["journey"] * 60,
        validate=(people - half) / seconds["validate"] * 60,
        modify=len(others) / seconds["modify"] * 60,
        lost=people - active,
    )


def run() -> None:
    """Measure the lab that is up, and keep the figures."""
    lab = lab_module.load()
    measure(lab, 40)
    rates = measure(lab)
    print(
        f"activations {rates.validate:.0f}/min, whole journeys {rates.journey:.0f}/min, "
        f"slapd's password changes {rates.modify:.0f}/min, lost {rates.lost}"
    )
    if rates.lost:
        raise RuntimeError(f"{rates.lost} of {PEOPLE} accounts are not activated")
    save(
        "activation",
        [
            Figure(
                "activations (« Valider »), 20 people",
                rates.validate,
                "1/min",
                "slapd password changes",
                rates.modify,
                "ratio 0.8",
            ),
            Figure(
                "whole journeys, charter to last page, 20 people",
                rates.journey,
                "1/min",
                "slapd password changes",
                rates.modify,
            ),
            Figure("accounts lost", rates.lost, "", aim="0"),
        ],
    )
