"""What Sympa holds, read from its tables: subscribers, owners and editors, and exclusions.

An exclusion says that somebody does not want to be on a list that takes its members from a data
source; it has to follow as well, or they would be on it again under the new address.
"""

from collections.abc import Collection
from dataclasses import dataclass

from ent.listmove.addresses import Held, canonic
from ent.listmove.database import Connected, Connection
from ent.web.config import Database

# Sympa's words in admin_table; "subscriber" and "excluded" are ours.
SUBSCRIBER, EXCLUDED = "subscriber", "excluded"
_EVERY = (
    ("subscriber_table", "user_subscriber"),
    ("admin_table", "user_admin"),
    ("exclusion_table", "user_exclusion"),
)
# lower() is of the index that role `subscription_migration` adds; ent-… are role `sympa`'s sources
_OF = """
SELECT user_subscriber, list_subscriber || '@' || robot_subscriber, 'subscriber',
       inclusion_ext_subscriber IS NOT NULL
       AND coalesce(inclusion_label_subscriber, '') NOT LIKE 'ent-%%'
FROM subscriber_table WHERE lower(user_subscriber) = ANY (%(addresses)s)
UNION ALL
SELECT user_admin, list_admin || '@' || robot_admin, role_admin,
       inclusion_ext_admin IS NOT NULL AND coalesce(inclusion_label_admin, '') NOT LIKE 'ent-%%'
FROM admin_table WHERE lower(user_admin) = ANY (%(addresses)s)
UNION ALL
SELECT user_exclusion, list_exclusion || '@' || robot_exclusion, 'excluded', false
FROM exclusion_table WHERE lower(user_exclusion) = ANY (%(addresses)s)
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Something held: by which address, as it is written there, of which list, and what.

    list: NAME@DOMAIN. role: subscriber, owner, editor or excluded. included: whether a data
        source other than the directory has put it there; then it is the source's to change.
    """

    address: str
    list: str
    role: str
    included: bool = False


class Tables(Connected):
    """Sympa's database, as a role that may read a few columns."""

    def __init__(self, settings: Database) -> None:
        super().__init__(settings, "ent-listmove (tables)")

    def held(self) -> Held:
        """Every address under which anything is held: one query each table."""

        def read(connection: Connection) -> Held:
            held = Held()
            for table, column in _EVERY:
                with connection.cursor(name="held") as cursor:
                    cursor.itersize = 10_000
                    cursor.execute(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608
                    for (address,) in cursor:
                        held.add(address)
            return held

        return self.transaction(read)

    def rows(self, addresses: Collection[str]) -> list[Row]:
        """What is held under canonic addresses, in whatever case they are written there."""
        if not addresses:
            return []
        found = (Row(*one) for one in self.ask(_OF, {"addresses": list(addresses)}))
        return [row for row in found if canonic(row.address) in addresses]
