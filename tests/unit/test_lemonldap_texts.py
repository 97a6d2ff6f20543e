"""The texts of the sign-in pages: all there, and typographically French."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[2] / "roles" / "lemonldap"
TEXTS: dict[str, str] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())[
    "__lemonldap_texts"
]
MODULES = ROLE / "files" / "usr" / "local" / "lib" / "site_perl" / "Ent"


def _messages() -> set[str]:
    """Names of messages that the Perl modules give to the templates."""
    page = (MODULES / "Plugin.pm").read_text()
    listed = re.findall(r"=> \[ '(\w+)',", page)
    own = re.findall(r"ent_message\} =\s*(.+?);", (MODULES / "Auth.pm").read_text(), flags=re.S)
    return {*listed, *re.findall(r"'(\w+)'", " ".join(own))} - {"0"}


def test_every_message_has_a_title_and_a_remedy() -> None:
    messages = _messages()
    assert {"wrong", "locked", "not_activated", "directory_down"} <= messages
    for name in messages:
        assert TEXTS[name], name
        assert TEXTS[f"{name}_do"], name


def test_every_message_is_in_the_template() -> None:
    template = (
        ROLE
        / "templates"
        / "usr"
        / "local"
        / "share"
        / "ent-sso"
        / "templates"
        / "ent"
        / "message.tpl.j2"
    ).read_text()
    for name in _messages():
        assert re.search(rf"['_]{name}['\"]", template), name


def test_templates_use_texts_that_exist() -> None:
    for path in [ROLE / "templates" / "parts.j2", *(ROLE / "templates" / "usr").rglob("*.j2")]:
        for name in re.findall(r"say\('(\w+)'\)", path.read_text()):
            assert name in TEXTS, f"{path.name}: {name}"


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_typography(name: str) -> None:
    text = TEXTS[name]
    assert "'" not in text, "typographic apostrophe"
    assert not re.search(r"\s{2}|^\s|\s$", text)
    assert set(re.findall(r"\[(\w+)\]", text)) <= {"phone", "mail", "annuaire", "portal", "reset"}
