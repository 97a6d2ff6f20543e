"""Time zone, locale and security upgrades, as programs on the hosts see them."""

from __future__ import annotations

import re

from lab import LabUnderTest, wait_for


def test_time_zone_is_effective(lab: LabUnderTest) -> None:
    """A summer and a winter instant, in the zone of France."""
    for host in lab.facts["hosts"]:
        for instant, expected in (("1782900000", "12:00 CEST"), ("1767265200", "12:00 CET")):
            shown = lab.run(host, "date --date=@%s '+%%H:%%M %%Z'", instant).stdout.strip()
            assert shown == expected, host


def test_locale_is_effective(lab: LabUnderTest) -> None:
    """Month names of a service that systemd starts with the system's locale."""
    for host in lab.facts["hosts"]:
        shown = lab.run(
            host,
            "systemd-run --quiet --pipe --wait --collect date --date=2026-08-15 +%B",
        ).stdout.strip()
        assert shown == "août", host


def test_french_sorting_is_there(lab: LabUnderTest) -> None:
    shown = lab.run("portal1", "printf 'z\\né\\na\\n' | LC_ALL=fr_FR.UTF-8 sort").stdout.split()
    assert shown == ["a", "é", "z"]


def test_security_upgrades_would_run(lab: LabUnderTest) -> None:
    """A dry run succeeds and takes packages from the security archive alone."""
    looking = "systemctl is-active apt-daily.service apt-daily-upgrade.service"
    wait_for(
        lambda: not {"active", "activating"} & set(lab.run("portal1", looking).stdout.split()),
        what="the day's own look at upgrades to be over",
    )
    run = lab.run("portal1", "unattended-upgrade --dry-run --verbose")
    log = lab.run("portal1", "tail -n 40 /var/log/unattended-upgrades/unattended-upgrades.log")
    assert run.rc == 0, run.stderr
    origins = re.findall(r"Allowed origins are: (.*)", log.stdout + run.stdout + run.stderr)
    expected = "origin=Debian,codename=trixie-security,label=Debian-Security"
    assert origins, "the dry run says nothing of its origins"
    assert origins[-1].strip() == expected


def test_security_upgrades_are_scheduled(lab: LabUnderTest) -> None:
    for host in lab.facts["hosts"]:
        lab_host = lab.host(host)
        assert (
            lab_host.run("systemctl is-active apt-daily-upgrade.timer").stdout.strip() == "active"
        )
        periodic = lab_host.run("apt-config dump APT::Periodic::Unattended-Upgrade").stdout
        assert '"1"' in periodic, host


def test_check_mode_finds_nothing_to_do(lab: LabUnderTest) -> None:
    run = lab.ansible("playbooks/ground.yml", "--check", "--limit", "dns1,portal1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.findall(r"changed=(\d+)", run.stdout)[:2] == ["0", "0"], run.stdout


def test_wrong_time_zone_is_refused_with_a_remedy(lab: LabUnderTest) -> None:
    """Another time zone than any is refused before anything is changed, and named."""
    said = lab.refused(
        "playbooks/ground.yml",
        "--limit",
        "dns1",
        "--check",
        "--extra-vars",
        "common_timezone=paris",
    )
    assert 'common_timezone is "paris"' in said
    assert "Europe/Paris" in said
