"""The directory as tests see it: as some identity over TLS, and as root on its host."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ldap
import ldap.ldapobject

from lab import LabUnderTest

Connection = ldap.ldapobject.SimpleLDAPObject
HOST = "ldap1"


@dataclass(frozen=True)
class Directory:
    """The directory of the lab under test."""

    lab: LabUnderTest

    @property
    def suffix(self) -> str:
        return self.lab.suffix

    def dn(self, uid: str) -> str:
        """DN of a person."""
        return f"uid={uid},ou=people,{self.suffix}"

    def service(self, name: str) -> str:
        """DN of a service identity."""
        return f"cn={name},ou=system,{self.suffix}"

    def connect(self, scheme: str = "ldaps") -> Connection:
        """A connection on which nobody has signed in; certificates are verified."""
        connection = ldap.initialize(f"{scheme}://ldap.{self.lab.domain}")
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, self.lab.ca_file)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 10)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        return connection

    def bind(self, dn: str, password: str, **options: Any) -> Connection:
        """Sign in."""
        connection = self.connect()
        connection.simple_bind_s(dn, password, **options)
        return connection

    def as_service(self, name: str) -> Connection:
        """Sign in as a service identity, with its generated password."""
        return self.bind(self.service(name), self.lab.secret(f"ldap-{name}"))

    def as_root(self, ldif: str) -> None:
        """Apply LDIF (ldapmodify) as root of the host.

        Raises:
            AssertionError: slapd refused; the text is its message.
        """
        result = self.lab.run(
            HOST, "printf '%%s' %s | ldapmodify -Q -Y EXTERNAL -H ldapi:///", ldif
        )
        assert result.rc == 0, result.stderr

    def root_search(
        self, base: str, what: str = "(objectClass=*)", *attributes: str, scope: str = "sub"
    ) -> str:
        """LDIF of a search as root of the host, unfolded, without comments."""
        wanted = " ".join(f"'{a}'" for a in attributes)
        result = self.lab.run(
            HOST,
            "ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -o ldif-wrap=no "
            f"-s {scope} -b %s %s {wanted}",
            base,
            what,
        )
        assert result.rc in (0, 32), result.stderr
        return str(result.stdout)

    def add(self, dn: str, attributes: Mapping[str, str | Iterable[str]]) -> None:
        """Add an entry as root."""
        self.as_root(ldif_add(dn, attributes))

    def delete(self, *dns: str) -> None:
        """Delete entries as root; those which are not there do not matter."""
        for dn in dns:
            self.lab.run(HOST, "ldapdelete -Q -Y EXTERNAL -H ldapi:/// %s", dn)


def ldif_line(name: str, value: str) -> str:
    """One value in LDIF, encoded."""
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def ldif_add(dn: str, attributes: Mapping[str, str | Iterable[str]]) -> str:
    """An entry as LDIF."""
    lines = [ldif_line("dn", dn), "changetype: add"]
    for name, values in attributes.items():
        for value in [values] if isinstance(values, str) else values:
            lines.append(ldif_line(name, value))
    return "\n".join(lines) + "\n\n"


def person(uid: str, state: str = "A:SupannActif", **attributes: Any) -> dict[str, Any]:
    """Attributes of an invented person."""
    return {
        "objectClass": ["inetOrgPerson", "eduPerson", "supannPerson", "entPerson"],
        "uid": uid,
        "cn": f"Essai {uid}",
        "sn": "Essai",
        "givenName": uid,
        "supannRessourceEtat": "{COMPTE}" + state,
        **attributes,
    }
