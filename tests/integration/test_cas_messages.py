"""Each way of not getting in has its own message, and none says too much."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.cas_browser import (
    Browser,
    failure,
    forget_failures,
    form_token,
    ldapmodify,
    message,
    running_service,
    sql,
    stored,
    ticket_of,
)
from lab import LabUnderTest, wait_for

pytestmark = [
    pytest.mark.uses("sso1"),
    # who is locked and why is counted and forgotten for everybody
    pytest.mark.alone("sso1"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]

WRONG = "Identifiant ou mot de passe incorrect"
LOCKED = "Connexion suspendue quelques minutes"


@pytest.fixture
def other(lab: LabUnderTest) -> str:
    return f"https://client1.{lab.domain}:8444/other"


@pytest.fixture(autouse=True)
def no_failures(lab: LabUnderTest) -> Iterator[None]:
    """Failures of one test do not lock people of the next."""
    forget_failures(lab)
    yield
    forget_failures(lab)


def _plain(page_text: str) -> str:
    """A page without what differs each time."""
    text = re.sub(r'name="token" value="[^"]+"', "", page_text)
    return re.sub(r'name="user" type="text" value="[^"]*"', "", text)


@pytest.mark.guide("G3")
def test_wrong_password_and_unknown_login_look_the_same(lab: LabUnderTest, other: str) -> None:
    wrong = Browser(lab).sign_in("jmartin", "faux1234", service=other)
    unknown = Browser(lab).sign_in("personne", "faux1234", service=other)
    assert (wrong.status_code, message(wrong)) == (401, WRONG)
    assert unknown.status_code == 401
    assert _plain(wrong.text) == _plain(unknown.text)
    assert set(wrong.headers) == set(unknown.headers)
    assert "04 65 71 00 10" in wrong.text


@pytest.mark.parametrize("uid", ["jmartin", "personne", "mroux", "ygarnier"])
def test_every_refusal_costs_a_verification(lab: LabUnderTest, other: str, uid: str) -> None:
    """Of a password, by slapd, which is nearly all the time that a sign-in takes."""
    said = lab.run("ldap1", "journalctl -u slapd -n 1 -o cat --show-cursor").stdout
    mark = said.rpartition("-- cursor: ")[2].strip()
    page = Browser(lab).sign_in(uid, "faux1234", service=other)
    assert page.status_code in {401, 403}

    def verified() -> list[str]:
        """After the search for this login."""
        lines = lab.run("ldap1", "journalctl -u slapd -o cat --after-cursor=%s", mark).stdout
        _, _, after = lines.partition(f'filter="(&(uid={uid})')
        who = rf"(?:uid={uid},ou=people|cn=lemonldap,ou=system)"
        return re.findall(rf'^conn=\d+ op=\d+ BIND dn="{who},\S+" method=128$', after, flags=re.M)

    wait_for(verified, what="slapd verifies a password")


@pytest.mark.guide("G5b")
def test_not_activated(lab: LabUnderTest, other: str) -> None:
    page = Browser(lab).sign_in("ygarnier", "faux1234", service=other)
    assert (page.status_code, message(page)) == (403, "Ce compte n’est pas encore activé")
    assert f"https://annuaire.{lab.domain}/" in page.text
    assert "activer mon compte" in page.text


@pytest.mark.parametrize("uid", ["mroux", "pdurand"])
def test_closed_accounts_are_like_unknown_ones(lab: LabUnderTest, other: str, uid: str) -> None:
    """With their right password too: the directory verifies none for them."""
    owner = Browser(lab).sign_in(uid, service=other)
    unknown = Browser(lab).sign_in("personne", "faux1234", service=other)
    assert (owner.status_code, message(owner)) == (401, WRONG)
    assert _plain(owner.text) == _plain(unknown.text)
    assert "suspendu ou arrivé à expiration" in owner.text
    assert "04 65 71 00 10" in owner.text
    assert "__Host-cas" not in owner.cookies


# ---- guessing


@pytest.mark.parametrize("uid", ["jmartin", "personne", "mroux", "ygarnier", "' OR 1=1 --"])
def test_login_locks_after_failures_whether_it_exists_or_not(
    lab: LabUnderTest, other: str, uid: str
) -> None:
    for _ in range(5):
        assert Browser(lab).sign_in(uid, "faux1234", service=other).status_code in {401, 403}
    page = Browser(lab).sign_in(uid, "faux1234", service=other)
    assert (page.status_code, message(page)) == (429, LOCKED)
    assert 'name="password"' not in page.text


def test_lock_refuses_the_right_password_and_lifts(lab: LabUnderTest, other: str) -> None:
    for _ in range(5):
        Browser(lab).sign_in("tnguyen", "faux1234", service=other)
    for _ in range(3):
        page = Browser(lab).sign_in("tnguyen", service=other)
        assert (page.status_code, message(page)) == (429, LOCKED)
    assert Browser(lab).sign_in("jmartin", service=other).status_code == 302, (
        "others are not concerned"
    )
    sql(lab, "UPDATE failures SET failed_at = failed_at - interval '301 seconds'")
    assert ticket_of(Browser(lab).sign_in("tnguyen", service=other))


def test_success_forgets_failures(lab: LabUnderTest, other: str) -> None:
    for _ in range(4):
        Browser(lab).sign_in("jmartin", "faux1234", service=other)
    assert Browser(lab).sign_in("jmartin", service=other).status_code == 302
    assert sql(lab, "SELECT count(*) FROM failures") == "0"


def test_failures_do_not_name_the_login(lab: LabUnderTest, other: str) -> None:
    """People type their password into the wrong field."""
    Browser(lab).sign_in("secret2008", "x", service=other)
    assert sql(lab, "SELECT count(*) FROM failures WHERE login LIKE '%secret%'") == "0"
    assert sql(lab, "SELECT count(*) FROM failures") == "1"
    assert "secret2008" not in lab.run("sso1", "journalctl --since -10s --no-pager").stdout


def _locked_by_slapd(lab: LabUnderTest, uid: str) -> bool:
    found = lab.run(
        "ldap1",
        "ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -b %s pwdAccountLockedTime",
        f"uid={uid},ou=people,{lab.suffix}",
    )
    assert found.rc == 0, found.stderr
    return "pwdAccountLockedTime:" in found.stdout


def test_guesses_here_do_not_lock_the_mailbox(lab: LabUnderTest, other: str) -> None:
    """Not even those of somebody who comes back each time the lock lifts."""
    for uid in ("tnguyen", "personne"):
        for _ in range(2):
            for _ in range(6):
                Browser(lab).sign_in(uid, "faux1234", service=other)
            sql(lab, "UPDATE failures SET failed_at = failed_at - interval '301 seconds'")
        page = Browser(lab).sign_in(uid, "faux1234", service=other)
        assert (page.status_code, message(page)) == (429, LOCKED), "existing or not"
    assert not _locked_by_slapd(lab, "tnguyen")
    sql(lab, "UPDATE failures SET failed_at = failed_at - interval '5 minutes'")
    assert ticket_of(Browser(lab).sign_in("tnguyen", service=other))


def test_guesses_at_the_same_moment_are_no_more(lab: LabUnderTest, other: str) -> None:
    Browser(lab).sign_in("kbenali", "faux1234", service=other)
    ready = [(browser := Browser(lab), browser.open(service=other)) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        pages = list(threads.map(lambda r: r[0].fill_in(r[1], "kbenali", "faux1234"), ready))
    assert {page.status_code for page in pages} == {401, 429}
    assert sum(page.status_code == 401 for page in pages) <= 4
    assert int(sql(lab, "SELECT count(*) FROM failures")) <= 5


@pytest.mark.parametrize("uid", ["jmartin", "personne", "mroux", "ygarnier"])
@pytest.mark.parametrize(
    "form", [{}, {"oldpassword": "a1b2c3", "newpassword": "d4e5f6", "confirmpassword": "d4e5f6"}]
)
def test_form_without_a_password(
    lab: LabUnderTest, other: str, uid: str, form: dict[str, str]
) -> None:
    """The product would change a password, and say which logins have one."""
    browser = Browser(lab)
    page = browser.open(service=other)
    page = browser.post(page.url, data={"user": uid, "token": form_token(page), **form})
    assert page.status_code == 400
    assert message(page) == "Identifiant et mot de passe sont nécessaires"


def test_lock_of_the_directory(lab: LabUnderTest, other: str) -> None:
    """Locked by slapd, for example after guesses at the mail server."""
    now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
    ldapmodify(lab, "kbenali", f"replace: pwdAccountLockedTime\npwdAccountLockedTime: {now}")
    try:
        page = Browser(lab).sign_in("kbenali", service=other)
        assert (page.status_code, message(page)) == (429, LOCKED)
    finally:
        ldapmodify(lab, "kbenali", "delete: pwdAccountLockedTime")
    assert Browser(lab).sign_in("kbenali", service=other).status_code == 302


def test_too_many_attempts_from_one_address(lab: LabUnderTest) -> None:
    """From a host whose address is not exempt; pages stay available, attempts do not."""
    script = (
        "import collections, ssl, urllib.error, urllib.request as u\n"
        f"url = 'https://cas.{lab.domain}/cas/login'\n"
        "tls = ssl.create_default_context()\n"
        "def status(data):\n"
        "    try:\n"
        "        return u.urlopen(url, data, context=tls).status, ''\n"
        "    except urllib.error.HTTPError as e:\n"
        "        return e.code, e.read().decode()\n"
        "seen = [status(b'user=personne&password=x&token=x') for _ in range(45)]\n"
        "print(collections.Counter(s for s, _ in seen))\n"
        "print(next((page for code, page in seen if code == 429), ''))\n"
        "print('form', status(None)[0])\n"
    )
    seen = lab.run("client1", "python3 -c %s", script)
    assert seen.rc == 0, seen.stderr
    assert "429" in seen.stdout
    assert "403: " in seen.stdout.splitlines()[0]
    assert "Trop de connexions depuis votre adresse" in seen.stdout
    assert seen.stdout.splitlines()[-1] == "form 200"


# ---- when something behind is away


@pytest.fixture
def no_directory(lab: LabUnderTest) -> Iterator[None]:
    with lab.stopped("ldap1", "slapd"):
        yield
    wait_for(
        lambda: Browser(lab).sign_in("jmartin").status_code == 302,
        what="people sign in again after the directory came back",
    )


@pytest.mark.alone("ldap1")
def test_directory_down(lab: LabUnderTest, other: str, no_directory: None) -> None:
    for _ in range(8):
        page = Browser(lab).sign_in("jmartin", service=other)
        assert (page.status_code, message(page)) == (503, "Connexion impossible pour le moment")
        assert "L’annuaire de l’université ne répond pas" in page.text
        assert "ldap" not in page.text.replace("ldap.univ", "").lower()
    assert sql(lab, "SELECT count(*) FROM failures") == "0", "not the person's fault"


@pytest.mark.alone("ldap1")
def test_directory_down_keeps_those_who_are_signed_in(lab: LabUnderTest, other: str) -> None:
    browser = Browser(lab)
    browser.sign_in("jmartin")
    with lab.stopped("ldap1", "slapd"):
        ticket = ticket_of(browser.open(service=other))
        assert "<cas:user>jmartin</cas:user>" in browser.validate("serviceValidate", other, ticket)
    wait_for(
        lambda: Browser(lab).sign_in("jmartin").status_code == 302,
        what="people sign in again after the directory came back",
    )


def test_account_closed_meanwhile_opens_nothing_more(lab: LabUnderTest, other: str) -> None:
    def state(value: str) -> None:
        change = f"replace: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{value}"
        ldapmodify(lab, "tnguyen", change)

    browser = Browser(lab)
    browser.sign_in("tnguyen", service=other)
    state("S:SupannVerrouAdministratif")
    try:
        page = browser.open(service=other)
        assert message(page) == "Se connecter"
        assert message(browser.sign_in("tnguyen", service=other)) == WRONG
    finally:
        state("A:SupannActif")
    assert ticket_of(browser.sign_in("tnguyen", service=other))


@pytest.mark.alone("cas-service")
def test_proxy_ticket_for_an_account_closed_meanwhile(lab: LabUnderTest, other: str) -> None:
    def state(value: str) -> None:
        change = f"replace: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{value}"
        ldapmodify(lab, "tnguyen", change)

    with running_service(lab) as service:
        browser = Browser(lab)
        ticket = browser.ticket("tnguyen", service.url)
        answer = browser.validate(
            "serviceValidate", service.url, ticket, pgtUrl=service.url + "callback"
        )
        iou = answer.partition("<cas:proxyGrantingTicket>")[2].partition("<")[0]
        asked = {"pgt": service.pgt(iou), "targetService": other}
    state("S:SupannVerrouAdministratif")
    try:
        refused = browser.get(f"{browser.server}/cas/proxy", params=asked).text
    finally:
        state("A:SupannActif")
    assert failure(refused) == "INVALID_TICKET"
    assert "<cas:proxyTicket>" in browser.get(f"{browser.server}/cas/proxy", params=asked).text


@pytest.mark.alone("db1")
def test_database_down_and_back(lab: LabUnderTest, other: str) -> None:
    """Nobody loses a session, not even whoever comes while it is away; no restart needed."""
    browser = Browser(lab)
    browser.sign_in("jmartin", service=other)
    cookie = browser.cookies["__Host-cas"]
    with lab.stopped("db1", "postgresql@17-main"):
        page = browser.open(service=other)
        assert (page.status_code, message(page)) == (503, "Connexion impossible pour le moment")
        assert browser.cookies["__Host-cas"] == cookie
        page = Browser(lab).sign_in("jmartin", service=other)
        assert (page.status_code, message(page)) == (503, "Connexion impossible pour le moment")
        assert "L’annuaire" not in page.text
        assert 'code="INTERNAL_ERROR"' in browser.validate(
            "serviceValidate", other, "ST-" + "0" * 64
        )
    wait_for(lambda: sql(lab, "SELECT 1") == "1", what="PostgreSQL is back")
    for _ in range(8):
        assert ticket_of(browser.open(service=other))
    assert ticket_of(Browser(lab).sign_in("jmartin", service=other))


def test_connections_cut_by_the_database_are_replaced(lab: LabUnderTest, other: str) -> None:
    browser = Browser(lab)
    browser.sign_in("jmartin", service=other)
    for _ in range(3):
        sql(
            lab,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lemonldap'",
        )
        for _ in range(6):
            assert ticket_of(browser.open(service=other))


@pytest.mark.alone("sso1")
def test_restart_keeps_sessions(lab: LabUnderTest, other: str) -> None:
    browser = Browser(lab)
    browser.sign_in("jmartin", service=other)
    page = Browser(lab)
    form = page.open(service=other)
    restart = lab.run("sso1", "systemctl restart lemonldap-ng-fastcgi-server")
    assert restart.rc == 0
    assert ticket_of(browser.open(service=other))
    assert ticket_of(page.fill_in(form, "tnguyen", lab.secret("person-tnguyen"))), "open forms too"


@pytest.mark.alone("sso1")
def test_service_away(lab: LabUnderTest) -> None:
    with lab.stopped("sso1", "lemonldap-ng-fastcgi-server"):
        page = Browser(lab).open()
        assert (page.status_code, message(page)) == (503, "Connexion impossible pour le moment")
        assert page.headers["Retry-After"]
    assert Browser(lab).open().status_code == 200


# ---- the end of sessions


def test_purge_removes_what_expired(lab: LabUnderTest) -> None:
    browser, kept = Browser(lab), Browser(lab)
    browser.sign_in("jmartin")
    kept.sign_in("jmartin")
    old, new = (stored(b.cookies["__Host-cas"]) for b in (browser, kept))
    sql(
        lab,
        "UPDATE sessions SET a_session = jsonb_set(a_session, '{_utime}', '1000')"
        f" WHERE id = '{old}'",
    )
    assert message(browser.open()) == "Se connecter", "over, even before the purge"
    run = lab.run("sso1", "systemctl start liblemonldap-ng-portal-perl.service")
    assert run.rc == 0, run.stderr
    assert sql(lab, f"SELECT count(*) FROM sessions WHERE id IN ('{old}', '{new}')") == "1"
    assert (
        lab.run("sso1", "systemctl is-active liblemonldap-ng-portal-perl.timer").stdout.strip()
        == "active"
    )
