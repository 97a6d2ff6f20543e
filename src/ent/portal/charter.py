"""Whether somebody is to be asked to accept the charter of use of the IT resources.

The text is the annuaire's, and so is the page where it is accepted; the portal
knows the version in force and says so to whom it concerns.
"""

import logging

from ent.directory import Directory, DirectoryUnavailable, Scope, equals

log = logging.getLogger(__name__)

_CONSENT = "supannConsentement"


def is_due(source: Directory, uid: str, version: str) -> bool | None:
    """Whether the person has not accepted this version; None while the directory does not tell.

    An acceptance is a value `{CHARTE}<version>:<time>`.
    """
    try:
        entry = source.one(
            f"ou=people,{source.settings.suffix}", equals("uid", uid), [_CONSENT], Scope.CHILDREN
        )
    except DirectoryUnavailable as error:
        log.warning("directory: %s", error)
        return None
    if entry is None:
        return None
    accepted = f"{{CHARTE}}{version}:"
    return not any(one.startswith(accepted) for one in entry.texts(_CONSENT))
