"""When a follower reads the directory from the beginning, and when it does not."""

import ldap
import pytest

from ent.directory.following import useless_cookie


@pytest.mark.parametrize(
    ("error", "useless"),
    [
        (ldap.LDAPError({"result": 4096, "desc": "Content Sync Refresh Required"}), True),
        (
            ldap.UNWILLING_TO_PERFORM(
                {"result": 53, "info": "consumer state is newer than provider!"}
            ),
            True,
        ),
        (ldap.UNWILLING_TO_PERFORM({"result": 53, "info": "something else"}), False),
        (ldap.SERVER_DOWN({"result": -1, "desc": "Can't contact LDAP server"}), False),
        (ldap.TIMEOUT(), False),
    ],
)
def test_cookie(error: ldap.LDAPError, useless: bool) -> None:
    assert useless_cookie(error) is useless
