"""The portal says when the charter in force was not accepted; the file alone has its version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError

import portal_app
import web_apps
from loading import load as load_module

portal_app.start()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.test import Client  # noqa: E402

from ent.annuaire.activation.charter import Acceptance, load  # noqa: E402
from ent.directory import (  # noqa: E402
    DirectorySettings,
    DirectoryUnavailable,
    Entry,
    Filter,
    Scope,
)
from ent.portal import profile, views  # noqa: E402
from ent.portal.config import PortalConfig  # noqa: E402

PAGE = "https://annuaire.univ-provence.fr/compte/charte"
ACCEPTED = Acceptance("2026-1", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)).consent

lookup = load_module("plugins/lookup/charter_version.py")


class ConsentDirectory(portal_app.FakeDirectory):
    """What Jeanne Martin accepted."""

    def __init__(self, *consents: str) -> None:
        super().__init__(portal_app.person())
        self.settings = DirectorySettings("ldaps://ldap.invalid", "dc=x", "cn=x", "secret")
        self.consents = consents
        self.asked = 0
        self.silent = False

    def one(
        self, base: str, where: Filter, attributes: Sequence[str], scope: Scope = Scope.SUBTREE
    ) -> Entry | None:
        self.asked += 1
        if self.silent:
            raise DirectoryUnavailable("down")
        assert str(where) == "(uid=jmartin)"
        assert list(attributes) == ["supannConsentement"]
        return Entry.from_ldap("x", {attributes[0]: [one.encode() for one in self.consents]})


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with web_apps.serving(portal_app.django_settings()):
        yield
    Session.objects.all().delete()
    User.objects.all().delete()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, settings_with: Any) -> Any:
    def answer(directory: ConsentDirectory, version: str) -> Any:
        settings_with(version)
        monkeypatch.setattr(views, "directory", lambda: directory)
        monkeypatch.setattr(profile, "directory", lambda: directory)
        client = Client(headers={"host": "ent.univ-provence.fr", "x-forwarded-proto": "https"})
        user = User.objects.get_or_create(username="jmartin")[0]
        client.force_login(user, "ent.web.cas.Backend")
        return client

    return answer


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch) -> Any:
    from django.conf import settings  # noqa: PLC0415

    def change(version: str) -> None:
        changed = portal_app.settings(charter_version=version, charter_url=PAGE)
        values = web_apps.settings_of("ent.portal.settings", "ENT_PORTAL_SETTINGS", changed)
        monkeypatch.setattr(settings, "PORTAL", values["PORTAL"])

    return change


@pytest.mark.parametrize(
    ("consents", "version", "asked"),
    [
        ((), "2026-1", True),
        ((ACCEPTED,), "2026-1", False),
        ((ACCEPTED,), "2027-1", True),
        ((ACCEPTED,), "2026", True),
        (("{AUTRE}2026-1:20261123083000Z",), "2026-1", True),
        ((), "", False),
    ],
)
def test_who_is_asked(home: Any, consents: tuple[str, ...], version: str, asked: bool) -> None:
    page = home(ConsentDirectory(*consents), version).get("/").content.decode()
    assert (f'href="{PAGE}"' in page) is asked
    assert ("Lire et accepter la charte" in page) is asked


def test_the_question_is_for_the_first_page(home: Any) -> None:
    assert PAGE not in home(ConsentDirectory(), "2026-1").get("/mes-informations").content.decode()


def test_an_acceptance_counts_at_once_and_is_not_asked_for_again(home: Any) -> None:
    directory = ConsentDirectory()
    client = home(directory, "2026-1")
    assert PAGE in client.get("/").content.decode()
    directory.consents = (ACCEPTED,)
    assert PAGE not in client.get("/").content.decode()
    asked = directory.asked
    assert PAGE not in client.get("/").content.decode()
    assert directory.asked == asked


def test_while_the_directory_is_away_nobody_is_asked(home: Any) -> None:
    directory = ConsentDirectory()
    directory.silent = True
    client = home(directory, "2026-1")
    assert PAGE not in client.get("/").content.decode()
    directory.silent = False
    assert PAGE in client.get("/").content.decode()


def test_config() -> None:
    values = web_apps.settings_of(
        "ent.portal.settings", "ENT_PORTAL_SETTINGS", portal_app.settings()
    )
    assert isinstance(values["PORTAL"], PortalConfig)
    assert not values["PORTAL"].charter_version
    with pytest.raises(Exception, match="charter_url is ''"):
        web_apps.settings_of(
            "ent.portal.settings",
            "ENT_PORTAL_SETTINGS",
            portal_app.settings(charter_version="2026-1"),
        )


def test_the_version_is_that_of_the_file(tmp_path: Path) -> None:
    own = tmp_path / "charte.md"
    own.write_text("---\r\ntitle: Charte\r\nversion:  2030-7 \r\n---\r\nversion: 1\r\n")
    found = lookup.LookupModule().run(["", str(own)], {})
    assert found == [load().version, load(own).version] == [load().version, "2030-7"]


@pytest.mark.parametrize("content", [None, "", "version: 1", "---\ntitle: x\n---\nversion: 1\n"])
def test_a_file_without_version(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "charte.md"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AnsibleLookupError, match=r"charte\.md"):
        lookup.LookupModule().run([str(path)], {})
