"""When a follower reads the directory from the beginning, and when it does not."""

import ldap
import pytest

from ent.directory.following import _Connection, useless_cookie


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


def test_what_comes_is_handed_over_before_it_fills_the_memory() -> None:
    """Without a cookie, slapd tells of everybody, and gives a cookie only at the end."""
    told: list[tuple[int, str | None]] = []
    connection = _Connection.__new__(_Connection)
    connection.follow(None, lambda entries, cookie: told.append((len(entries), cookie)))
    for number in range(2500):
        connection.syncrepl_entry(f"uid=u{number},ou=people", {"uid": [b"u"]}, str(number))
    connection.syncrepl_set_cookie("rid=000,csn=1")
    assert told == [(1000, None), (1000, None), (500, "rid=000,csn=1")]
