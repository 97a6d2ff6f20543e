"""The ACL table: its form, its rendering, and that the docs show it."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from module_utils import openldap_acl as acl

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "roles" / "openldap" / "files" / "acl.yml"
DOCS = REPOSITORY / "docs" / "directory.md"
BEGIN, END = "<!-- ACL table: begin -->", "<!-- ACL table: end -->"


@pytest.fixture
def table() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TABLE.read_text())
    return loaded


SMALL: dict[str, Any] = {
    "sets": {"state": ["supannRessourceEtat"], "any": ["*"]},
    "conditions": {"new": {"text": "new", "filter": "(x=1)"}},
    "regions": {"people": {"dn": "ou=people", "scope": "onelevel"}},
    "rows": [
        {
            "region": "people",
            "set": "state",
            "when": "new",
            "values": "^A$",
            "example": "A",
            "rights": {"web": "write"},
        },
        {
            "region": "people",
            "set": "state",
            "rights": {"authenticated": "read", "web": "read", "self": "none"},
        },
        {"region": "people", "set": "any", "rights": {}},
    ],
}


def test_rendering() -> None:
    web = 'by dn.exact="cn=web,ou=system,dc=x"'
    assert acl.render(SMALL, "dc=x") == [
        f'to dn.onelevel="ou=people,dc=x" filter="(x=1)" attrs=supannRessourceEtat '
        f'val.regex="^A$" {web} =rscdw '
        "by self none by users =rscd by * none",
        f'to dn.onelevel="ou=people,dc=x" attrs=supannRessourceEtat {web} =rscd by self none by '
        "users =rscd by * none",
        'to dn.onelevel="ou=people,dc=x" by * none',
        "to * by * none",
    ]


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (0, {"region": "pepole"}, "pepole is not among regions"),
        (2, {"set": "stat"}, "stat is not among sets"),
        (0, {"when": "old"}, "old is not among conditions"),
        (0, {"rights": {"web": "wirte"}}, "right wirte of web"),
        (0, {"when": None, "values": None}, "never reach"),
        (0, {"example": "B"}, "an example"),
        (1, {"when": "new"}, "no plain row"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    row: int, change: dict[str, Any], message: str
) -> None:
    table = copy.deepcopy(SMALL)
    table["rows"][row].update(change)
    with pytest.raises(acl.TableError, match=message):
        acl.parse(table)


def test_nobody_reads_a_password(table: dict[str, Any]) -> None:
    for row in acl.parse(table):
        if "userPassword" in table["sets"][row.set]:
            for who, right in row.rights.items():
                assert right in ("none", "auth", "set"), f"{who} has {right} on {row.label}"


def test_identities_of_the_table_are_those_of_the_inventory(table: dict[str, Any]) -> None:
    wiring = yaml.safe_load((REPOSITORY / "inventories/stack/group_vars/directory.yml").read_text())
    names = {item["name"] for item in wiring["openldap_identities"]}
    assert set(acl.identities(table)) - set(acl.SPECIAL) == names


def test_the_docs_show_the_table(table: dict[str, Any]) -> None:
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    wanted = f"\n\n{acl.markdown(table)}\n"
    if os.environ.get("WRITE_DOCS"):
        DOCS.write_text(before + BEGIN + wanted + END + after)
        return
    assert shown == wanted, (
        "docs/directory.md does not show roles/openldap/files/acl.yml. Write it anew: "
        "WRITE_DOCS=1 pytest tests/unit/test_openldap_acl.py"
    )
