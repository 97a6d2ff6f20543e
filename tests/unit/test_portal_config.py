"""A settings file is read whole, or refused with a message that names the fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import portal_app
from ent.portal.config import portal_config
from ent.web.config import ConfigError


def read(tmp_path: Path, content: Any) -> Any:
    path = tmp_path / "settings.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return portal_config(path)


def test_a_whole_file(tmp_path: Path) -> None:
    config = read(tmp_path, portal_app.settings())
    assert config.site.university == "Université de Provence"
    assert config.services[0].name == {"fr": "Pour tous", "en": "For all"}
    assert config.services[1].affiliations == ("employee",)
    assert config.database.host == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessionhours": 3}, "sessionhours is not a setting"),
        ({"session_hours": "3"}, "session_hours is a str, expected int"),
        ({"session_hours": True}, "session_hours is a bool, expected int"),
        ({"session_hours": 0}, "session_hours is 0"),
        ({"site": {}}, r"site\.\w+ is missing"),
        ({"url": "http://ent.univ-provence.fr"}, "expected https://"),
        ({"cas_url": "https://cas"}, "expected a slash"),
        ({"secret_key": "short"}, "5 characters"),
        ({"services": [{"name": "x", "url": "javascript:x", "description": ""}]}, "javascript"),
        ({"services": [{"name": "x", "url": "//evil", "description": ""}]}, "//evil"),
        (
            {"services": [{"name": "x", "url": "/", "description": "", "icon": "no"}]},
            r"services\[0\].*'no'",
        ),
        ({"services": [{"name": 3, "url": "/", "description": ""}]}, r"services\[0\].name"),
    ],
)
def test_faults_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, portal_app.settings(**changes))


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_not_an_object(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match=r"settings\.json"):
        read(tmp_path, content)
