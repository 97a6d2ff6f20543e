"""Images with the packages of a host, with an engine that only writes down what it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ent.lab import docker, image
from ent.lab.settings import Lab, LabError

LAB = Lab("probe", "10.214.1")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Commands that were given to the engine; it has the images that were committed."""
    commands: list[list[str]] = []

    def logged(command: list[str], _log: Path) -> None:
        commands.append(command)

    def image_exists(name: str) -> bool:
        return any(name == command[-1] for command in commands if command[1] == "commit")

    monkeypatch.setattr(image, "_CACHE", tmp_path)
    monkeypatch.setattr(image, "logged", logged)
    monkeypatch.setattr(docker, "image_id", lambda _reference: "sha256:base")
    monkeypatch.setattr(docker, "image_exists", image_exists)
    monkeypatch.setattr(docker, "remove_container", lambda name: commands.append(["rm", "-", name]))
    return commands


def _verbs(commands: list[list[str]]) -> list[str]:
    return [command[1] for command in commands if command[0] == "docker"]


def test_hosts_with_the_same_packages_share_one(asked: list[list[str]], tmp_path: Path) -> None:
    first = image.with_packages(LAB, ["nginx", "python3"], tmp_path)
    assert image.with_packages(LAB, ["python3", "nginx", "nginx"], tmp_path) == first
    assert _verbs(asked) == ["run", "commit"]


def test_other_packages_or_another_base_make_another(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = image.with_packages(LAB, ["nginx"], tmp_path)
    second = image.with_packages(LAB, ["slapd"], tmp_path)
    monkeypatch.setattr(docker, "image_id", lambda _reference: "sha256:newer")
    third = image.with_packages(LAB, ["nginx"], tmp_path)
    assert len({first, second, third}) == 3
    assert _verbs(asked) == ["run", "commit"] * 3


def test_what_a_killed_run_left_is_removed_first_and_labels_do_not_stay(
    asked: list[list[str]], tmp_path: Path
) -> None:
    image.with_packages(LAB, ["nginx"], tmp_path)
    name = asked[0][-1]
    assert name.startswith("probe-image-")
    assert [command[:2] for command in asked] == [
        ["rm", "-"],
        ["docker", "run"],
        ["docker", "commit"],
        ["rm", "-"],
    ]
    assert f"--label={docker.LABEL_LAB}=probe" in asked[1]  # so that make down finds it
    assert asked[2][2] == (
        f'--change=LABEL {docker.LABEL_BASE}="sha256:base" '
        f'{docker.LABEL_LAB}="" {docker.LABEL_REPOSITORY}=""'
    )


def test_container_is_removed_and_no_image_made_when_apt_fails(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(command: list[str], _log: Path) -> None:
        asked.append(command)
        raise LabError("apt failed")

    monkeypatch.setattr(image, "logged", fails)
    with pytest.raises(LabError, match="apt failed"):
        image.with_packages(LAB, ["nginx"], tmp_path)
    assert _verbs(asked) == ["run"]
    assert asked[-1][0] == "rm"
    assert not list(tmp_path.glob("*.json"))
