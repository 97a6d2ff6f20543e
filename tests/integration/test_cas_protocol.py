"""CAS 1, 2 and 3: what a declared service gets, and what nobody gets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.cas_browser import (
    Browser,
    Service,
    client,
    failure,
    ldapmodify,
    message,
    running_service,
    sql,
    stored,
    ticket_of,
)
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


@pytest.fixture
def other(lab: LabUnderTest) -> str:
    return f"https://client1.{lab.domain}:8444/other"


# ---- success, by an independent client library


def test_cas1(lab: LabUnderTest, browser: Browser, other: str) -> None:
    user, _, _ = client(lab, 1, other).verify_ticket(browser.ticket("jmartin", other))
    assert user == "jmartin"


@pytest.mark.guide("G1", "G3")
@pytest.mark.parametrize("uid", ["jmartin", "alefevre", "kbenali", "tnguyen"])
def test_cas2_every_active_person(
    lab: LabUnderTest, browser: Browser, other: str, uid: str
) -> None:
    user, _, _ = client(lab, 2, other).verify_ticket(browser.ticket(uid, other))
    assert user == uid


def test_cas3_releases_what_is_declared_and_nothing_else(
    lab: LabUnderTest, browser: Browser, service: Service
) -> None:
    ticket = browser.ticket("alefevre", service.url)
    user, attributes, _ = client(lab, 3, service.url).verify_ticket(ticket)
    assert user == "alefevre"
    assert attributes == {
        "uid": "alefevre",
        "displayName": "Amélie Lefèvre",
        "eduPersonAffiliation": ["faculty", "teacher", "employee", "member"],
        "isFromNewLogin": "true",
    }


def test_values_cannot_become_markup(lab: LabUnderTest, browser: Browser, service: Service) -> None:
    name = "Thu & </cas:displayName><cas:uid>jmartin"
    ldapmodify(lab, "tnguyen", f"replace: displayName\ndisplayName: {name}")
    try:
        ticket = browser.ticket("tnguyen", service.url)
        user, attributes, _ = client(lab, 3, service.url).verify_ticket(ticket)
    finally:
        ldapmodify(lab, "tnguyen", "replace: displayName\ndisplayName: Thu Nguyen")
    assert (user, attributes["uid"], attributes["displayName"]) == ("tnguyen", "tnguyen", name)


def test_validation_ignores_a_session_cookie(browser: Browser, other: str) -> None:
    ticket = browser.ticket("jmartin", other)
    assert "<cas:user>jmartin</cas:user>" in browser.validate("serviceValidate", other, ticket)


@pytest.mark.guide("G1")
def test_second_service_without_a_second_password(
    browser: Browser, service: Service, other: str
) -> None:
    browser.sign_in("jmartin", service=service.url)
    ticket = ticket_of(browser.open(service=other))
    assert "<cas:user>jmartin</cas:user>" in browser.validate("p3/serviceValidate", other, ticket)


def test_login_is_forgiving_about_case_and_spaces(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    ticket = ticket_of(browser.sign_in(" JMartin ", lab.secret("person-jmartin"), service=other))
    assert "<cas:user>jmartin</cas:user>" in browser.validate("serviceValidate", other, ticket)


def test_two_tabs_end_in_their_own_services(browser: Browser, service: Service, other: str) -> None:
    first, second = browser.open(service=service.url), browser.open(service=other)
    password = browser.lab.secret("person-jmartin")
    assert browser.fill_in(second, "jmartin", password).headers["Location"].startswith(other)
    assert browser.fill_in(first, "jmartin", password).headers["Location"].startswith(service.url)


# ---- tickets


@pytest.mark.parametrize(
    "endpoint", ["validate", "serviceValidate", "p3/serviceValidate", "proxyValidate"]
)
def test_ticket_is_good_once(browser: Browser, other: str, endpoint: str) -> None:
    ticket = browser.ticket("jmartin", other)
    assert "jmartin" in browser.validate(endpoint, other, ticket)
    assert "jmartin" not in browser.validate(endpoint, other, ticket)


def test_ticket_is_good_once_even_at_the_same_instant(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    ticket = browser.ticket("jmartin", other)
    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(lambda _: Browser(lab).validate("serviceValidate", other, ticket), range(6))
        )
    assert sum("<cas:user>" in answer for answer in answers) == 1


def test_expired_ticket(lab: LabUnderTest, browser: Browser, other: str) -> None:
    ticket = browser.ticket("jmartin", other)
    sql(
        lab,
        "UPDATE cas_tickets SET a_session = a_session || jsonb_build_object('expires',"
        f" extract(epoch FROM now())::bigint - 1) WHERE id = '{stored(ticket)}'",
    )
    assert failure(browser.validate("serviceValidate", other, ticket)) == "INVALID_TICKET"


def test_ticket_lives_no_longer_than_a_minute(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    ticket = browser.ticket("jmartin", other)
    left = sql(
        lab,
        "SELECT (a_session ->> 'expires')::bigint - extract(epoch FROM now())::bigint"
        f" FROM cas_tickets WHERE id = '{stored(ticket)}'",
    )
    assert 0 < int(left) <= 60


def test_ticket_of_another_service_is_refused_and_burnt(
    browser: Browser, service: Service, other: str
) -> None:
    ticket = browser.ticket("jmartin", service.url)
    assert failure(browser.validate("serviceValidate", other, ticket)) == "INVALID_SERVICE"
    assert failure(browser.validate("serviceValidate", service.url, ticket)) == "INVALID_TICKET"


def test_ticket_of_an_ended_session(browser: Browser, other: str) -> None:
    ticket = browser.ticket("jmartin", other)
    browser.get(f"{browser.server}/cas/logout")
    assert failure(browser.validate("serviceValidate", other, ticket)) == "INVALID_TICKET"


@pytest.mark.parametrize(
    "ticket", ["", "ST-", "ST-" + "0" * 64, "ST-' OR 1=1 --", "PGT-" + "0" * 64]
)
def test_made_up_tickets(browser: Browser, other: str, ticket: str) -> None:
    expected = "INVALID_TICKET" if ticket else "INVALID_REQUEST"
    assert failure(browser.validate("serviceValidate", other, ticket)) == expected
    assert browser.validate("validate", other, ticket) == "no\n\n"


# ---- gateway, renew


@pytest.mark.parametrize("value", ["true", "TRUE", "1"])
def test_gateway_without_a_session_comes_back_without_a_ticket(
    browser: Browser, other: str, value: str
) -> None:
    response = browser.open(service=other, gateway=value)
    assert (response.status_code, response.headers["Location"]) == (302, other)


def test_gateway_with_a_session_brings_a_ticket(browser: Browser, other: str) -> None:
    browser.sign_in("jmartin", service=other)
    ticket = ticket_of(browser.open(service=other, gateway="true"))
    assert "<cas:user>jmartin</cas:user>" in browser.validate("serviceValidate", other, ticket)


def test_renew_asks_for_the_password_again(browser: Browser, service: Service, other: str) -> None:
    browser.sign_in("jmartin", service=other)
    session = browser.cookies["__Host-cas"]
    page = browser.open(service=service.url, renew="true")
    assert page.status_code == 200
    assert message(page) == "Se connecter"
    ticket = ticket_of(browser.fill_in(page, "jmartin", browser.lab.secret("person-jmartin")))
    answer = browser.validate("serviceValidate", service.url, ticket, renew="true")
    assert "<cas:user>jmartin</cas:user>" in answer
    assert browser.cookies["__Host-cas"] == session, "the session goes on"


def test_renew_refuses_a_ticket_that_came_from_the_session(browser: Browser, other: str) -> None:
    browser.sign_in("jmartin", service=other)
    ticket = ticket_of(browser.open(service=other))
    assert (
        failure(browser.validate("serviceValidate", other, ticket, renew="true"))
        == "INVALID_TICKET"
    )


def test_renew_by_somebody_else_ends_the_first_session(
    lab: LabUnderTest, browser: Browser, service: Service
) -> None:
    ticket = browser.ticket("jmartin", service.url)
    browser.validate("serviceValidate", service.url, ticket)
    page = browser.open(service=service.url, renew="true")
    second = ticket_of(browser.fill_in(page, "tnguyen", lab.secret("person-tnguyen")))
    assert "<cas:user>tnguyen</cas:user>" in browser.validate(
        "serviceValidate", service.url, second
    )
    assert service.signed_out(ticket)


# ---- who may enter


def test_service_for_some_people_only(lab: LabUnderTest) -> None:
    teachers = f"https://client1.{lab.domain}:8444/teachers"
    refused = Browser(lab).sign_in("jmartin", service=teachers)
    assert refused.status_code == 403
    assert message(refused) == "Ce service ne vous est pas ouvert"
    assert "Réservé aux enseignants" in refused.text
    browser = Browser(lab)
    ticket = browser.ticket("alefevre", teachers)
    assert "<cas:user>alefevre</cas:user>" in browser.validate("serviceValidate", teachers, ticket)


# ---- proxies


@pytest.fixture
def granted(browser: Browser, service: Service) -> str:
    """A proxy-granting ticket."""
    ticket = browser.ticket("jmartin", service.url)
    proxying = client(browser.lab, 2, service.url, proxy_callback=f"{service.url}callback")
    user, _, iou = proxying.verify_ticket(ticket)
    assert user == "jmartin"
    assert iou
    return service.pgt(iou)


def test_proxy_chain(
    lab: LabUnderTest, browser: Browser, service: Service, granted: str, other: str
) -> None:
    proxy_ticket = client(lab, 2, service.url, proxy_callback="x").get_proxy_ticket(granted)
    assert proxy_ticket, "python-cas asks for the service itself"
    target = browser.get(
        f"{browser.server}/cas/proxy", params={"pgt": granted, "targetService": other}
    )
    ticket = target.text.partition("<cas:proxyTicket>")[2].partition("<")[0]
    assert ticket.startswith("PT-")
    answer = browser.validate("proxyValidate", other, ticket)
    assert "<cas:user>jmartin</cas:user>" in answer
    assert f"<cas:proxy>{service.url}callback</cas:proxy>" in answer


def _proxy(browser: Browser, pgt: str, target: str) -> str:
    return browser.get(
        f"{browser.server}/cas/proxy", params={"pgt": pgt, "targetService": target}
    ).text


def test_proxy_ticket_is_for_proxy_validate_only(
    browser: Browser, granted: str, other: str
) -> None:
    for prefix in ("PT-", "ST-"):
        answer = _proxy(browser, granted, other)
        ticket = prefix + answer.partition("<cas:proxyTicket>PT-")[2].partition("<")[0]
        assert failure(browser.validate("serviceValidate", other, ticket)) == "INVALID_TICKET"


def test_service_ticket_is_no_proxy_granting_ticket(
    browser: Browser, service: Service, other: str
) -> None:
    ticket = browser.ticket("jmartin", other)
    for pgt in (ticket, ticket.replace("ST-", "PGT-"), "PGT-" + "0" * 64):
        assert failure(_proxy(browser, pgt, service.url)) == "INVALID_TICKET"


def test_proxy_ticket_for_an_undeclared_service(browser: Browser, granted: str) -> None:
    assert failure(_proxy(browser, granted, "https://evil.example/")) == "UNAUTHORIZED_SERVICE"


def test_proxy_ticket_respects_who_may_enter(
    lab: LabUnderTest, browser: Browser, granted: str
) -> None:
    teachers = f"https://client1.{lab.domain}:8444/teachers"
    assert failure(_proxy(browser, granted, teachers)) == "UNAUTHORIZED_SERVICE"


def test_proxy_right_ends_with_the_session(browser: Browser, granted: str, other: str) -> None:
    browser.get(f"{browser.server}/cas/logout")
    assert failure(_proxy(browser, granted, other)) == "INVALID_TICKET"


def test_service_without_the_right_to_proxy(browser: Browser, other: str, service: Service) -> None:
    ticket = browser.ticket("jmartin", other)
    answer = browser.validate("serviceValidate", other, ticket, pgtUrl=f"{other}/callback")
    assert failure(answer) == "UNAUTHORIZED_SERVICE_PROXY"


@pytest.mark.parametrize(
    "url", ["http://client1.univ-provence.fr:8443/", "https://evil.example/callback"]
)
def test_proxy_callback_outside_the_service(browser: Browser, service: Service, url: str) -> None:
    ticket = browser.ticket("jmartin", service.url)
    assert (
        failure(browser.validate("serviceValidate", service.url, ticket, pgtUrl=url))
        == "INVALID_PROXY_CALLBACK"
    )


def test_proxy_callback_that_fails_grants_nothing(browser: Browser, service: Service) -> None:
    ticket = browser.ticket("jmartin", service.url)
    answer = browser.validate("serviceValidate", service.url, ticket, pgtUrl=f"{service.url}broken")
    assert "<cas:user>jmartin</cas:user>" in answer
    assert "proxyGrantingTicket" not in answer
