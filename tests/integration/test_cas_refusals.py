"""What the server refuses, and what it shows to the outside."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import pytest
import requests

from integration.cas_browser import Browser, form_token, message, sql, stored, ticket_of
from lab import LabUnderTest

pytestmark = [
    pytest.mark.uses("sso1"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]


@pytest.fixture
def browser(lab: LabUnderTest) -> Browser:
    return Browser(lab)


@pytest.fixture
def other(lab: LabUnderTest) -> str:
    return f"https://client1.{lab.domain}:8444/other"


# ---- services that are not declared

LOOKALIKES = [
    "https://evil.example/",
    "https://ent.univ-provence.fr.evil.example/",
    "https://ent.univ-provence.fr@evil.example/",
    "https://ent.univ-provence.fr:pw@evil.example/",
    "https://ent.univ-provence.fr%40evil.example/",
    "https://evil.example/https://ent.univ-provence.fr/",
    "https://evil.example/?https://ent.univ-provence.fr/",
    "https://evil.example#https://ent.univ-provence.fr/",
    "https://evil.example\\@ent.univ-provence.fr/",
    "https://ent.univ-provence.fr\\@evil.example/",
    "https:\\\\ent.univ-provence.fr/",
    "https:ent.univ-provence.fr/",
    "https:/ent.univ-provence.fr/",
    "//ent.univ-provence.fr/",
    "ent.univ-provence.fr",
    "http://ent.univ-provence.fr/",
    "https://ent.univ-provence.fr:8443/",
    "https://univ-provence.fr/",
    "https://xent.univ-provence.fr/",
    "https://ent.univ-provence.fr./",
    "ftp://ent.univ-provence.fr/",
    "javascript://ent.univ-provence.fr/%0aalert(1)",
    "https://ent.univ-provence.fr/\r\nLocation: https://evil.example/",
    'https://ent.univ-provence.fr/"><script>alert(1)</script>',
    "https://ent.univ-provence.fr/\u2028",
    "https://ent.univ-provence.fr/#fragment",
    "https://client1.univ-provence.fr:8444/",
    "https://client1.univ-provence.fr:8444/otherwise",
    "https://client1.univ-provence.fr:8444/other/../elsewhere",
    "https://client1.univ-provence.fr:8444/other/%2e%2e/elsewhere",
    "https://client1.univ-provence.fr:8444/other/..%2felsewhere",
    "https://client1.univ-provence.fr:8444/x/../other",
    "https://client1.univ-provence.fr:8444/OTHER",
    "https://ent.univ-provence.fr/" + "a" * 3000,
]


@pytest.mark.parametrize(
    "service", LOOKALIKES, ids=lambda url: url[:60].encode("unicode_escape").decode()
)
def test_service_not_declared(browser: Browser, service: str) -> None:
    """No form (a password would be typed for nothing), no ticket, no way out."""
    for parameters in ({}, {"gateway": "true"}, {"renew": "true"}):
        page = browser.open(service=service, **parameters)
        assert (page.status_code, message(page)) == (403, "Ce service n’est pas connu ici")
        assert 'name="password"' not in page.text
        assert "evil.example" not in page.text


@pytest.mark.parametrize(
    "service", [LOOKALIKES[0], LOOKALIKES[2], "https://client1.univ-provence.fr:8444/otherwise"]
)
def test_service_not_declared_with_a_session(browser: Browser, service: str) -> None:
    browser.sign_in("jmartin")
    for parameters in ({}, {"gateway": "true"}, {"renew": "true"}):
        page = browser.open(service=service, **parameters)
        assert (page.status_code, message(page)) == (403, "Ce service n’est pas connu ici")


def test_form_cannot_smuggle_a_service(browser: Browser, other: str) -> None:
    """The service of the address and of the form: whichever counts must be declared."""
    page = browser.open(service=other)
    form = {
        "user": "jmartin",
        "password": browser.lab.secret("person-jmartin"),
        "token": form_token(page),
        "service": "https://evil.example/",
        "url": "aHR0cHM6Ly9ldmlsLmV4YW1wbGUv",
    }
    response = browser.post(page.url, data=form)
    location = response.headers.get("Location", "")
    assert response.status_code == 403 or location.startswith(f"{other}?ticket=")


@pytest.mark.parametrize(
    "service", ["https://ent.univ-provence.fr/", "https://ent.univ-provence.fr/a/b?c=d&e=%C3%A9"]
)
def test_declared_service_keeps_its_address(browser: Browser, service: str) -> None:
    response = browser.sign_in("jmartin", service=service)
    joint = "&" if "?" in service else "?"
    assert response.headers["Location"].startswith(f"{service}{joint}ticket=ST-")


# ---- the form


def test_form_without_or_with_a_wrong_token(browser: Browser, other: str) -> None:
    page = browser.open(service=other)
    good = form_token(page)
    password = browser.lab.secret("person-jmartin")
    for token in (
        "",
        "x",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "1." + good.partition(".")[2],
    ):
        response = browser.post(
            page.url, data={"user": "jmartin", "password": password, "token": token}
        )
        assert (response.status_code, message(response)) == (
            403,
            "La page de connexion avait expiré",
        )
        assert "__Host-cas" not in response.cookies
    assert browser.fill_in(page, "jmartin", password).status_code == 302


def test_form_of_somebody_else(lab: LabUnderTest, browser: Browser, other: str) -> None:
    """An attacker's form, sent from a page of his by the victim's browser."""
    attacker = Browser(lab)
    token = form_token(attacker.open(service=other))
    browser.open(service=other)
    for victim in (browser, Browser(lab)):
        response = victim.post(
            f"{victim.server}/cas/login",
            params={"service": other},
            data={"user": "tnguyen", "password": lab.secret("person-tnguyen"), "token": token},
            headers={"Origin": "https://evil.example"},
        )
        assert response.status_code == 403
        assert "__Host-cas" not in victim.cookies


def test_password_in_the_address_is_not_read(browser: Browser, other: str) -> None:
    page = browser.open(
        service=other,
        user="jmartin",
        password=browser.lab.secret("person-jmartin"),
        token=form_token(browser.open(service=other)),
    )
    assert page.status_code == 200
    assert "__Host-cas" not in browser.cookies


def test_login_is_escaped_in_the_page(browser: Browser, other: str) -> None:
    page = browser.sign_in('"><script>alert(1)</script>', "x", service=other)
    assert page.status_code == 401
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "login",
    ["*", "jmart*", "jmartin)(uid=*", "jmartin\x00", "uid=jmartin,ou=people", "é", "a" * 500],
)
def test_login_is_no_filter(browser: Browser, other: str, login: str) -> None:
    page = browser.sign_in(login, browser.lab.secret("person-jmartin"), service=other)
    assert (page.status_code, message(page)) == (401, "Identifiant ou mot de passe incorrect")


def test_empty_password_is_no_anonymous_bind(browser: Browser, other: str) -> None:
    page = browser.sign_in("jmartin", "", service=other)
    assert page.status_code == 400
    assert "__Host-cas" not in browser.cookies


def test_form_of_another_tab_signs_in_whoever_fills_it_in(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    """Not whoever left a session behind, and never without the right password."""
    first, second = browser.open(service=other), browser.open(service=other)
    browser.fill_in(first, "jmartin", lab.secret("person-jmartin"))
    page = browser.fill_in(second, "tnguyen", "faux1234")
    assert (page.status_code, message(page)) == (401, "Identifiant ou mot de passe incorrect")
    ticket = ticket_of(browser.fill_in(second, "tnguyen", lab.secret("person-tnguyen")))
    assert "<cas:user>tnguyen</cas:user>" in browser.validate("serviceValidate", other, ticket)


def test_nobody_is_told_the_session_in_a_page(browser: Browser) -> None:
    """The cookie is HttpOnly; the product says it to whoever prefers JSON."""
    browser.headers["Accept"] = "application/json"
    for page in (browser.sign_in("jmartin"), browser.open()):
        assert browser.cookies["__Host-cas"] not in page.text
        assert "json" not in page.headers.get("Content-Type", "")


# ---- cookies and sessions


def test_cookie_flags(browser: Browser, other: str) -> None:
    response = browser.sign_in("jmartin", service=other)
    cookies = SimpleCookie()
    for header in response.raw.headers.getlist("Set-Cookie"):
        cookies.load(header)
    session = cookies["__Host-cas"]
    assert session["secure"]
    assert session["httponly"]
    assert session["samesite"] == "Lax"
    assert session["path"] == "/"
    assert not session["domain"], "for this host only"
    assert not session["expires"] + session["max-age"], "gone when the browser closes"
    assert re.fullmatch(r"[0-9a-f]{64}", session.value)
    form = SimpleCookie(
        browser.open().headers.get("Set-Cookie")
        or Browser(browser.lab).open().headers["Set-Cookie"]
    )
    assert all(morsel["secure"] and morsel["httponly"] for morsel in form.values())


def test_session_is_new_at_each_sign_in(lab: LabUnderTest, browser: Browser) -> None:
    """A session fixed beforehand by somebody else is not the one that is opened."""
    browser.cookies.set("__Host-cas", "f" * 64, domain=f"cas.{lab.domain}")
    browser.sign_in("jmartin")
    assert browser.cookies["__Host-cas"] != "f" * 64


def test_database_does_not_hold_what_opens_a_session(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    ticket = ticket_of(browser.sign_in("jmartin", service=other))
    cookie = browser.cookies["__Host-cas"]
    for secret in (cookie, ticket.removeprefix("ST-"), lab.secret("person-jmartin")):
        for table in ("sessions", "cas_tickets", "service_sessions", "failures"):
            found = sql(lab, f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%{secret}%'")
            assert found == "0", table
    assert sql(lab, f"SELECT count(*) FROM sessions WHERE id = '{stored(cookie)}'") == "1"


def test_journal_holds_no_password_nor_ticket(
    lab: LabUnderTest, browser: Browser, other: str
) -> None:
    ticket = ticket_of(browser.sign_in("jmartin", service=other))
    browser.validate("serviceValidate", other, ticket)
    Browser(lab).sign_in("jmartin", "unMotDePasse1", service=other)
    lines = lab.run("sso1", "journalctl --since -2min --no-pager; cat /var/log/nginx/*.log").stdout
    for secret in (
        "unMotDePasse1",
        lab.secret("person-jmartin"),
        ticket,
        browser.cookies["__Host-cas"],
    ):
        assert secret not in lines
    assert "jmartin" in lines, "who signed in is noted"


# ---- what is there, and what is not


NOT_SERVED = """
    /manager/ /index.psgi /index.psgi/cas/login /lmerror/500 /ping /logout /refresh /mysession/
    /sessions/ /config/ /adminSessions /psgi.js /portal.css /static/common/js/portal.min.js
    /cas/ /cas/samlValidate /cas/relayLogout /cas/login/x /javascript/jquery/jquery.js
    /static/ent/../../ent-sso.pl /static/ent/%2e%2e/preload.pl /pages/503.html
""".split()  # noqa: SIM905


@pytest.mark.parametrize("path", NOT_SERVED)
def test_nothing_else_is_served(browser: Browser, path: str) -> None:
    request = requests.Request("GET", browser.server + path).prepare()
    request.url = browser.server + path
    page = browser.send(request, allow_redirects=False, verify=browser.verify)
    assert (page.status_code, message(page)) == (404, "Cette page n’existe pas")


def test_root_leads_to_the_form(browser: Browser) -> None:
    assert browser.get(f"{browser.server}/").headers["Location"].endswith("/cas/login")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(browser: Browser, method: str) -> None:
    response = browser.request(method, f"{browser.server}/cas/login")
    assert response.status_code in {403, 405}
    assert "Access-Control-Allow-Origin" not in response.headers


def test_pages_load_nothing_from_outside(browser: Browser, other: str) -> None:
    pages = [
        browser.open(service=other),
        browser.open(service="https://evil.example/"),
        browser.get(f"{browser.server}/x"),
    ]
    browser.sign_in("jmartin")
    pages.append(browser.open())
    for page in pages:
        loaded = re.findall(
            r'<(?:link|script|img|iframe|source)\b[^>]*(?:href|src)="([^"]+)"', page.text
        )
        assert loaded
        for address in loaded:
            assert address.startswith("/static/ent/"), address
            assert browser.get(browser.server + address).status_code == 200
        assert not re.search(r"<script|\bon\w+=|style=", page.text)
    css = browser.get(f"{browser.server}/static/ent/ent.css").text
    assert "url(" not in css
    assert "@import" not in css


def test_headers(browser: Browser, other: str) -> None:
    for page in (browser.open(service=other), browser.get(f"{browser.server}/x")):
        policy = page.headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Strict-Transport-Security"].startswith("max-age=")
        assert "no-store" in page.headers["Cache-Control"]
        assert page.headers["Content-Type"].lower() == "text/html; charset=utf-8"
    assert (
        f"https://client1.{browser.lab.domain}:8444"
        in browser.open().headers["Content-Security-Policy"]
    )


def test_service_runs_with_little_power(lab: LabUnderTest) -> None:
    main = lab.run("sso1", "systemctl show -P MainPID lemonldap-ng-fastcgi-server").stdout.strip()
    processes = lab.run("sso1", "ps -o user= --pid %s --ppid %s", main, main)
    assert set(processes.stdout.split()) == {"lemonldap"}
    conf = lab.host("sso1").file("/var/lib/lemonldap-ng/conf/lmConf-1.json")
    assert (conf.user, conf.mode) == ("lemonldap", 0o640)
    reading = lab.run("sso1", "runuser -u www-data -- cat /var/lib/lemonldap-ng/conf/lmConf-1.json")
    assert reading.rc != 0, "nginx cannot read the secrets"
    putting = lab.run("sso1", "runuser -u www-data -- touch /var/lib/lemonldap-ng/conf/.x")
    assert putting.rc != 0, "nor give other rules to the workers"
