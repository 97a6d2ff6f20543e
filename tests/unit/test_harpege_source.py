"""Harpège's rows as records: values, people put together, and the SQL of both databases.

Against the real PostgreSQL: tests/integration/test_feed_source.py.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import oracle, postgresql

from ent.harpege import source as module
from ent.harpege.records import Dossier, Individu, Personnel, Structure, Untyped
from ent.harpege.source import COLUMNS, Source, SourceRefused, SourceSettings, SourceUnavailable

Rows = Mapping[str, Sequence[Sequence[Any]]]
ZOE = (10001, "MME", "Essai", None, "Zoé", "1990-05-01", None)
MAX = (10002, "M.", "Essai", None, "Max", "1991-06-02", None)


def dossiers(rows: Rows, loose: list[Untyped] | None = None) -> list[Dossier]:
    """People from raw rows by table, as the database gives them."""

    def read(table: Any) -> Generator[Sequence[Any]]:
        yield from rows.get(table.name, ())

    people = module._Dossiers(read, loose if loose is not None else [], "Harpège")
    first = list(people)
    assert list(people) == first, "a second time must give the same"
    return first


def test_rows_of_one_person_come_together() -> None:
    found = dossiers(
        {
            "individu": [ZOE, MAX],
            "personnel": [(10001,), (10002,)],
            "affectation": [
                (1, 10002, 1, "DSI", "2020-01-01", None, 100, 100),
                (4, 10002, 2, "DRH", "2021-01-01", "2021-12-31", 50, 100),
            ],
            "occupation": [(10002, 1, 1, None, "2020-01-01", None)],
        }
    )
    assert [one.no_individu for one in found] == [10001, 10002]
    zoe, max_ = found
    assert zoe.individus == (Individu(10001, "MME", "Essai", None, "Zoé", date(1990, 5, 1), None),)
    assert zoe.personnels == (Personnel(10001),)
    assert zoe.affectations == ()
    assert [one.c_structure for one in max_.affectations] == ["DSI", "DRH"]
    assert max_.affectations[1].d_fin_affectation == date(2021, 12, 31)
    assert max_.occupations[0].no_seq_carriere == 1


def test_rows_of_somebody_unknown_and_a_number_twice() -> None:
    found = dossiers({"individu": [MAX, MAX], "personnel": [(10000,), (10002,), (10003,)]})
    assert [(one.no_individu, len(one.individus), len(one.personnels)) for one in found] == [
        (10000, 0, 1),
        (10002, 2, 1),
        (10003, 0, 1),
    ]


@pytest.mark.parametrize(
    ("raw", "text"), [("  Zoé ", "Zoé"), ("", None), ("   ", None), ("\tZ", "\tZ"), (None, None)]
)
def test_texts_lose_padding_only(raw: str | None, text: str | None) -> None:
    (one,) = dossiers({"individu": [(1, None, raw, None, None, None, None)]})
    assert one.individus[0].nom_usuel == text
    assert one.untyped == ()


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("1990-05-01", date(1990, 5, 1)),
        ("0202-05-05", date(202, 5, 5)),
        ("", None),  # PostgreSQL's infinity
        (None, None),
    ],
)
def test_dates(raw: str | None, day: date | None) -> None:
    (one,) = dossiers({"individu": [(1, None, "A", None, "B", raw, None)]})
    assert one.individus[0].d_naissance == day


@pytest.mark.parametrize("raw", ["12026-05-05", "2026-02-30", "naguère"])
def test_an_unreadable_date_is_told_and_concerns_one_person(raw: str) -> None:
    wrong, right = dossiers({"individu": [(1, "M.", "A", None, "B", raw, None), MAX]})
    assert wrong.individus[0].d_naissance is None
    assert wrong.individus[0].nom_usuel == "A"
    assert wrong.untyped == (Untyped("INDIVIDU", "NO_INDIVIDU=1", "D_NAISSANCE", raw, "date"),)
    assert right.untyped == ()


@pytest.mark.parametrize(("raw", "number"), [(50, 50), (Decimal(50), 50), ("50", 50), (50.0, 50)])
def test_numbers_however_the_driver_gives_them(raw: Any, number: int) -> None:
    (one,) = dossiers({"affectation": [(1, 7, 1, "DSI", None, None, raw, 100)]})
    assert one.affectations[0].num_quot_affectation == number
    assert type(one.affectations[0].num_quot_affectation) is int


@pytest.mark.parametrize("raw", [Decimal("33.3"), "x", 33.3])
def test_what_is_no_whole_number_is_told(raw: Any) -> None:
    (one,) = dossiers({"affectation": [(1, 7, 1, "DSI", None, None, raw, 100)]})
    assert one.affectations[0].num_quot_affectation is None
    assert one.untyped == (
        Untyped(
            "AFFECTATION",
            "NO_SEQ_AFFECTATION=1, NO_DOSSIER_PERS=7",
            "NUM_QUOT_AFFECTATION",
            str(raw),
            "number",
        ),
    )


def test_a_row_without_number_is_left_out_and_told_once() -> None:
    loose: list[Untyped] = []
    found = dossiers({"individu": [MAX], "occupation": [(None, 3, 1, None, None, None)]}, loose)
    assert [one.no_individu for one in found] == [10002]
    assert loose == [Untyped("OCCUPATION", "NO_OCCUPATION=3", "NO_DOSSIER_PERS", "", "key")]


def test_a_code_given_twice_is_told_and_always_the_same_row_counts() -> None:
    rows = [Structure("DSI", "A", "Un", "UP"), Structure("DSI", "B", "Deux", "UP")]
    for found in (rows, rows[::-1]):
        told: list[Untyped] = []
        kept = module._by_code(module._STRUCTURE, found, told)
        assert kept == {"DSI": rows[0]}
        assert told == [Untyped("STRUCTURE", "C_STRUCTURE=DSI", "C_STRUCTURE", "DSI", "once")]


def test_numbers_out_of_order_stop_the_run() -> None:
    """A key that is a text sorts 10 before 9: people would be put together wrongly."""
    with pytest.raises(SourceRefused, match=r"PERSONNEL .*9 after 10.*NUMBER"):
        dossiers({"personnel": [(10,), (9,)]})


def test_sql_for_oracle_uses_its_own_names() -> None:
    """Unquoted names are upper case in Oracle; the owner's name is as well."""
    text = str(module._ELEMENT.query("HARPEGE", 12).compile(dialect=oracle.dialect()))
    assert "element_carriere.no_dossier_pers" in text
    assert "to_char(" in text
    assert 'FROM "HARPEGE".element_carriere' in text
    assert '"element_carriere"' not in text
    assert text.split("ORDER BY")[1].replace('"HARPEGE".', "").split() == [
        "element_carriere.no_dossier_pers,",
        "element_carriere.no_seq_carriere,",
        "element_carriere.d_effet_element",
    ]


def test_sql_for_postgresql_reads_dates_as_text() -> None:
    text = str(module._INDIVIDU.query("harpege").compile(dialect=postgresql.dialect()))
    assert "to_char(harpege.individu.d_naissance, 'YYYY-MM-DD')" in text
    assert text.rstrip().endswith("ORDER BY harpege.individu.no_individu")


def test_what_a_reader_has_to_be_granted() -> None:
    assert set(COLUMNS) == {
        *("individu", "personnel", "affectation", "occupation", "carriere", "element_carriere"),
        *("contrat_travail", "structure", "corps", "type_population", "type_contrat_travail"),
    }
    assert COLUMNS["corps"] == ("c_corps", "lc_corps", "ll_corps")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///harpege",
        "postgresql+psycopg://db.example.org/harpege",
        "postgresql://feed@db.example.org/harpege",
        "harpege",
        "",
    ],
)
def test_settings_name_a_database_the_feed_can_read(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected postgresql\+psycopg://USER@HOST"):
        SourceSettings(url, "secret")


def test_a_password_has_no_place_in_the_url() -> None:
    with pytest.raises(ValueError, match="give it as `password`") as caught:
        SourceSettings("postgresql+psycopg://feed:Tr0p-secret@db/harpege", "secret")
    assert "Tr0p-secret" not in str(caught.value)


def test_an_unreachable_database_is_said_without_its_password() -> None:
    settings = SourceSettings(
        "postgresql+psycopg://feed@127.0.0.1:1/harpege", "Tr0p-secret", connect_timeout=2
    )
    with pytest.raises(SourceUnavailable) as caught, Source(settings).snapshot():
        pass
    said = str(caught.value)
    assert "postgresql+psycopg://feed@127.0.0.1:1/harpege" in said
    assert "cannot be reached" in said
    assert "Tr0p-secret" not in said + repr(settings) + repr(caught.value.__cause__)


def test_oracle_is_spoken_to_over_tls_and_by_name() -> None:
    settings = SourceSettings(
        "oracle+oracledb://feed@harpege.example.org:2484/?service_name=HARP", "secret"
    )
    arguments = module._oracle(settings, module.make_url(settings.url))
    assert arguments["dsn"].startswith("tcps://harpege.example.org:2484/HARP?")
    assert "ssl_server_dn_match=on" in arguments["dsn"]


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ('FATAL:  password authentication failed for user "x"', True),
        ("FATAL:  no pg_hba.conf entry for host", True),
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  le système de bases de données s’arrête", False),
        ("connection refused", False),
        ("ORA-01017: invalid username/password", True),
        ("ORA-12541: TNS:no listener", False),
    ],
)
def test_a_refusal_is_told_from_silence(message: str, refused: bool) -> None:
    assert module._refused(message) is refused


def test_the_page_lists_every_column_the_feed_reads() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/feed.md").read_text("utf-8")
    table = page.partition("<!-- columns: begin -->")[2].partition("<!-- columns: end -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    listed = {name.lower(): tuple(columns.lower().split(", ")) for name, columns in rows[1:]}
    assert listed == COLUMNS
