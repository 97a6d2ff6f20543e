"""Addresses of the legacy mail server: from its list of accounts into supannAutreMail.

docs/feed-rules.md has the format of the file. An account is matched by its Harpège code, or
by names and birth date when exactly one person has them; all others are listed for a
person to decide. Addresses are added, never taken away; a second time adds nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from ent.directory import (
    AccountState,
    Change,
    Conflict,
    Directory,
    DirectoryRefused,
    Entry,
    Scope,
    StaleEntry,
    all_of,
    any_of,
    equals,
    present,
)
from ent.harpege.config import FeedConfig
from ent.harpege.messages import Text, mark, tell
from ent.naming import fold

COLUMNS = ("code_harpege", "nom", "prenom", "date_naissance", "adresses")
_ADDRESS = re.compile(r"[a-z0-9._%+'-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")
_REST = "\0"  # where csv puts values beyond the last column
_DATES = (re.compile(r"(\d{4})-(\d{2})-(\d{2})"), re.compile(r"(\d{2})/(\d{2})/(\d{4})"))
_READ = (
    "uid",
    "supannEmpId",
    "sn",
    "givenName",
    "supannNomDeNaissance",
    "supannOIDCDateDeNaissance",
    "supannRessourceEtat",
    "mail",
    "supannAutreMail",
)


class FileError(Exception):
    """The file cannot be read at all; `reason` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


class Account(NamedTuple):
    """A line of the file. born: None when the column is empty."""

    line: int
    code: str
    surname: str
    given_name: str
    born: date | None
    addresses: tuple[str, ...]


class Addition(NamedTuple):
    """Addresses to add to a person."""

    line: int
    code: str
    login: str
    addresses: tuple[str, ...]


class Doubt(NamedTuple):
    """A line that a person has to decide."""

    line: int
    account: str
    reason: Text


@dataclass
class Matching:
    """What becomes of the lines of a file."""

    additions: list[Addition] = field(default_factory=list)
    complete: int = 0
    doubts: list[Doubt] = field(default_factory=list)


def read(path: Path, domains: Iterable[str]) -> tuple[list[Account], list[Doubt]]:
    """The accounts of a file, and the lines that are none. Raises FileError, OSError."""
    try:
        content = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(tell(_NOT_UTF8, byte=error.start)) from error
    header = content.partition("\n")[0]
    delimiter = max(";,\t", key=header.count)
    rows = csv.DictReader(io.StringIO(content), delimiter=delimiter, restkey=_REST)
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    if missing := [one for one in COLUMNS if one not in names]:
        raise FileError(
            tell(_NO_COLUMN, missing=", ".join(missing), expected=f"{delimiter}".join(COLUMNS))
        )
    rows.fieldnames = names
    accounts: list[Account] = []
    doubts: list[Doubt] = []
    allowed = frozenset(domains)
    before = rows.line_num
    for row in _read_rows(rows):
        # a quote that nothing closes makes one value of all lines after it
        rest = row.pop(_REST, None) or []
        if any("\n" in one for one in (*row.values(), *rest) if one):
            raise FileError(tell(_QUOTE, line=before + 1))
        before = rows.line_num
        values = {name: (value or "").strip() for name, value in row.items() if name}
        if any(rest):
            doubts.append(Doubt(rows.line_num, values["code_harpege"], tell(_TOO_MANY_COLUMNS)))
            continue
        if not any(values.values()):
            continue
        found = _account(rows.line_num, values, allowed)
        if isinstance(found, Account):
            accounts.append(found)
        else:
            doubts.append(found)
    return accounts, doubts


def _read_rows(rows: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except csv.Error as error:
        raise FileError(tell(_QUOTE, line=rows.line_num + 1)) from error


def match(
    accounts: list[Account], doubts: list[Doubt], directory: Directory, suffix: str
) -> Matching:
    """Find whose the accounts are; nothing is written."""
    result = Matching(doubts=list(doubts))
    base = f"ou=people,{suffix}"
    by_names = _by_names(directory, base) if any(not one.code for one in accounts) else {}
    wanted: dict[str, list[tuple[Account, Entry]]] = defaultdict(list)
    for account in accounts:
        found = _whose(account, directory, base, by_names)
        if isinstance(found, Text):
            result.doubts.append(Doubt(account.line, _named(account), found))
            continue
        for address in account.addresses:
            wanted[address].append((account, found))
    shared = {
        address
        for address, claims in wanted.items()
        if len({entry.text("uid") for _, entry in claims}) > 1
    }
    for account, entry in _accounts(wanted):
        _decide(account, entry, shared, directory, base, result)
    result.doubts.sort()
    return result


def write(
    matching: Matching,
    directory: Directory,
    config: FeedConfig,
    written: Callable[[Addition], None] = lambda addition: None,
) -> None:
    """Add the addresses, one operation a person; who cannot have theirs becomes a doubt."""
    for addition in matching.additions:
        dn = f"uid={addition.login},ou=people,{config.ldap.suffix}"
        try:
            directory.modify(dn, [Change.add("supannAutreMail", *addition.addresses)])
        except StaleEntry:
            # somebody added one of them in between: the next run sees which
            matching.doubts.append(Doubt(addition.line, addition.login, tell(_MEANWHILE)))
        except Conflict:
            shown = ", ".join(addition.addresses)
            reason = tell(_TAKEN_BY_SOMEBODY, addresses=shown)
            matching.doubts.append(Doubt(addition.line, addition.login, reason))
        except DirectoryRefused as error:
            reason = tell(_REFUSED, answer=str(error))
            matching.doubts.append(Doubt(addition.line, addition.login, reason))
        else:
            written(addition)


def _account(line: int, values: dict[str, str], domains: frozenset[str]) -> Account | Doubt:
    who = values["code_harpege"] or f"{values['prenom']} {values['nom']}".strip()
    addresses = tuple(
        sorted({one.lower() for one in re.split(r"[\s,|]+", values["adresses"]) if one})
    )
    if not addresses:
        return Doubt(line, who, tell(_NO_ADDRESS))
    for one in addresses:
        if not _ADDRESS.fullmatch(one) or len(one) > 254:
            return Doubt(line, who, tell(_BAD_ADDRESS, address=one))
        if one.partition("@")[2] not in domains:
            allowed = ", ".join(sorted(domains)) or "–"
            return Doubt(line, who, tell(_OTHER_DOMAIN, address=one, domains=allowed))
    born = None
    if values["date_naissance"]:
        born = _date(values["date_naissance"])
        if born is None:
            return Doubt(line, who, tell(_BAD_DATE, value=values["date_naissance"]))
    code = values["code_harpege"]
    if code and not code.isdecimal():
        return Doubt(line, who, tell(_BAD_CODE, code=code))
    if not code and not (values["nom"] and values["prenom"] and born):
        return Doubt(line, who, tell(_TOO_LITTLE))
    return Account(line, code, values["nom"], values["prenom"], born, addresses)


def _date(value: str) -> date | None:
    iso, french = (one.fullmatch(value) for one in _DATES)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if french:
            return date(int(french[3]), int(french[2]), int(french[1]))
    except ValueError:
        pass
    return None


_Names = dict[tuple[str, str, str], set[str]]


def _by_names(directory: Directory, base: str) -> _Names:
    """Logins by usual or birth name, given name and birth date, as far as they can be compared."""
    found: _Names = defaultdict(set)
    for entry in directory.paged(base, present("supannEmpId"), _READ[:6], Scope.CHILDREN):
        given, born = fold(entry.text("givenName")), entry.text("supannOIDCDateDeNaissance")
        for surname in {fold(entry.text("sn")), fold(entry.text("supannNomDeNaissance"))}:
            if surname and given and born:
                found[surname, given, born].add(entry.text("uid"))
    return found


def _whose(account: Account, directory: Directory, base: str, by_names: _Names) -> Entry | Text:
    if account.code:
        where = equals("supannEmpId", account.code)
        entry = directory.one(base, where, _READ, Scope.CHILDREN)
        if entry is None:
            return tell(_UNKNOWN_CODE, code=account.code)
        return _contradiction(account, entry) or entry
    key = (
        fold(account.surname),
        fold(account.given_name),
        account.born.isoformat() if account.born else "",
    )
    logins = by_names.get(key, set())
    if len(logins) != 1:
        logins_shown = ", ".join(sorted(logins))
        return tell(_SEVERAL, logins=logins_shown) if logins else tell(_NOBODY)
    where = all_of(equals("uid", next(iter(logins))), present("supannEmpId"))
    return directory.one(base, where, _READ, Scope.CHILDREN) or tell(_NOBODY)


def _contradiction(account: Account, entry: Entry) -> Text | None:
    """Why a code is not this account's: it is that of another name or birth date."""
    surnames = {fold(entry.text("sn")), fold(entry.text("supannNomDeNaissance"))}
    if account.surname and fold(account.surname) not in surnames:
        return tell(
            _OTHER_NAME, code=account.code, file=account.surname, directory=entry.text("sn")
        )
    born = entry.text("supannOIDCDateDeNaissance")
    if account.born and born and account.born.isoformat() != born:
        return tell(_OTHER_BIRTH_DATE, code=account.code)
    return None


def _accounts(
    wanted: dict[str, list[tuple[Account, Entry]]],
) -> list[tuple[Account, Entry]]:
    """Each matched account once, in the order of the file."""
    found = {
        account.line: (account, entry) for claims in wanted.values() for account, entry in claims
    }
    return [found[line] for line in sorted(found)]


def _decide(  # noqa: PLR0917 - the parts of one decision
    account: Account,
    entry: Entry,
    shared: set[str],
    directory: Directory,
    base: str,
    result: Matching,
) -> None:
    def doubt(reason: Text) -> None:
        result.doubts.append(Doubt(account.line, _named(account), reason))

    login = entry.text("uid")
    if claimed := sorted(shared.intersection(account.addresses)):
        return doubt(tell(_CLAIMED, addresses=", ".join(claimed)))
    if AccountState.of(entry.texts("supannRessourceEtat")) is AccountState.EXPIRED:
        return doubt(tell(_CLOSED, login=login))
    have = {one.lower() for one in (*entry.texts("supannAutreMail"), *entry.texts("mail"))}
    missing = tuple(one for one in account.addresses if one not in have)
    if not missing:
        result.complete += 1
        return None
    where = any_of(
        *(any_of(equals("mail", one), equals("supannAutreMail", one)) for one in missing)
    )
    holders = [one.text("uid") for one in directory.search(base, where, ("uid",), Scope.CHILDREN)]
    if holders:
        holders_shown = ", ".join(sorted(holders))
        return doubt(tell(_TAKEN, addresses=", ".join(missing), logins=holders_shown))
    already = [one for one in result.additions if one.login == login]
    if already:
        # two lines of one person: one operation each would do, but the second must not repeat
        missing = tuple(
            one for one in missing if not any(one in other.addresses for other in already)
        )
        if not missing:
            result.complete += 1
            return None
    result.additions.append(Addition(account.line, entry.text("supannEmpId"), login, missing))
    return None


def _named(account: Account) -> str:
    return account.code or f"{account.given_name} {account.surname}"


_NOT_UTF8 = mark("le fichier n’est pas en UTF-8 (octet {byte}) : le convertir")
_NO_COLUMN = mark("il manque {missing} ; la première ligne doit être : {expected}")
_QUOTE = mark("guillemet non fermé, ou valeur sur plusieurs lignes, ligne {line} : à corriger")
_TOO_MANY_COLUMNS = mark("plus de valeurs que de colonnes ; séparer les adresses par |")
_NO_ADDRESS = mark("aucune adresse")
_BAD_ADDRESS = mark("adresse invalide : {address}")
_OTHER_DOMAIN = mark("{address} n’est pas d’un ancien domaine ({domains})")
_BAD_DATE = mark("date de naissance illisible : {value} ; attendu AAAA-MM-JJ ou JJ/MM/AAAA")
_BAD_CODE = mark("code Harpège illisible : {code}")
_TOO_LITTLE = mark("sans code Harpège, il faut nom, prénom et date de naissance")
_UNKNOWN_CODE = mark("aucune personne de l’annuaire n’a le code Harpège {code}")
_SEVERAL = mark("plusieurs personnes ont ces nom, prénom et date de naissance : {logins}")
_NOBODY = mark("aucune personne de l’annuaire n’a ces nom, prénom et date de naissance")
_OTHER_NAME = mark("le code {code} est celui d’une autre personne : {file} ≠ {directory}")
_OTHER_BIRTH_DATE = mark("le code {code} est celui d’une personne née un autre jour")
_CLAIMED = mark("{addresses} : demandé par plusieurs lignes pour des personnes différentes")
_CLOSED = mark("le compte {login} est expiré")
_TAKEN = mark("{addresses} : appartient à {logins}")
_TAKEN_BY_SOMEBODY = mark("{addresses} : appartient à quelqu’un d’autre")
_MEANWHILE = mark("modifié entre-temps : relancer la commande")
_REFUSED = mark("refusé par l’annuaire : {answer}")
