"""The check that argument_specs and defaults agree finds each way to disagree."""

import pytest

from loading import load

docs = load("tools/docs.py")


def test_agreement() -> None:
    options = {
        "r_port": {"type": "int", "default": 1, "description": "Port."},
        "r_name": {"type": "str", "required": True, "description": "Name."},
    }
    assert docs.disagreements("r", options, {"r_port": 1}) == []


@pytest.mark.parametrize(
    ("options", "defaults", "fault"),
    [
        ({"r_a": {"default": 1, "description": "x"}}, {"r_a": 2}, "defaults to 1"),
        ({"r_a": {"default": 1, "description": "x"}}, {}, "neither required nor"),
        ({}, {"r_a": 2}, "not in argument_specs.yml"),
        ({"r_a": {"required": True, "description": "x"}}, {"r_a": 2}, "yet has a default"),
        ({"b": {"default": 1, "description": "x"}}, {"b": 1}, "does not carry the role's name"),
        ({"r_a": {"default": 1}}, {"r_a": 1}, "no description"),
    ],
)
def test_disagreement(options: dict, defaults: dict, fault: str) -> None:
    assert any(fault in found for found in docs.disagreements("r", options, defaults))
