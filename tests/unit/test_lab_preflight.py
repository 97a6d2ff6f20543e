"""Each fault of a machine is named with its value, the limit and the remedy."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ent.lab import docker, limits, preflight, settings
from ent.lab.limits import Reading
from ent.lab.settings import Lab, LabError

LAB = Lab("ent", "10.213.7")
DEBIAN_13 = {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"}


def test_a_debian_machine_passes() -> None:
    assert preflight.system(DEBIAN_13, "x86_64", (3, 13)) == []
    assert preflight.room({"/": 100 * 2**30}, 16 * 2**30) == []


def test_other_systems_are_named() -> None:
    release = {"ID": "ubuntu", "VERSION_ID": "24.04", "PRETTY_NAME": "Ubuntu 24.04"}
    found = preflight.system(release, "aarch64", (3, 9))
    assert [problem.thing for problem in found] == ["Operating system", "Processor", "Python"]
    assert "Ubuntu 24.04" in str(found[0])
    assert "Debian 12 or 13" in str(found[0])
    assert "make PYTHON=/usr/bin/python3 up" in str(found[2])


def test_too_little_disk_and_memory_give_value_and_limit() -> None:
    found = preflight.room({"/var/lib/docker": 3 * 2**30}, 1 * 2**30)
    assert "Free disk under /var/lib/docker: 3.0 GiB; needed: 8 GiB" in str(found[0])
    assert "Available memory: 1.0 GiB; needed: 3 GiB" in str(found[1])


def test_without_root_a_limit_that_is_too_low_is_named_with_the_command() -> None:
    (short,) = limits.short({"fs.inotify.max_user_instances": Reading(128, 100)}, 6)
    (found,) = preflight.kernel([short], root=False, fixed={short.name})
    assert "fs.inotify.max_user_instances: 128, of which 100 are in use; needed: 148" in str(found)
    assert "sysctl -w fs.inotify.max_user_instances=1024" in str(found)
    assert "read-only" not in str(found)


def test_root_is_told_only_of_a_limit_that_cannot_be_written() -> None:
    (short,) = limits.short({"fs.inotify.max_user_instances": Reading(128, 100)}, 6)
    assert preflight.kernel([short], root=True, fixed=set()) == []
    (found,) = preflight.kernel([short], root=True, fixed={short.name})
    assert "read-only /proc/sys" in str(found)
    assert "sysctl -w fs.inotify.max_user_instances=1024" in str(found)


@pytest.mark.parametrize("version", [(20, 10, 24), (26, 1, 5), (28, 2, 2)])
def test_supported_engines_pass(version: tuple[int, ...]) -> None:
    assert preflight.engine(docker.Engine(version, True), root=False, missing=[]) == []


def test_an_engine_that_is_too_old_is_refused_even_for_root() -> None:
    (found,) = preflight.engine(docker.Engine((19, 3, 1), True), root=True, missing=[])
    assert "19.3.1" in str(found)
    assert "20.10" in str(found)


def test_without_root_and_engine_the_commands_to_run_are_told() -> None:
    engine = docker.Engine(None, False, "docker is not installed")
    (found,) = preflight.engine(engine, root=False, missing=["mmdebstrap"])
    for command in (
        "sudo apt-get install mmdebstrap",
        "sudo apt-get install docker.io",
        "sudo systemctl enable --now docker",
        "sudo adduser",
    ):
        assert command in str(found)


def test_root_may_install_what_is_missing() -> None:
    engine = docker.Engine(None, False, "docker is not installed")
    assert preflight.engine(engine, root=True, missing=["docker.io"]) == []


def test_a_docker_network_in_the_way_is_named() -> None:
    (found,) = preflight.networks(LAB, [], {"office": ["10.213.0.0/16"]})
    assert "office" in str(found)
    assert "LAB_PREFIX" in str(found)


def test_a_route_in_the_way_is_named_but_not_our_own_bridge() -> None:
    routes = [(IPv4Network("10.0.0.0/8"), "tun0"), (IPv4Network("0.0.0.0/0"), "eth0")]
    (found,) = preflight.networks(LAB, routes, {})
    assert "tun0" in str(found)
    own = [(IPv4Network("10.213.7.0/24"), "br-1234")]
    assert preflight.networks(LAB, own, {"ent": ["10.213.7.0/24"]}) == []


def test_the_bridge_of_an_engine_that_died_is_no_clash() -> None:
    own = [(IPv4Network("10.213.7.0/24"), "br-1234")]
    assert preflight.networks(LAB, own, None) == []
    assert preflight.networks(LAB, own, {}) != []
    assert preflight.networks(LAB, [(IPv4Network("10.213.7.0/24"), "tun0")], None) != []


def test_a_lab_keeps_its_network() -> None:
    (found,) = preflight.networks(LAB, [], {"ent": ["10.99.1.0/24"]})
    assert "make down" in str(found)


def test_containers_of_another_clone_are_left_alone(tmp_path: Path) -> None:
    ours = {"ent-ldap1": str(settings.REPOSITORY)}
    assert preflight.owner(LAB, ours) == []
    (gone,) = preflight.owner(LAB, {"ent-ldap1": "/nowhere/at/all"})
    assert "make down LAB=ent here" in str(gone)
    (tmp_path / "Makefile").touch()
    (there,) = preflight.owner(LAB, {"ent-ldap1": str(tmp_path)})
    assert "run make down there" in str(there)


@pytest.mark.parametrize("name", ["", "Ent", "2ent", "a" * 16, "ent-1", "ent;x"])
def test_a_lab_name_that_docker_or_a_shell_would_trip_over_is_refused(name: str) -> None:
    if not name:
        assert settings.load("").name == "ent"
        return
    with pytest.raises(LabError, match="lower-case letters and digits"):
        settings.load(name)


def test_a_prefix_that_is_no_network_is_refused() -> None:
    with pytest.raises(LabError, match=r"10\.213\.7"):
        settings.load("x", "10.300.1")


def test_labs_have_networks_of_their_own() -> None:
    labs = [settings.load(name) for name in ("ent", "enttest", "other", "third")]
    assert len({lab.prefix for lab in labs}) == len(labs)
