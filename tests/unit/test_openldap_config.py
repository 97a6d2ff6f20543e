"""The difference between wanted and live cn=config, without a server."""

from __future__ import annotations

import pytest

from module_utils import openldap_config as oc

SN = "( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256: last names' SUP name )"


def tree(**entries: oc.Attributes) -> oc.Tree:
    return {dn.replace("__", ","): entry for dn, entry in entries.items()}


@pytest.mark.parametrize(
    ("attribute", "live", "wanted"),
    [
        (
            "olcAccess",
            ["{1}to * by * none", '{0}to   dn.base=""\n by * read'],
            ['to dn.base="" by * read', "to * by * none"],
        ),
        ("olcDbIndex", ["CN,sn  sub,eq", "objectClass eq"], ["objectClass eq", "cn,sn eq,sub"]),
        ("olcRootDN", ["cn=Admin, dc=Example,dc=org"], ["cn=admin,dc=example,dc=org"]),
        ("olcLastMod", ["TRUE"], ["true"]),
        (
            "olcAttributeTypes",
            ["{0}( 1.2 NAME 'x' SYNTAX '1.3.6' )"],
            ["(1.2 NAME ('x')  SYNTAX 1.3.6)"],
        ),
        (
            "olcObjectClasses",
            ["{0}( 1.2 NAME 'c' MAY ( a$b ) )"],
            ["( 1.2 NAME 'c' MAY ( a $ b ) )"],
        ),
    ],
)
def test_spelling_is_no_difference(attribute: str, live: list[str], wanted: list[str]) -> None:
    assert oc.diff_attribute(attribute, live, wanted) == []


@pytest.mark.parametrize(
    ("attribute", "live", "wanted", "mods"),
    [
        ("olcAccess", ["{0}a", "{1}b"], ["b", "a"], [oc.Mod("replace", "olcAccess", ("b", "a"))]),
        ("olcAccess", ["{0}a"], ["a", "b"], [oc.Mod("add", "olcAccess", ("b",))]),
        (
            "olcDbIndex",
            ["cn eq", "sn eq"],
            ["cn eq", "mail eq"],
            [oc.Mod("delete", "olcDbIndex", ("sn eq",)), oc.Mod("add", "olcDbIndex", ("mail eq",))],
        ),
        ("olcDbIndex", ["cn eq"], [], [oc.Mod("delete", "olcDbIndex")]),
        ("olcSizeLimit", ["500"], ["50"], [oc.Mod("replace", "olcSizeLimit", ("50",))]),
        ("olcSizeLimit", [], ["50"], [oc.Mod("add", "olcSizeLimit", ("50",))]),
        # The server would call the added value a duplicate of the removed one.
        (
            "olcUniqueURI",
            ["x?cn", "b"],
            ["X?cn", "b"],
            [oc.Mod("replace", "olcUniqueURI", ("X?cn", "b"))],
        ),
    ],
)
def test_smallest_change(
    attribute: str, live: list[str], wanted: list[str], mods: list[oc.Mod]
) -> None:
    assert oc.diff_attribute(attribute, live, wanted) == mods


def test_ten_ordered_values_are_in_numeric_order() -> None:
    values = [f"{{{n}}}v{n}" for n in range(12)]
    assert oc.diff_attribute("olcAccess", sorted(values), [f"v{n}" for n in range(12)]) == []


def test_what_is_not_wanted_leaves_the_entry() -> None:
    live = {
        "objectClass": ["olcMdbConfig"],
        "olcDatabase": ["{1}mdb"],
        "olcLimits": ["{0}x"],
        "olcReadOnly": ["TRUE"],
    }
    (op,) = oc.diff_entry("olcDatabase={1}mdb,cn=config", live, {"olclimits": ["x"]})
    assert op.mods == (oc.Mod("delete", "olcReadOnly"),)


def test_definition_parts() -> None:
    assert oc.definition_oid(SN) == "2.5.4.4"
    assert oc.definition_names(SN) == ("sn", "surname")
    assert oc.definition_oid("{0}DebianRoot 1.3.6.1.4.1.9586") == "DebianRoot"


def test_a_parenthesis_in_a_description_is_text() -> None:
    one = "( 1.2 NAME 'x' DESC 'a (b) c' SUP name )"
    assert oc.normal("olcAttributeTypes", one) != oc.normal(
        "olcAttributeTypes", one.replace("(b)", "b")
    )


def schema_tree() -> oc.Tree:
    return {
        "cn=schema,cn=config": {"cn": ["schema"]},
        "cn={10}late,cn=schema,cn=config": {"cn": ["{10}late"]},
        "cn={2}own,cn=schema,cn=config": {
            "cn": ["{2}own"],
            "olcAttributeTypes": ["{0}( 1.1 NAME 'a' SYNTAX 1 )", "{1}( 1.2 NAME 'b' SYNTAX 1 )"],
            "olcObjectClasses": ["{0}( 1.9 NAME 'c' AUXILIARY MAY ( a $ b ) )"],
        },
    }


def own(*attributes: str, may: str) -> list[oc.Schema]:
    return [
        oc.Schema(
            "own",
            {
                "olcAttributeTypes": list(attributes),
                "olcObjectClasses": [f"( 1.9 NAME 'c' AUXILIARY MAY ( {may} ) )"],
            },
        ),
        oc.Schema("late", {}),
    ]


def test_an_attribute_is_added_before_its_class_changes() -> None:
    wanted = own(
        "( 1.1 NAME 'a' SYNTAX 1 )",
        "( 1.2 NAME 'b' SYNTAX 1 )",
        "( 1.3 NAME 'd' SYNTAX 1 )",
        may="a $ b $ d",
    )
    (op,) = oc.plan_schemas(schema_tree(), wanted)
    assert op.dn == "cn={2}own,cn=schema,cn=config"
    assert [(mod.kind, mod.attribute) for mod in op.mods] == [
        ("add", "olcAttributeTypes"),
        ("delete", "olcObjectClasses"),
        ("add", "olcObjectClasses"),
    ]
    assert op.mods[1].values == ("{0}",)
    assert op.mods[2].values[0].startswith("{0}(")
    assert oc.plan_schema_removals(schema_tree(), wanted) == []


def test_a_definition_which_leaves_must_be_unused() -> None:
    wanted = own("( 1.1 NAME 'a' SYNTAX 1 )", may="a")
    (op,) = oc.plan_schema_removals(schema_tree(), wanted)
    assert op.mods == (oc.Mod("delete", "olcAttributeTypes", ("{1}",)),)
    assert op.unused == ("b",)


def test_a_name_defined_twice_is_refused() -> None:
    with pytest.raises(oc.DesiredError, match="already defined in schema one"):
        oc.check_schemas(
            [
                oc.Schema("one", {"olcAttributeTypes": [SN]}),
                oc.Schema("two", {"olcAttributeTypes": ["( 9.9 NAME 'SURNAME' )"]}),
            ]
        )


def test_modules() -> None:
    live = tree(
        **{
            "cn=module{0}__cn=config": {
                "objectClass": ["olcModuleList"],
                "cn": ["module{0}"],
                "olcModuleLoad": ["{0}back_mdb.so", "{1}argon2 m=1", "{2}unique"],
            }
        }
    )
    (op,) = oc.plan_modules(live, ["back_mdb", "argon2 m=1", "refint"])
    assert op.mods == (oc.Mod("add", "olcModuleLoad", ("refint",)),)
    assert oc.offline_modules(live, ["back_mdb.so", "argon2 m=2", "unique"]) == ["argon2 m=1"]
    assert oc.offline_modules(live, ["back_mdb.so", "argon2 m=1"]) == ["unique"]


def database_tree(*overlays: str) -> oc.Tree:
    live: oc.Tree = {
        "olcDatabase={2}mdb,cn=config": {
            "objectClass": ["olcMdbConfig"],
            "olcDatabase": ["{2}mdb"],
            "olcSuffix": ["dc=Example,dc=org"],
            "olcDbDirectory": ["/var/lib/ldap/x"],
        }
    }
    for n, name in enumerate(overlays):
        live[f"olcOverlay={{{n}}}{name},olcDatabase={{2}}mdb,cn=config"] = {
            "objectClass": ["olcOverlayConfig"],
            "olcOverlay": [f"{{{n}}}{name}"],
        }
    return live


def database(*overlays: str, **attributes: list[str]) -> oc.Database:
    return oc.Database(
        "mdb",
        {"olcDbDirectory": ["/var/lib/ldap/x"], **attributes},
        "dc=example,dc=org",
        [(name, {}) for name in overlays],
    )


@pytest.mark.parametrize(
    ("live", "wanted", "steps"),
    [
        (["unique", "ppolicy"], ["unique", "ppolicy"], []),
        (["unique"], ["unique", "ppolicy"], ["add ppolicy"]),
        (["unique", "ppolicy"], ["ppolicy"], ["delete {0}unique"]),
        # refint has to come first: what follows is taken off and put back.
        (
            ["unique", "ppolicy"],
            ["refint", "unique", "ppolicy"],
            ["delete {1}ppolicy", "delete {0}unique", "add refint", "add unique", "add ppolicy"],
        ),
    ],
)
def test_overlays(live: list[str], wanted: list[str], steps: list[str]) -> None:
    ops = oc.plan_overlays(database_tree(*live), [database(*wanted)])
    assert [f"{op.kind} {op.dn.split(',')[0].split('=')[1]}" for op in ops] == steps


def test_an_overlay_is_changed_under_its_number_after_a_removal() -> None:
    wanted = database("ppolicy")
    wanted.overlays = [("ppolicy", {"olcPPolicyUseLockout": ["TRUE"]})]
    ops = oc.plan_overlays(database_tree("unique", "ppolicy"), [wanted])
    assert [op.dn.split(",")[0] for op in ops] == ["olcOverlay={0}unique", "olcOverlay={0}ppolicy"]


def test_a_database_is_found_by_its_suffix_and_never_moved() -> None:
    assert oc.plan_databases(database_tree(), [database()]) == []
    moved = database()
    moved.attributes["olcDbDirectory"] = ["/srv/ldap"]
    with pytest.raises(oc.DesiredError, match="cannot move a database"):
        oc.plan_databases(database_tree(), [moved])


def test_a_database_which_is_not_wanted_leaves_with_its_overlays() -> None:
    ops = oc.plan_database_removals(database_tree("unique", "ppolicy"), [])
    assert [op.dn.split(",")[0] for op in ops] == [
        "olcOverlay={1}ppolicy",
        "olcOverlay={0}unique",
        "olcDatabase={2}mdb",
    ]


def test_security_is_changed_last_and_alone() -> None:
    ops = oc.plan_entries(
        {"cn=config": {"cn": ["config"]}},
        {"olcSecurity": ["ssf=128"], "olcLocalSSF": ["256"]},
        {},
        {},
    )
    assert [[mod.attribute for mod in op.mods] for op in ops] == [["olcLocalSSF"], ["olcSecurity"]]


def test_rewriting_offline_closes_the_numbers() -> None:
    records: list[tuple[str, oc.Attributes]] = [
        ("cn=config", {"objectClass": ["olcGlobal"]}),
        (
            "cn=module{0},cn=config",
            {"objectClass": ["olcModuleList"], "olcModuleLoad": ["{0}a", "{1}b"]},
        ),
        ("cn=schema,cn=config", {"objectClass": ["olcSchemaConfig"], "cn": ["schema"]}),
        ("cn={0}core,cn=schema,cn=config", {"objectClass": ["olcSchemaConfig"], "cn": ["{0}core"]}),
        ("cn={1}old,cn=schema,cn=config", {"objectClass": ["olcSchemaConfig"], "cn": ["{1}old"]}),
        ("cn={2}own,cn=schema,cn=config", {"objectClass": ["olcSchemaConfig"], "cn": ["{2}own"]}),
    ]
    out = dict(oc.rewrite_offline(records, ["b", "a x=1"], ["core", "own"]))
    assert out["cn=module{0},cn=config"]["olcModuleLoad"] == ["{0}b", "{1}a x=1"]
    assert [dn for dn in out if dn.endswith("cn=schema,cn=config")] == [
        "cn=schema,cn=config",
        "cn={0}core,cn=schema,cn=config",
        "cn={1}own,cn=schema,cn=config",
    ]
    assert out["cn={1}own,cn=schema,cn=config"]["cn"] == ["{1}own"]
