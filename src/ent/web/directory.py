"""The directory, as a settings file says to reach it."""

from ent.directory import Directory, DirectorySettings
from ent.web.config import Ldap


def directory_of(ldap: Ldap) -> Directory:
    """Connections of a service identity; a process makes one of these for each and keeps it."""
    return Directory(
        DirectorySettings(
            uri=ldap.uri,
            suffix=ldap.suffix,
            bind_dn=ldap.bind_dn,
            password=ldap.password,
            ca_file=ldap.ca_file,
            connect_timeout=ldap.connect_timeout,
            timeout=ldap.timeout,
        )
    )
