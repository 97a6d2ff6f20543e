"""The feed as it is installed: who may read what, the sandbox, the timer, the reader of Harpège."""

from __future__ import annotations

import json
import re

import pytest

from harpege_source import DATABASE, SETTINGS, Feed, Harpege
from lab import LabUnderTest
from openldap_client import HOST

pytestmark = [
    pytest.mark.uses("ldap1", "db1", "mail1"),
    pytest.mark.alone("harpege"),
    pytest.mark.service("ldap1", "ent-harpege"),
]


def test_secrets_are_readable_by_the_service_alone(lab: LabUnderTest) -> None:
    settings = lab.host(HOST).file(SETTINGS)
    assert (settings.user, settings.group, settings.mode) == ("root", "ent-harpege", 0o640)
    state = lab.host(HOST).file("/var/lib/ent-harpege")
    assert (state.user, state.mode) == ("ent-harpege", 0o750)
    log = lab.run(HOST, "journalctl --no-pager -u ent-harpege.service").stdout
    for name in ("ldap-feed", "db-harpege_feed"):
        assert lab.secret(name) not in log


def test_the_sandbox(lab: LabUnderTest) -> None:
    exposure = lab.run(HOST, "systemd-analyze security --no-pager ent-harpege.service").stdout
    score = re.search(r"exposure level for \S+: ([0-9.]+)", exposure)
    assert score
    assert float(score[1]) <= 2.0, exposure


def test_the_timer_is_set_for_the_night(lab: LabUnderTest) -> None:
    """The next run is within a day, and status tells the same."""
    assert lab.run(HOST, "systemctl is-enabled ent-harpege.timer").stdout.strip() == "enabled"
    assert lab.run(HOST, "systemctl is-active ent-harpege.timer").stdout.strip() == "active"
    next_run = lab.run(
        HOST,
        "systemctl show --property=NextElapseUSecRealtime --value ent-harpege.timer",
    ).stdout.strip()
    assert re.search(r" 03:(1|2)\d:\d\d ", next_run), next_run


def test_only_root_runs_the_command(lab: LabUnderTest) -> None:
    result = lab.run(HOST, "runuser -u nobody -- ent-harpege status")
    assert result.rc == 77
    assert "sudo ent-harpege status" in result.stderr


def test_files_of_a_run_by_hand_belong_to_the_service(lab: LabUnderTest) -> None:
    assert Feed(lab)("apply").rc in (0, 1)
    owners = lab.run(HOST, "find /var/lib/ent-harpege -not -user ent-harpege").stdout
    assert owners == ""


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO harpege.personnel VALUES (99999)",
        "UPDATE harpege.individu SET nom_usuel = 'X'",
        "DELETE FROM harpege.individu",
        "CREATE TABLE harpege.mine (a integer)",
        "SELECT harpege.saisir_personne('M.', 'X', 'Y', '1980-01-01', NULL, 99999)",
    ],
)
@pytest.mark.parametrize("mode", ["", "SET default_transaction_read_only = off; "])
def test_the_reader_of_harpege_cannot_write(lab: LabUnderTest, mode: str, statement: str) -> None:
    """Neither as it comes, nor when it asks for a transaction that may write."""
    result = lab.run(
        DATABASE,
        "runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d harpege -c %s -c %s",
        "SET SESSION AUTHORIZATION harpege_feed;"
        + ("" if mode else "SET default_transaction_read_only = on;"),
        mode + statement,
    )
    assert result.rc != 0
    assert re.search("read-only transaction|permission denied", result.stderr), result.stderr


def test_the_reader_begins_read_only(lab: LabUnderTest) -> None:
    found = Harpege(lab).sql(
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
        " WHERE rolname = 'harpege_feed'"
    )
    assert "default_transaction_read_only=on" in found


def test_the_stand_in_stays_in_the_lab(lab: LabUnderTest) -> None:
    """Without a lab's name the role stops before it looks at the database."""
    said = lab.refused(
        "playbooks/harpege_standin.yml", "--extra-vars", json.dumps({"harpege_standin_lab": ""})
    )
    assert "it is for labs only" in said


def test_wrong_settings_are_refused_before_they_replace_good_ones(lab: LabUnderTest) -> None:
    before = lab.run(HOST, "sha256sum %s", SETTINGS).stdout
    lab.refused("playbooks/hr_feed.yml", "--extra-vars", json.dumps({"harpege_feed_grace": -1}))
    assert lab.run(HOST, "sha256sum %s", SETTINGS).stdout == before
