"""The command: what it prints, its exit statuses, the lock, records, mail."""

from __future__ import annotations

import csv
import json
import logging
import os
import signal
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ent.directory import AccountState, DirectoryUnavailable
from ent.harpege import cli, report, status
from ent.harpege.config import FeedConfig, Report
from ent.harpege.records import Dossier, Snapshot, Structure
from ent.harpege.runs import DONE, FAILED, REFUSED, RUNNING, Locked, Run, Runs
from ent.harpege.source import SourceUnavailable
from ent.web.config import ConfigError
from harpege_store import SUFFIX, Store, career, config, days, snapshot


class Feed:
    """The command with a Harpège and a directory in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store()
        self.source: Snapshot | Exception = snapshot(career())
        self.config = config(state_directory=str(folder / "state"))
        self.mails: list[EmailMessage] = []
        monkeypatch.setattr(cli, "Source", lambda settings: self)
        monkeypatch.setattr(cli, "Directory", lambda settings: self.store)
        monkeypatch.setattr(cli, "feed_config", lambda path: self.config)
        monkeypatch.setattr(report, "send", lambda message, settings: self.mails.append(message))
        monkeypatch.setattr(cli, "say", cli.Speaker("fr"))

    @contextmanager
    def snapshot(self, only: int | None = None) -> Iterator[Snapshot]:
        if isinstance(self.source, Exception):
            raise self.source
        yield (
            self.source
            if only is None
            else self.source._replace(
                dossiers=[one for one in self.source.dossiers if one.no_individu == only]
            )
        )

    def people(self, *dossiers: Dossier) -> None:
        self.source = snapshot(*dossiers)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(_command, arguments, catch_exceptions=False)
        return result.exit_code, result.stdout

    @property
    def runs(self) -> Runs:
        return Runs(self.config.state_directory)


class _Command(cli.click.Command):
    """`main`, as a command that click's runner can call."""

    def main(self, args: Any = None, **extra: Any) -> None:
        raise SystemExit(cli.main(list(args)))


_command = _Command("ent-harpege")


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    return Feed(tmp_path, monkeypatch)


# plan


def test_plan_writes_nothing_and_says_what_would_change(feed: Feed) -> None:
    code, said = feed("plan")
    assert code == 0
    assert "+ 10001 jmartin (Jeanne Martin)" in said
    assert feed.store.entries == {}
    assert feed.runs.last(5) == []


def test_plan_as_json(feed: Feed) -> None:
    feed("apply")
    feed.people(career(nom_usuel="Durand"), career(10002), career(10003, d_naissance=None))
    code, said = feed("plan", "--json", "--on", "2026-11-24")
    assert code == 1
    made = json.loads(said)
    assert made["on"] == "2026-11-24"
    assert made["refused"] is None
    assert (made["counts"]["changed"], made["counts"]["created"]) == (1, 1)
    assert made["departures"] == {"unannounced": 0, "allowed": 5}
    by_code = {one["code"]: one for one in made["actions"]}
    assert by_code["10001"]["changes"][0] == {
        "operation": "delete",
        "attribute": "cn",
        "values": ["Martin Jeanne"],
    }
    assert by_code["10001"]["reasons"][0] == "nom : Jeanne Martin → Jeanne Durand"
    assert by_code["10002"]["attributes"]["uid"] == ["jmartin2"]
    assert by_code["10002"]["attributes"]["supannRessourceEtatDate"] == [
        "{COMPTE}I:SupannPrecree:20261124:"
    ]
    assert [(one["column"], one["reason"]) for one in made["rejects"]] == [
        ("D_NAISSANCE", "date de naissance absente")
    ]


def test_plan_as_json_with_nothing_to_do(feed: Feed) -> None:
    feed("apply")
    assert json.loads(feed("plan", "--json")[1])["actions"] == []


def test_plan_shows_a_refusal(feed: Feed) -> None:
    feed.source = snapshot(career(), AFFECTATION=0)
    code, said = feed("plan")
    assert code == 3
    assert "AFFECTATION" in said
    assert json.loads(feed("plan", "--json")[1])["refused"].startswith("Harpège est vide")


def test_plan_summary_leaves_the_people_out(feed: Feed) -> None:
    code, said = feed("plan", "--summary")
    assert code == 0
    assert "jmartin" not in said
    assert "arrivées : 1" in said


# apply


def test_apply_writes_and_keeps_a_record(feed: Feed) -> None:
    code, said = feed("apply")
    assert code == 0
    assert "arrivées : 1" in said
    assert f"uid=jmartin,ou=people,{SUFFIX}" in feed.store.entries
    [run] = feed.runs.last(5)
    assert (run.outcome, run.written, run.counts["created"]) == (DONE, 7, 1)
    assert feed.mails == [], "nobody is to be told"
    assert feed("apply")[0] == 0
    assert [one.written for one in feed.runs.last(5)] == [0, 7]


def test_apply_on_another_day(feed: Feed) -> None:
    feed.people(career(start=days(100)))
    feed("apply")
    assert f"uid=jmartin,ou=people,{SUFFIX}" not in feed.store.entries
    feed("apply", "--on", days(90).isoformat())
    assert feed.store.person("jmartin")["supannressourceetatdate"] == [
        f"{{COMPTE}}I:SupannPrecree:{days(90):%Y%m%d}:"
    ]


def test_apply_with_rejects_asks_for_attention(feed: Feed) -> None:
    feed.people(career(), career(10002, d_naissance=None))
    code, said = feed("apply")
    assert code == 1
    assert "INDIVIDU NO_INDIVIDU=10002, D_NAISSANCE « NULL » : date de naissance absente" in said
    assert "uid=jmartin,ou=people," in " ".join(feed.store.entries)


def test_apply_refuses_and_accepts_knowingly(feed: Feed) -> None:
    feed.people(*(career(10000 + one) for one in range(20)))
    feed("apply")
    feed.people(*(career(10000 + one) for one in range(10)))
    feed.store.taken_writes()
    code, said = feed("apply")
    assert code == 3
    assert "10 départs" in said
    assert feed.store.taken_writes() == []
    assert feed.runs.last(1)[0].outcome == REFUSED
    assert feed("apply", "--accept-departures", "9")[0] == 3
    assert feed("apply", "--accept-departures", "10")[0] == 0
    assert len(feed.store.taken_writes()) == 10


def test_a_source_that_is_not_there(feed: Feed) -> None:
    feed.source = SourceUnavailable("Harpège (url) cannot be reached: no route")
    code, said = feed("apply")
    assert code == 4
    assert "no route" in said
    [run] = feed.runs.last(1)
    assert (run.outcome, run.error) == (FAILED, "Harpège (url) cannot be reached: no route")


def test_a_directory_that_goes_away(feed: Feed) -> None:
    def fail(kind: str, dn: str) -> None:
        if len(feed.store.writes) == 6:
            raise DirectoryUnavailable("Can't contact LDAP server")

    feed.store.before = fail
    code, said = feed("apply")
    assert code == 5
    assert "Can't contact LDAP server" in said
    [run] = feed.runs.last(1)
    assert (run.outcome, run.written) == (FAILED, 6)
    feed.store.before = lambda kind, dn: None
    assert feed("apply")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(feed: Feed, number: signal.Signals) -> None:
    def interrupt(kind: str, dn: str) -> None:
        if len(feed.store.writes) == 3:
            os.kill(os.getpid(), number)

    feed.store.before = interrupt
    assert feed("apply")[0] == 8
    assert feed.runs.last(1)[0].outcome == "stopped"
    feed.store.before = lambda kind, dn: None
    assert feed("apply")[0] == 0


def test_the_second_of_two_runs_says_who_is_first(
    feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    with feed.runs.alone("apply"):
        assert cli.main(["apply"]) == 6
        told = capsys.readouterr().err
        assert str(os.getpid()) in told
        assert feed.store.entries == {}
        holder = feed.runs.holder()
        assert holder is not None
        assert holder["command"] == "apply"
        with pytest.raises(Locked), feed.runs.alone("mailup"):
            pass
    assert feed.runs.holder() is None
    assert feed("apply")[0] == 0


def test_unusable_settings(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> FeedConfig:
        raise ConfigError(f"{path}: domain is missing")

    monkeypatch.setattr(cli, "feed_config", fail)
    assert feed("plan")[0] == 7


def test_a_fault_is_no_success_with_rejects(
    feed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(kind: str, dn: str) -> None:
        raise ZeroDivisionError

    feed.store.before = fail
    assert feed("apply")[0] == 9
    assert feed.runs.last(1)[0].outcome == FAILED
    (tmp_path / "file").write_text("")
    feed.config = config(state_directory=str(tmp_path / "file" / "state"))
    assert cli.main(["apply"]) == 9
    assert "file" in capsys.readouterr().err


def test_a_service_logs_and_says_nothing_else(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    assert cli.main(["apply"]) == 0
    assert capsys.readouterr().out == ""


def test_wrong_use(feed: Feed) -> None:
    assert feed("plan", "--on", "yesterday")[0] == 2
    assert feed("person", "jmartin")[0] == 2
    assert feed("nonsense")[0] == 2


# Log and mail


def test_the_log_is_json_without_names_or_birth_dates(
    feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["apply", "--log-json"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [json.loads(line) for line in shown.err.splitlines()]
    assert [one["event"] for one in lines][-2:] == ["created", "run ended"]
    assert {"code": "10001", "login": "jmartin"}.items() <= lines[-2].items()
    assert "1975-03-14" not in shown.err
    assert "Jeanne" not in shown.err


def test_the_report_is_sent_when_there_is_something_to_say(feed: Feed) -> None:
    feed.config = config(
        state_directory=feed.config.state_directory,
        report=Report(to=("drh@univ-provence.fr",), sender="ent@univ-provence.fr"),
    )
    feed("apply")
    [first] = feed.mails
    assert first["To"] == "drh@univ-provence.fr"
    assert first["Auto-Submitted"] == "auto-generated"
    assert "7 écritures" in first["Subject"]
    feed("apply")
    assert len(feed.mails) == 1, "nothing happened"
    feed.people(career(), career(10002, nom_usuel="Ta\tb"))
    feed("apply", "--no-mail")
    assert len(feed.mails) == 1
    feed("apply")
    assert "NOM_USUEL « Ta\\x09b »" in feed.mails[1].get_content()
    feed.source = SourceUnavailable("no route")
    feed("apply")
    assert "no route" in feed.mails[2].get_content()


def test_a_mail_that_cannot_be_sent_does_not_undo_the_run(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: EmailMessage, settings: Report) -> None:
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr(report, "send", fail)
    feed.config = config(
        state_directory=feed.config.state_directory, report=Report(to=("a@univ-provence.fr",))
    )
    assert feed("apply")[0] == 0


def test_a_long_list_is_cut_in_the_mail() -> None:
    reject = {
        "code": "1",
        "table": "T",
        "key": "K",
        "column": "C",
        "value": "",
        "reason": {"sentence": "date absente", "values": {}},
    }
    run = Run("x", "apply", "2026-11-23T03:00:00+00:00", "2026-11-23", rejects=[reject] * 250)
    text = report.body(run, cli.Speaker("fr"))
    assert text.count("date absente") == report.MOST
    assert "50 autres" in text


# status


def record(runs: Runs, outcome: str, hours: float = 1, **values: Any) -> None:
    started = datetime.now(UTC) - timedelta(hours=hours)
    run = Run(f"{started:%Y%m%dT%H%M%S%f}", "apply", started.isoformat("T", "seconds"), "x")
    run.outcome = outcome
    for name, value in values.items():
        setattr(run, name, value)
    runs.path.mkdir(parents=True, exist_ok=True)
    runs.save(run)


def test_status_without_runs(feed: Feed) -> None:
    code, said = feed("status")
    assert code == status.Health.UNKNOWN
    assert said.startswith("UNKNOWN - ")


@pytest.mark.parametrize(
    ("runs", "health"),
    [
        ([(DONE, 1)], "OK"),
        ([(DONE, 29)], "OK"),
        ([(DONE, 31)], "CRITICAL"),
        ([(DONE, 5), (FAILED, 1)], "CRITICAL"),
        ([(DONE, 5), (REFUSED, 1)], "CRITICAL"),
        ([(FAILED, 5), (DONE, 1)], "OK"),
        ([(DONE, 5), (RUNNING, 1)], "CRITICAL"),
    ],
)
def test_status_for_monitoring(feed: Feed, runs: list[tuple[str, float]], health: str) -> None:
    for outcome, hours in runs:
        record(feed.runs, outcome, hours)
    code, said = feed("status")
    assert said.startswith(f"{health} - ")
    assert code == status.Health[health]
    assert json.loads(feed("status", "--json")[1])["health"] == health


def test_status_while_a_run_is_under_way(feed: Feed) -> None:
    record(feed.runs, DONE, 5)
    record(feed.runs, RUNNING, 0)
    with feed.runs.alone("apply"):
        code, said = feed("status")
    assert code == 0
    assert f"{os.getpid()}" in said


def test_status_shows_what_is_pending(feed: Feed) -> None:
    feed.people(career(), career(10002, d_naissance=None))
    feed("apply")
    code, said = feed("status")
    assert code == 1
    assert "NO_INDIVIDU=10002" in said


def test_records_are_kept_and_forgotten(feed: Feed) -> None:
    for hours in range(70):
        record(feed.runs, DONE, hours)
    assert len(feed.runs.last(100)) == 60
    newest = feed.runs.last(2)
    assert newest[0].started > newest[1].started
    (feed.runs.path / "runs" / "zzz.json").write_text("{cut off")
    assert len(feed.runs.last(3)) == 3


# person


def test_person_says_both_sides_and_why(feed: Feed) -> None:
    feed("apply")
    feed.people(career(structure="DRH"))
    said = feed("person", "10001")[1]
    assert "C_STRUCTURE=DRH" in said
    assert "uid=jmartin" in said
    assert "affectation : DSI → DRH" in said
    assert feed.store.person("jmartin")["supannentiteaffectation"] == ["DSI"]


def test_person_who_vanished(feed: Feed) -> None:
    feed("apply")
    feed.people(career(10002))
    said = feed("person", "10001")[1]
    assert "N’est plus dans Harpège" in said
    assert "compte suspendu jusqu’au" in said


def test_person_of_an_impossible_number(feed: Feed) -> None:
    assert feed("person", str(2**63))[0] == 2


def test_a_value_makes_no_lines_of_its_own(feed: Feed) -> None:
    odd = Structure("A\nBcc: x\x1b[2J", "A", "A", "UP")
    source = snapshot(career())
    feed.source = source._replace(structures={**source.structures, odd.c_structure: odd})
    said = feed("apply")[1]
    assert "C_STRUCTURE=A\\x0aBcc: x\\x1b[2J" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("dossier", "expected"),
    [
        (career(10002), "jmartin"),
        (career(10002, d_naissance=None), "date de naissance absente"),
        (career(10002, start=days(200)), "Arrive le"),
        (career(10002, end=days(-200)), "Pas de fiche"),
        (career(10003), "rien sous ce numéro"),
    ],
)
def test_person_without_an_entry(feed: Feed, dossier: Dossier, expected: str) -> None:
    feed.people(dossier)
    code, said = feed("person", "10002")
    assert code == 0
    assert expected in said
    assert "aucune fiche" in said


# mailup


def write(path: Path, *rows: tuple[str, ...], delimiter: str = ";") -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(("code_harpege", "nom", "prenom", "date_naissance", "adresses"))
        writer.writerows(rows)
    return path


@pytest.fixture
def staffed(feed: Feed) -> Feed:
    """Four people, two of whom share names and birth date."""
    feed.people(
        career(10001),
        career(10002, nom_usuel="Lefèvre", prenom="Amélie", nom_patronymique="D’Alembert"),
        career(10003, nom_usuel="Petit", prenom="Claire"),
        career(10004, nom_usuel="Petit", prenom="Claire"),
    )
    assert feed("apply")[0] == 0
    feed.store.taken_writes()
    return feed


def aliases(feed: Feed, login: str) -> list[str]:
    return feed.store.person(login).get("supannautremail", [])


def test_mailup_shows_first_and_writes_with_apply(staffed: Feed, tmp_path: Path) -> None:
    file = write(
        tmp_path / "accounts.csv",
        ("10001", "Martin", "Jeanne", "1975-03-14", "Jeanne.Martin@up.univ-aix.fr"),
        (
            "",
            "LEFEVRE",
            "amelie",
            "14/03/1975",
            "amelie.lefevre@up.univ-aix.fr amelie.lefevre@up.univ-mrs.fr",
        ),
        ("", "d'alembert", "Amélie", "1975-03-14", "a.dalembert@up.univ-mrs.fr"),
    )
    code, said = staffed("mailup", str(file))
    assert code == 0
    assert "+ 10001 jmartin: jeanne.martin@up.univ-aix.fr" in said
    assert staffed.store.taken_writes() == []
    assert "Adresses à donner : 4" in said
    code, said = staffed("mailup", str(file), "--apply")
    assert code == 0
    assert "Adresses données : 4" in said
    assert aliases(staffed, "jmartin") == ["jeanne.martin@up.univ-aix.fr"]
    assert aliases(staffed, "alefevre") == [
        "amelie.lefevre@up.univ-aix.fr",
        "amelie.lefevre@up.univ-mrs.fr",
        "a.dalembert@up.univ-mrs.fr",
    ]
    staffed.store.taken_writes()
    code, said = staffed("mailup", str(file), "--apply")
    assert code == 0
    assert staffed.store.taken_writes() == []
    assert "lignes déjà faites : 3" in said
    # and the nightly run leaves them
    staffed("apply")
    assert staffed.store.taken_writes() == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("", "Petit", "Claire", "1975-03-14", "c@up.univ-aix.fr"), "plusieurs personnes"),
        (("", "Nobody", "Any", "1975-03-14", "n@up.univ-aix.fr"), "aucune personne"),
        (("", "Martin", "Jeanne", "1975-03-15", "n@up.univ-aix.fr"), "aucune personne"),
        (("", "Martin", "Jeanne", "", "n@up.univ-aix.fr"), "sans code"),
        (("77", "", "", "", "n@up.univ-aix.fr"), "n’a le code"),
        (("10001", "Durand", "", "", "n@up.univ-aix.fr"), "d’une autre personne"),
        (("10001", "", "", "1975-03-15", "n@up.univ-aix.fr"), "née un autre jour"),
        (("10001", "", "", "31/02/1975", "n@up.univ-aix.fr"), "illisible"),
        (("1O001", "", "", "", "n@up.univ-aix.fr"), "illisible"),
        (("10001", "", "", "", ""), "aucune adresse"),
        (("10001", "", "", "", "n@gmail.example"), "ancien domaine"),
        (("10001", "", "", "", "n@up.univ-aix.fr x@univ-provence.fr"), "ancien domaine"),
        (("10001", "", "", "", "not-an-address"), "adresse invalide"),
        (("10001", "", "", "", "taken@up.univ-aix.fr"), "appartient à alefevre"),
        (("10003", "", "", "", "x@up.univ-aix.fr"), "expiré"),
    ],
)
def test_mailup_never_guesses(
    staffed: Feed, tmp_path: Path, row: tuple[str, ...], reason: str
) -> None:
    staffed.store.change("alefevre", supannAutreMail=["Taken@up.univ-aix.fr"])
    staffed.store.change("cpetit", supannRessourceEtat=AccountState.EXPIRED.value)
    code, said = staffed("mailup", str(write(tmp_path / "a.csv", row)), "--apply")
    assert code == 1
    assert reason in said
    assert "ligne 2" in said
    assert staffed.store.taken_writes() == []


def test_mailup_two_lines_that_want_the_same_address(staffed: Feed, tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        ("10001", "", "", "", "shared@up.univ-aix.fr"),
        ("10002", "", "", "", "shared@up.univ-aix.fr own@up.univ-mrs.fr"),
    )
    code, said = staffed("mailup", str(file), "--apply")
    assert code == 1
    assert said.count("plusieurs lignes") == 2
    assert staffed.store.taken_writes() == []


def test_mailup_two_lines_of_one_person(staffed: Feed, tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        ("10001", "", "", "", "j.martin@up.univ-aix.fr"),
        ("10001", "", "", "", "j.martin@up.univ-aix.fr,j.martin@up.univ-mrs.fr"),
    )
    assert staffed("mailup", str(file), "--apply")[0] == 0
    assert aliases(staffed, "jmartin") == ["j.martin@up.univ-aix.fr", "j.martin@up.univ-mrs.fr"]


def test_mailup_never_loses_an_address_beyond_the_last_column(
    staffed: Feed, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + b"10001;;;;a@up.univ-aix.fr;b@up.univ-mrs.fr\n10002;;;;;\n")
    code, said = staffed("mailup", str(file))
    assert code == 1
    assert "ligne 2, 10001 : plus de valeurs" in said
    assert "ligne 3, 10002 : aucune adresse" in said


def test_mailup_with_a_file_that_cannot_be_read(
    staffed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["mailup", str(tmp_path)]) == 2
    assert "ne peut pas être lu" in capsys.readouterr().err


HEADER = b"code_harpege;nom;prenom;date_naissance;adresses\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"code;name\n1;x\n", "il manque"),
        ("code_harpege;nom;prenom;date_naissance;adresses\n;é".encode("latin-1"), "UTF-8"),
        (b"", "il manque"),
        (
            HEADER + b'10001;;;;a@up.univ-aix.fr\n;"Martin;x;;\n10002;;;;b@up.univ-aix.fr\n',
            "ligne 3",
        ),
        (HEADER + b';"' + b"10002;Martin;x;;b@up.univ-aix.fr\n" * 9000, "ligne 2"),
    ],
)
def test_mailup_with_a_file_that_is_none(
    staffed: Feed,
    tmp_path: Path,
    content: bytes,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    assert cli.main(["mailup", str(file)]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_mailup_with_other_delimiters(staffed: Feed, tmp_path: Path, delimiter: str) -> None:
    file = write(tmp_path / "a.csv", ("10001", "", "", "", "j@up.univ-aix.fr"), delimiter=delimiter)
    assert staffed("mailup", str(file))[0] == 0


# Settings

GOOD: dict[str, Any] = {
    "domain": "univ-provence.fr",
    "source": {"url": "postgresql+psycopg://feed@db/harpege", "password": "x"},
    "ldap": {"uri": "ldaps://h", "suffix": SUFFIX, "bind_dn": "cn=feed", "password": "x"},
}


def test_check_settings(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(GOOD))
    assert cli.main(["check-settings", str(file)]) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"domain": "nowhere"}, "nowhere"),
        ({"policy": {"grace": -1}}, "grace is -1"),
        ({"policy": {"gracious": 1}}, "gracious is not a setting"),
        ({"policy": {"establishment": "0131842G"}}, "{UAI}NUMBER"),
        ({"limits": {"share": 5}}, "share is 5"),
        ({"report": {"to": ["me"]}}, "mail addresses"),
        ({"report": {"language": "de"}}, "fr or en"),
        ({"ldap": GOOD["ldap"] | {"connections": 0}}, "connections is 0"),
        ({"ldap": GOOD["ldap"] | {"uri": "http://h"}}, "not LDAP URIs"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(GOOD | change))
    assert cli.main(["check-settings", str(file)]) == 7
    assert told in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _quiet_logger() -> Iterator[None]:
    """The command sets up the logger of `ent`; leave it as it was."""
    logger = logging.getLogger("ent")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = before[0], before[1]
    logger.setLevel(before[2])
