"""The lab's Harpège and the feed, as tests use them.

Tests enter people in a range of numbers of their own (`FIRST` to `LAST`) and remove them
afterwards, from Harpège and, as root, from the directory.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from lab import LabUnderTest
from openldap_client import HOST, Directory

DATABASE = "db1"
FIRST, LAST = 90_000, 99_999
SETTINGS = "/etc/ent/harpege/settings.json"


@dataclass(frozen=True)
class Harpege:
    """The stand-in, as the staff division writes in it."""

    lab: LabUnderTest

    def sql(self, statements: str, *, check: bool = True) -> str:
        """Run SQL as the database's superuser; what it prints, one row a line."""
        result = self.lab.run(
            DATABASE,
            "printf '%%s' %s | runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1"
            " --single-transaction -d harpege -f -",
            "SET search_path = harpege;\n" + statements,
        )
        if check:
            assert result.rc == 0, result.stderr
        return str(result.stdout)

    def remove(self, first: int = FIRST, last: int = LAST) -> None:
        """Remove the people of a range, and all their rows."""
        self.sql(
            f"DELETE FROM individu WHERE no_individu BETWEEN {first} AND {last};"
            + "".join(
                f"DELETE FROM {table} WHERE no_dossier_pers BETWEEN {first} AND {last};"
                for table in (
                    *("personnel", "affectation", "occupation", "carriere", "element_carriere"),
                    "contrat_travail",
                )
            )
        )


@dataclass(frozen=True)
class Feed:
    """The command on its host, and what it did to the directory."""

    lab: LabUnderTest

    @property
    def directory(self) -> Directory:
        return Directory(self.lab)

    def __call__(self, *arguments: str, settings: str = "") -> Any:
        """Run `ent-harpege` as root would; in English, so that messages can be compared."""
        words = " ".join("%s" for _ in arguments)
        return self.lab.run(
            HOST,
            f"LC_ALL=C.UTF-8 LANGUAGE=en ENT_HARPEGE_SETTINGS=%s ent-harpege {words}",
            settings or SETTINGS,
            *arguments,
        )

    def settings(self, path: str, report: dict[str, Any] | None = None, **source: Any) -> str:
        """A settings file beside the real one, with other values under `source`; its path.

        Nobody gets a report, unless `report` says who.
        """
        config = json.loads(self.lab.run(HOST, "cat %s", SETTINGS).stdout)
        config["source"] |= source
        config["state_directory"] = f"{path}.state"
        config["report"] |= report or {"to": []}
        self.lab.run(HOST, "install -d -o ent-harpege -m 700 %s.state", path)
        result = self.lab.run(
            HOST,
            "printf '%%s' %s | install -o ent-harpege -m 600 /dev/stdin %s",
            json.dumps(config),
            path,
        )
        assert result.rc == 0, result.stderr
        return path

    def mark(self) -> str:
        """The moment of the latest write in the audit trail."""
        starts = self.lab.run(
            HOST,
            "ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -b cn=accesslog"
            " '(objectClass=auditWriteObject)' reqStart | grep ^reqStart: | sort | tail -n 1",
        )
        return str(starts.stdout).partition(": ")[2].strip() or "19700101000000.000000Z"

    def writes(self, since: str) -> list[str]:
        """Names of the entries that the feed wrote to after that moment, one for each write."""
        text = self.directory.root_search(
            "cn=accesslog",
            f"(&(objectClass=auditWriteObject)(reqAuthzID=cn=feed,ou=system,{self.lab.suffix})"
            f"(reqStart>={since})(!(reqStart={since})))",
            "reqDN",
        )
        return [line.partition(": ")[2] for line in text.splitlines() if line.startswith("reqDN")]

    def people(self, first: int = FIRST, last: int = LAST) -> dict[int, dict[str, list[str]]]:
        """Entries of people with Harpège codes of a range, as root sees them, by code."""
        text = self.directory.root_search(
            f"ou=people,{self.lab.suffix}", "(supannEmpId=*)", "*", "userPassword", scope="one"
        )
        found = {}
        for block in text.strip().split("\n\n"):
            entry: dict[str, list[str]] = {}
            for line in block.splitlines():
                name, separator, value = line.partition(":")
                if not separator:
                    continue
                if value.startswith(":"):
                    value = base64.b64decode(value[1:]).decode(errors="replace")
                entry.setdefault(name, []).append(value.strip())
            code = entry.get("supannEmpId", ["0"])[0]
            if code.isdecimal() and first <= int(code) <= last:
                found[int(code)] = entry
        return found

    def remove(self, first: int = FIRST, last: int = LAST) -> None:
        """Remove the entries of these people, as root."""
        names = "\n".join(entry["dn"][0] for entry in self.people(first, last).values())
        result = self.lab.run(
            HOST, "printf '%%s\n' %s | ldapdelete -c -Q -Y EXTERNAL -H ldapi:///", names
        )
        assert not names or result.rc == 0, result.stderr


def person(
    number: int,
    surname: str | None = "Essai",
    given: str | None = "Zoé",
    born: str | None = "1980-05-01",
    civility: str = "MME",
    birth_name: str | None = None,
) -> str:
    """SQL that enters somebody, without a post."""
    values = ", ".join(map(literal, (civility, surname, given)))
    born_on = "NULL" if born is None else f"{literal(born)}::date"
    return f"SELECT saisir_personne({values}, {born_on}, {literal(birth_name)}, {number});\n"


def career(
    number: int,
    begins: int | str = "2015-01-01",
    ends: int | str | None = None,
    *,
    structure: str = "DSI",
    population: str = "IA",
    corps: str = "841",
    quota: int = 100,
) -> str:
    """SQL that gives somebody a career; days as dates, or as a number counted from today."""
    values = ", ".join(map(literal, (population, corps, structure)))
    return f"SELECT saisir_carriere({number}, {values}, {day(begins)}, {day(ends)}, {quota});\n"


def contract(
    number: int,
    begins: int | str = "2025-01-01",
    ends: int | str | None = None,
    *,
    structure: str = "DSI",
    kind: str = "CO",
    quota: int = 100,
) -> str:
    """SQL that gives somebody a contract."""
    values = ", ".join(map(literal, (kind, structure)))
    return f"SELECT saisir_contrat({number}, {values}, {day(begins)}, {day(ends)}, {quota});\n"


def day(value: int | str | None) -> str:
    """A date in SQL."""
    if isinstance(value, int):
        return f"CURRENT_DATE + ({value})"
    return "NULL" if value is None else f"{literal(value)}::date"


def literal(value: str | None) -> str:
    """A text in SQL."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
