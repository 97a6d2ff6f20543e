"""Whom the mail mover looks at, what it tells others, and its settings."""

import json
import os
from pathlib import Path

import pytest

from ent.mailmove.__main__ import main
from ent.mailmove.ledger import Ledger
from ent.mailmove.settings import Settings
from ent.mailmove.status import Statuses
from ent.mailmove.worker import Worker, WorkerError, opened
from ent.web.config import ConfigError, load


@pytest.fixture
def given(tmp_path: Path) -> dict:
    for name in ("mail", "state", "status"):
        (tmp_path / name).mkdir()
    return {
        "ldap": {
            "uri": "ldaps://ldap.invalid",
            "suffix": "dc=x",
            "bind_dn": "cn=replication",
            "password": "p",
            "ca_file": "/etc/ssl/certs/ca-certificates.crt",
            "connect_timeout": 1,
            "timeout": 1,
        },
        "target": {
            "host": "mail.invalid",
            "port": 993,
            "ca_file": "/etc/ssl/certs/ca-certificates.crt",
            "user": "mailmove",
            "password": "secret",
            "timeout": 5,
        },
        "mailboxes": str(tmp_path / "mail"),
        "imap": "/bin/false",
        "state_dir": str(tmp_path / "state"),
        "status_dir": str(tmp_path / "status"),
        "movers": 1,
        "look_seconds": 1,
        "retry_seconds": 60,
        "reconcile_seconds": 60,
        "keep_days": 30,
    }


def write(tmp_path: Path, given: dict) -> Path:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(given))
    return path


@pytest.fixture
def worker(tmp_path: Path, given: dict) -> Worker:
    settings = load(write(tmp_path, given), Settings)
    return Worker(settings, Ledger(tmp_path / "state" / "ledger.sqlite"))


def maildir(worker: Worker, uid: str, *folders: str) -> Path:
    home = Path(worker.settings.mailboxes) / uid
    for folder in ("", *folders):
        for part in ("new", "cur", "tmp"):
            (home / "mail" / folder / part).mkdir(parents=True)
    return home


def test_only_logins_have_mailboxes(worker: Worker) -> None:
    for name in ("jmartin", "..x", "lost+found", ".removed", "J", "a.b-c_d2"):
        (Path(worker.settings.mailboxes) / name).mkdir()
    (Path(worker.settings.mailboxes) / "link").symlink_to("/etc")
    assert sorted(worker.logins()) == ["a.b-c_d2", "jmartin"]
    for name in ("../jmartin", "", "jmartin/mail", "nobody"):
        assert not worker.has_mailbox(name)


def test_a_message_changes_the_appearance(worker: Worker) -> None:
    home = maildir(worker, "p", "Projet v2.0/Budget")
    before = worker.appearance("p")
    assert worker.appearance("p") == before
    (home / "mail/dovecot.index").write_text("x")
    (home / "mail/tmp/1").write_text("x")
    assert worker.appearance("p") == before
    for folder in ("new", "cur", "Projet v2.0/Budget/new"):
        (home / "mail" / folder / "1.M1.host").write_text("x")
        after = worker.appearance("p")
        assert after != before, folder
        before = after
    maildir(worker, "q")
    assert worker.appearance("nobody") == worker.appearance("nobody")


def test_who_changed_or_was_kept_long_enough_is_wanted(worker: Worker) -> None:
    home = maildir(worker, "changed")
    for uid in ("old", "fresh", "empty"):
        maildir(worker, uid)
    ledger = worker.ledger
    ledger.moved("changed", worker.appearance("changed"), 4e9)
    ledger.moved("old", worker.appearance("old"), 1.0)
    ledger.moved("fresh", worker.appearance("fresh"), 4e9)
    ledger.moved("empty", worker.appearance("empty"), None)
    ledger.moved("gone", "x", 1.0)
    (home / "mail/new/1").write_text("x")
    worker.look()
    assert ledger.waiting() == ["changed", "old"]


def test_directory_away_is_tried_again(worker: Worker) -> None:
    maildir(worker, "p")
    worker.ledger.want(["p"])
    wanted = worker.ledger.take()
    assert wanted
    worker.attend(wanted)
    assert worker.ledger.waiting() == ["p"]


def test_only_one_at_a_time(worker: Worker) -> None:
    with (
        opened(worker.settings),
        pytest.raises(WorkerError, match=f"process {os.getpid()}"),
        opened(worker.settings),
    ):
        pass


def test_status_is_whole_or_not_there(tmp_path: Path) -> None:
    statuses = Statuses(tmp_path)
    assert statuses.read("p") is None
    statuses.write("p", "done", total=3, copied=3, kept_until=0.0)
    statuses.write("q", "done", kept_until=1_800_000_000)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["p.json", "q.json"]
    said = statuses.read("q")
    assert said
    assert said["kept_until"] == "2027-01-15T08:00:00Z"
    with pytest.raises(ValueError, match="expected one of"):
        statuses.write("p", "finished")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("movers", 0, "movers is 0, expected 1 or more"),
        ("keep_days", -1, "keep_days is -1"),
        ("keep_days", "30", "keep_days"),
        ("nonsense", 1, "nonsense"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, given: dict, key: str, value: object, says: str
) -> None:
    path = write(tmp_path, given | {key: value})
    with pytest.raises(ConfigError, match=says):
        load(path, Settings)
    assert main(["check-settings", str(path)]) == 1


def test_status_command(tmp_path: Path, given: dict, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, given)
    Statuses(Path(given["status_dir"])).write("p", "moving", total=10, copied=4)
    assert main(["--settings", str(path), "status"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["login"], said["state"], said["copied"]) == ("p", "moving", 4)
    assert main(["--settings", str(path), "status", "q"]) == 1
    assert "q: nothing to move" in capsys.readouterr().err
