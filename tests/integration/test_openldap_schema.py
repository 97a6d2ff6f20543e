"""Each attribute and class of the tables is published as the tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ldap
import ldap.schema
import pytest

from lab import LabUnderTest
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("ldap1"),
    pytest.mark.service("ldap1", "slapd"),
]

ROWS = [
    line.rstrip("\n").split("\t")
    for line in (Path(__file__).parent / "data" / "schema.tsv").read_text().splitlines()
    if not line.startswith("#")
]
ATTRIBUTES = [row for row in ROWS if row[0] == "attribute"]
CLASSES = [row for row in ROWS if row[0] == "objectclass"]


@pytest.fixture(scope="module")
def subschema(lab: LabUnderTest) -> Any:
    connection = Directory(lab).as_service("portal")
    ((_, entry),) = connection.search_s(
        "cn=Subschema", ldap.SCOPE_BASE, "(objectClass=*)", ["+", "*"]
    )
    return ldap.schema.SubSchema(entry)


def test_the_tables_are_whole() -> None:
    assert (len(ATTRIBUTES), len(CLASSES)) == (87, 8)


@pytest.mark.parametrize("row", ATTRIBUTES, ids=lambda row: row[2])
def test_attribute(subschema: Any, row: list[str]) -> None:
    _, _, name, oid, syntax, length, superior, equality, ordering, substrings, valued = row
    found = subschema.get_obj(ldap.schema.AttributeType, name)
    assert found is not None, f"{name} is not in the schema"
    assert found.oid == oid
    assert list(found.sup) == ([superior] if superior else [])
    assert found.single_value == (valued == "single")
    # What a superior gives does not appear in the definition; it takes effect all the same.
    source = subschema.get_obj(ldap.schema.AttributeType, superior) if superior else found
    assert source.syntax == syntax
    assert (source.equality or "") == equality
    assert (source.ordering or "") == ordering
    assert (source.substr or "") == substrings
    if not superior or source.syntax_len:
        assert str(source.syntax_len or "") == length


@pytest.mark.parametrize("row", CLASSES, ids=lambda row: row[2])
def test_class(subschema: Any, row: list[str]) -> None:
    _, _, name, oid, superior, kind, must, may = (row + [""] * 8)[:8]
    found = subschema.get_obj(ldap.schema.ObjectClass, name)
    assert found is not None, f"{name} is not in the schema"
    assert found.oid == oid
    assert list(found.sup) in ([superior], [])
    assert {"ABSTRACT": 1, "STRUCTURAL": 0, "AUXILIARY": 2}[kind] == found.kind
    assert set(found.must) == set(filter(None, must.split(",")))
    assert set(found.may) == set(filter(None, may.split(",")))
