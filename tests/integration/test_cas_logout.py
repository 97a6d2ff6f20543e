"""Signing out: everywhere, and never to somewhere strange."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.cas_browser import Browser, Service, message, running_service, sql, ticket_of
from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("sso1"),
    pytest.mark.alone("cas-service"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]


@pytest.fixture
def browser(lab: LabUnderTest) -> Browser:
    return Browser(lab)


@pytest.fixture(scope="module")
def service(lab: LabUnderTest) -> Iterator[Service]:
    with running_service(lab) as running:
        yield running


def _logout(browser: Browser, **parameters: str):  # type: ignore[no-untyped-def]
    return browser.get(f"{browser.server}/cas/logout", params=parameters)


def test_sign_out_ends_the_session(browser: Browser, service: Service) -> None:
    browser.sign_in("jmartin", service=service.url)
    cookie = browser.cookies["__Host-cas"]
    page = _logout(browser)
    assert (page.status_code, message(page)) == (200, "Vous êtes déconnecté")
    browser.cookies.set("__Host-cas", cookie, domain=f"cas.{browser.lab.domain}")
    assert message(browser.open(service=service.url)) == "Se connecter"


def test_every_service_is_told(browser: Browser, service: Service) -> None:
    """Every ticket, also two of the same service; without the browser's help."""
    tickets = [
        browser.ticket("jmartin", service.url),
        ticket_of(browser.open(service=service.url + "autre")),
    ]
    browser.validate("serviceValidate", service.url, tickets[0])
    browser.validate("p3/serviceValidate", service.url + "autre", tickets[1])
    assert not any(map(service.signed_out, tickets))
    _logout(browser)
    assert all(map(service.signed_out, tickets))


def test_service_that_does_not_answer_does_not_keep_anybody_signed_in(
    browser: Browser, service: Service
) -> None:
    """test-teachers wants to be told, but nothing listens at its port."""
    teachers = f"https://client1.{browser.lab.domain}:8444/teachers"
    ticket = browser.ticket("alefevre", teachers)
    browser.validate("serviceValidate", teachers, ticket)
    page = _logout(browser)
    assert message(page) == "Vous êtes déconnecté"
    assert page.elapsed.total_seconds() < 10


def test_sign_out_leaves_nothing_behind(
    lab: LabUnderTest, browser: Browser, service: Service
) -> None:
    ticket = browser.ticket("kbenali", service.url)
    browser.validate("serviceValidate", service.url, ticket)
    browser.open(service=service.url)
    _logout(browser)
    for table in ("cas_tickets", "service_sessions"):
        known = "SELECT id FROM sessions"
        column = "a_session ->> 'session'" if table == "cas_tickets" else "session"
        assert sql(lab, f"SELECT count(*) FROM {table} WHERE {column} NOT IN ({known})") == "0"


def test_sign_out_returns_to_a_declared_service(browser: Browser, service: Service) -> None:
    browser.sign_in("jmartin", service=service.url)
    response = _logout(browser, service=service.url)
    assert (response.status_code, response.headers["Location"]) == (302, service.url)
    assert message(browser.open()) == "Se connecter"


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("parameter", ["service", "url"])
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "https://ent.univ-provence.fr.evil.example/",
        "https://ent.univ-provence.fr@evil.example/",
        "http://ent.univ-provence.fr/",
        "https://ent.univ-provence.fr:8443/",
        "javascript:alert(1)",
        "https://ent.univ-provence.fr/\r\nSet-Cookie: a=b",
    ],
)
def test_sign_out_is_no_open_redirection(
    browser: Browser, target: str, parameter: str, signed_in: bool
) -> None:
    if signed_in:
        browser.sign_in("jmartin")
    page = _logout(browser, **{parameter: target})
    assert (page.status_code, message(page)) == (200, "Vous êtes déconnecté")
    assert "evil" not in page.text
    assert "javascript" not in page.text
    assert "Refresh" not in page.headers


def test_sign_out_button(browser: Browser) -> None:
    browser.sign_in("jmartin")
    page = browser.open()
    assert message(page) == "Vous êtes connecté"
    assert "jmartin" in page.text
    assert message(browser.post(f"{browser.server}/cas/logout")) == "Vous êtes déconnecté"
