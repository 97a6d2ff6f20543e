"""The directory as each of the annuaire's identities sees it."""

import functools
from typing import Literal

from django.conf import settings

from ent.directory import Directory
from ent.web.directory import directory_of

Identity = Literal["search", "activation", "account", "helpdesk"]


@functools.cache
def directory_as(identity: Identity) -> Directory:
    """The process's connections as cn=annuaire-IDENTITY.

    The public process has search, activation and account; the help desk has
    helpdesk. Asking for one that the process was not given is an AttributeError.
    """
    return directory_of(getattr(settings.ANNUAIRE.ldap, identity))
