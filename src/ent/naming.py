"""Logins and addresses made from names, and names reduced to what can be compared.

One place for the rules, so that the feed (login), activation (address) and the
search (fold) agree. `docs/feed-rules.md` states them for people.

    first_free(login_candidates("Amélie", "Lefèvre"), taken)   ->  "alefevre", "alefevre2" ...

Candidates are a function of the names alone. Whoever has a login or an address
keeps it: the first candidate that nobody has or had is chosen once, by the
writer, and the directory's unique overlay decides between two at the same moment.

A natural candidate consists of letters (and `-` and `.` in an address) only; a
numbered one always ends in a number from 2 on. So the numbered candidate of one
name is never the natural candidate of another, whatever the names.
"""

import itertools
import re
from collections.abc import Callable, Container, Iterator

from anyascii import anyascii

# slapd takes up to 32 characters; 20 is what people can still type, and Active Directory's limit.
LOGIN_LENGTH = 20
# RFC 5321, 4.5.3.1.1: octets of a local part.
LOCAL_PART_LENGTH = 64
# RFC 5321, 4.5.3.1.3: octets of a path, less its angle brackets.
_ADDRESS_LENGTH = 254
_GIVEN_NAME_LENGTH = 30

# What stands in for a name without a single letter, which no rule lets pass.
_NOBODY = "personne"

_SYSTEM_NAMES = """
    abuse admin administrateur administrator adm backup bin bind cyrus daemon dovecot dovenull
    ent ftp games gnats guest hostmaster imap info invite irc ldap lemonldap list listmaster
    listserv lp mail majordom mailer mailman man marketing messagebus mysql network news nginx
    nobody noc noreply openldap ops polkitd portal postfix postgres postmaster privacy proxy
    redis replication root sales security smmsp smtp sogo sshd support sympa sync sys syslog
    systemd test uucp usenet vmail webmail webmaster wims www
"""
# Accounts of Debian and of our services, and the mailboxes of RFC 2142: a person
# called R. Oot is root2.
RESERVED = frozenset(_SYSTEM_NAMES.split())

_DOMAIN = re.compile(
    r"(?=.{1,189}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"
)
_JOINING = re.compile(r"['`\"]+")
_OTHER = re.compile(r"[^a-z0-9]+")
_NO_LETTER = re.compile(r"[^a-z]+")


def fold(text: str) -> str:
    """Reduce `text` to lower-case ASCII words and single spaces, for comparing and searching.

    Accents go, ligatures become letters (œ → oe), other scripts are written in
    Latin letters (Ольга → olga), an apostrophe joins what it stands between
    (D’Alembert → dalembert), everything else separates (Jean-Pierre → jean
    pierre). The result may be empty.
    """
    return _OTHER.sub(" ", _JOINING.sub("", anyascii(text).lower())).strip()


def login_candidates(given_name: str, surname: str) -> Iterator[str]:
    """Yield logins for a person, the best first, without end.

    The first letter of the first given name, then the surname in one word
    (jdelafontaine), at most LOGIN_LENGTH characters; then the same with 2, 3 …
    Each fits slapd's constraint `^[a-z][a-z0-9._-]{1,31}$` and none is RESERVED.
    """
    given, family = _words(given_name), _words(surname)
    if given and family:
        stem = given[0][0] + "".join(family)
    else:
        stem = "".join(family or given) or _NOBODY
    return _numbered(lambda room: stem[:room], LOGIN_LENGTH, shortest=2)


def address_candidates(given_name: str, surname: str, domain: str) -> Iterator[str]:
    """Yield addresses prenom.nom@domain for a person, the best first, without end (guide, G7b).

    Words of a name are joined by hyphens (jean-pierre.de-la-fontaine), homonyms
    are prenom.nom2, prenom.nom3 … The local part is an ASCII dot-atom of at most
    64 octets (RFC 5321, 4.1.2 and 4.5.3.1.1).

    Raises ValueError when `domain` is not a lower-case ASCII domain name of at
    least two labels.
    """
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"not a mail domain: {domain!r}; expected something like univ-provence.fr")
    given, family = _words(given_name), _words(surname)

    def local(room: int) -> str:
        if not (given and family):
            return _cut(family or given or [_NOBODY], room)
        first, last = "-".join(given), "-".join(family)
        if len(first) + 1 + len(last) > room:
            # the surname tells people apart: the given name gives way first, to a point
            first = _cut(given, max(_GIVEN_NAME_LENGTH, room - 1 - len(last)))
        return f"{first}.{_cut(family, room - 1 - len(first))}"

    room = min(LOCAL_PART_LENGTH, _ADDRESS_LENGTH - 1 - len(domain))
    return (f"{one}@{domain}" for one in _numbered(local, room, shortest=1))


def first_free(candidates: Iterator[str], taken: Container[str]) -> str:
    """The first candidate that is not in `taken` (lower case; closed accounts count too)."""
    return next(one for one in candidates if one not in taken)


def _words(name: str) -> list[str]:
    """The words of a name, letters only: a digit must not look like a homonym's number."""
    return [letters for word in fold(name).split() if (letters := _NO_LETTER.sub("", word))]


def _cut(words: list[str], room: int) -> str:
    """As many words as fit in `room` characters, joined by hyphens; a first one too long is cut."""
    fitting = words[0][:room]
    for word in words[1:]:
        if len(fitting) + 1 + len(word) > room:
            break
        fitting += f"-{word}"
    return fitting


def _numbered(stem: Callable[[int], str], length: int, shortest: int) -> Iterator[str]:
    natural = stem(length)
    if len(natural) >= shortest and natural not in RESERVED:
        yield natural
    for number in itertools.count(2):
        yield f"{stem(length - len(str(number)))}{number}"
