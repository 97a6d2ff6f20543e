"""Each process of the annuaire reads its own settings file, or says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import annuaire_app
import web_apps
from ent.annuaire import __main__, config
from ent.web.config import ConfigError


def read(tmp_path: Path, process: str, content: Any) -> Any:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(content))
    return config.read(process, path)


def test_the_public_file(tmp_path: Path) -> None:
    found = read(tmp_path, "public", annuaire_app.settings())
    assert found.ldap.search.bind_dn.startswith("cn=annuaire-search,")
    assert found.search.result_limit == 100


def test_the_help_desks_file(tmp_path: Path) -> None:
    found = read(tmp_path, "helpdesk", annuaire_app.helpdesk_file())
    assert found.ldap.helpdesk.bind_dn.startswith("cn=annuaire-helpdesk,")


def test_a_process_has_no_identity_of_the_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ldap\.helpdesk is not a setting"):
        read(
            tmp_path,
            "public",
            annuaire_app.settings(
                ldap=annuaire_app.settings()["ldap"]
                | {"helpdesk": web_apps.ldap_settings("annuaire-helpdesk")}
            ),
        )
    with pytest.raises(ConfigError, match=r"ldap\.activation is not a setting"):
        read(
            tmp_path,
            "helpdesk",
            annuaire_app.helpdesk_file(
                ldap={
                    name: web_apps.ldap_settings(f"annuaire-{name}")
                    for name in ("helpdesk", "activation")
                }
            ),
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "http://annuaire.univ-provence.fr"}, "expected https://"),
        ({"search": annuaire_app.SEARCH | {"page_size": 0}}, "page_size is 0"),
        ({"search": annuaire_app.SEARCH | {"result_limit": 500}}, "at most 200"),
        (
            {"search": annuaire_app.SEARCH | {"unlimited_networks": ["10.0.0.1/8"]}},
            "10.0.0.1/8 has host bits set",
        ),
        ({"search": annuaire_app.SEARCH | {"hourly": 3}}, r"search\.hourly is not a setting"),
        ({"search": {}}, r"search\.\w+ is missing"),
    ],
)
def test_faults_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, "public", annuaire_app.settings(**changes))


def test_the_owner_has_the_database_only(tmp_path: Path) -> None:
    database = {"name": "annuaire", "host": "db.univ-provence.fr", "user": "annuaire_owner"}
    assert read(tmp_path, "owner", {"database": database}).database.user == "annuaire_owner"
    with pytest.raises(ConfigError, match="ldap is not a setting"):
        read(tmp_path, "owner", {"database": database, "ldap": {}})


def test_the_command_checks_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(annuaire_app.settings()))
    assert __main__.main(["public", "check-settings", str(path)]) == 0
    assert __main__.main(["helpdesk", "check-settings", str(path)]) == 1
    assert "is not a setting" in capsys.readouterr().err
    assert __main__.main(["nobody", "check-settings", str(path)]) == 2
    assert __main__.main([]) == 2
    assert "public|helpdesk|owner" in capsys.readouterr().err


def test_cookies_of_the_help_desk_stay_there() -> None:
    public, helpdesk = annuaire_app.public_settings(), annuaire_app.helpdesk_settings()
    assert public["SESSION_COOKIE_NAME"] == "__Host-annuaire-session"
    assert public["SESSION_COOKIE_PATH"] == "/"
    for cookie in ("SESSION", "CSRF"):
        assert helpdesk[f"{cookie}_COOKIE_NAME"].startswith("__Secure-helpdesk-")
        assert helpdesk[f"{cookie}_COOKIE_PATH"] == "/assistance/"
        assert helpdesk[f"{cookie}_COOKIE_SECURE"] is True


def test_each_process_works_in_its_own_schema() -> None:
    database = {"name": "annuaire", "host": "db", "user": "x", "password": "y", "ca_file": "/z"}
    public = annuaire_app.public_settings(database=database)
    helpdesk = annuaire_app.helpdesk_settings(database=database)
    assert "search_path=annuaire,public" in public["DATABASES"]["default"]["OPTIONS"]["options"]
    options = helpdesk["DATABASES"]["default"]["OPTIONS"]
    assert "search_path=helpdesk,annuaire" in options["options"]
    assert options["sslmode"] == "verify-full"
