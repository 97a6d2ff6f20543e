"""Signing in to the lists: through the university's sign-on, by nothing else, and out with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from integration.cas_browser import ldapmodify
from lab import LabUnderTest, wait_for
from sympa import Reader, Sympa

pytestmark = [
    pytest.mark.uses("lists1"),
    pytest.mark.service("lists1", "wwsympa", "ent-sympa-logout", "nginx"),
    pytest.mark.service("sso1", "lemonldap-ng-fastcgi-server"),
]
PASSWORD = "un vieux mot de passe"


@pytest.fixture
def sympa(lab: LabUnderTest) -> Sympa:
    return Sympa(lab)


@pytest.fixture
def old_account(sympa: Sympa) -> Iterator[str]:
    """An account as an older Sympa left it: with a password of its own, stored as Sympa did."""
    email = f"ancien.compte@{sympa.lab.domain}"
    stored = hashlib.md5(PASSWORD.encode()).hexdigest()
    sympa.sql(f"DELETE FROM user_table WHERE email_user = '{email}'")
    sympa.sql("ALTER TABLE user_table DISABLE TRIGGER ent_no_password")
    try:
        sympa.sql(
            f"INSERT INTO user_table (email_user, password_user) VALUES ('{email}', '{stored}')"
        )
    finally:
        sympa.sql("ALTER TABLE user_table ENABLE TRIGGER ent_no_password")
    yield email
    sympa.sql(f"DELETE FROM user_table WHERE email_user = '{email}'")


@pytest.mark.guide("G1", "G1b", "G3")
def test_the_session_of_the_sign_on_opens_the_lists(lab: LabUnderTest) -> None:
    reader = Reader(lab)
    page = reader.enter("jmartin")
    assert page.status_code == 200
    assert reader.who == f"jeanne.martin@{lab.domain}"
    assert "Déconnexion" in page.text
    assert 'lang="fr"' in page.text


def test_nobody_is_asked_to_sign_in_to_look_at_the_list_of_lists(lab: LabUnderTest) -> None:
    reader = Reader(lab)
    page = reader.page("/lists")
    assert page.status_code == 200
    assert reader.who == ""
    assert "Compte de l’université" in page.text
    assert 'type="password"' not in page.text


def test_the_cookie_is_for_this_site_over_tls(lab: LabUnderTest) -> None:
    answer = Reader(lab).get(f"https://listes.{lab.domain}/sympa")
    flags = answer.headers["Set-Cookie"].lower()
    assert "; secure" in flags
    assert "; httponly" in flags
    assert "; samesite=lax" in flags


@pytest.mark.guide("G3")
@pytest.mark.parametrize("form", ["login", "loginrequest", "choosepasswd", "delete_account"])
def test_an_old_password_opens_nothing(
    lab: LabUnderTest, sympa: Sympa, old_account: str, form: str
) -> None:
    reader = Reader(lab)
    reader.page("/lists")
    fields = {"email": old_account, "passwd": PASSWORD, "submit": "1", "previous_action": "home"}
    for name in ("action", f"action_{form}", "javascript_action"):
        given = form if name != f"action_{form}" else "1"
        answer = reader.post(sympa.url, data=fields | {name: given})
        assert answer.status_code in (200, 302, 404)
        assert reader.who == ""
    assert sympa.sessions(old_account) == 0


@pytest.mark.parametrize(
    "page", ["firstpasswd", "renewpasswd", "requestpasswd", "choosepasswd", "setpasswd", "ticket"]
)
def test_there_are_no_pages_about_passwords(lab: LabUnderTest, page: str) -> None:
    assert Reader(lab).get(f"https://listes.{lab.domain}/sympa/{page}/1").status_code == 404


def test_a_password_cannot_be_asked_for(lab: LabUnderTest, sympa: Sympa, old_account: str) -> None:
    reader = Reader(lab)
    reader.page("/lists")
    for step in ({}, {"response_action": "confirm"}):
        reader.post(
            sympa.url,
            data={
                "action_requestpasswd": "1",
                "email": old_account,
                "reason": "firstpasswd",
                **step,
            },
        )
    assert sympa.sql("SELECT count(*) FROM one_time_ticket_table") == [["0"]]


def test_a_person_cannot_set_a_password(lab: LabUnderTest, sympa: Sympa) -> None:
    reader = Reader(lab)
    reader.enter("jmartin")
    email = f"jeanne.martin@{lab.domain}"
    token = sympa.sql(f"SELECT data_session FROM session_table WHERE email_session = '{email}'")[0][
        0
    ].split('csrftoken="')[1][:32]
    reader.post(
        sympa.url,
        data={
            "action_setpasswd": "1",
            "csrftoken": token,
            "newpasswd1": PASSWORD,
            "newpasswd2": PASSWORD,
        },
    )
    rows = sympa.sql(
        f"SELECT coalesce(password_user, 'none') FROM user_table WHERE email_user = '{email}'"
    )
    assert rows in ([], [["none"]])


def test_an_old_ticket_opens_nothing(lab: LabUnderTest, sympa: Sympa) -> None:
    """Links of older mails signed people in; those that a restore brings back are forgotten."""
    email = f"jeanne.martin@{lab.domain}"
    sympa.sql("ALTER TABLE one_time_ticket_table DISABLE TRIGGER ent_no_ticket")
    sympa.sql(
        "INSERT INTO one_time_ticket_table (ticket_one_time_ticket, email_one_time_ticket,"
        " robot_one_time_ticket, date_one_time_ticket, data_one_time_ticket,"
        " remote_addr_one_time_ticket, status_one_time_ticket) VALUES"
        f" ('12345678901234', '{email}', '{sympa.domain}', extract(epoch from now())::int, 'home',"
        " 'mail', 'open')"
    )
    sympa.sql("ALTER TABLE one_time_ticket_table ENABLE TRIGGER ent_no_ticket")
    assert Reader(lab).get(f"{sympa.url}/ticket/12345678901234").status_code == 404
    kept = lab.run("lists1", "runuser -u sympa -- /usr/local/libexec/ent-sympa database")
    assert "old tickets forgotten" in kept.stdout, kept.stderr
    assert sympa.sql("SELECT count(*) FROM one_time_ticket_table") == [["0"]]


def test_old_passwords_are_forgotten(lab: LabUnderTest, sympa: Sympa, old_account: str) -> None:
    kept = lab.run("lists1", "runuser -u sympa -- /usr/local/libexec/ent-sympa database")
    assert "old passwords forgotten" in kept.stdout, kept.stderr
    rows = sympa.sql(
        f"SELECT password_user IS NULL FROM user_table WHERE email_user = '{old_account}'"
    )
    assert rows == [["t"]]


def test_who_may_not_sign_in_does_not(lab: LabUnderTest) -> None:
    for uid in ("mroux", "pdurand"):
        reader = Reader(lab)
        reader.sign_in(uid)
        reader.page()
        assert reader.who == ""


def test_an_account_closed_meanwhile_opens_no_session(lab: LabUnderTest, sympa: Sympa) -> None:
    """The ticket is good, the directory says no address."""
    reader = Reader(lab)
    service = f"{sympa.url}/sso_login_succeeded/ent"
    reader.get(f"{sympa.url}/sso_login/ent")
    answer = reader.sign_in("ldumas", service=service)
    ldapmodify(
        lab,
        "ldumas",
        "replace: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}S:SupannVerrouAdministratif",
    )
    try:
        reader.follow(answer)
        assert reader.who == ""
    finally:
        ldapmodify(
            lab,
            "ldumas",
            "replace: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}A:SupannActif",
        )


@pytest.mark.guide("G1b")
def test_signing_out_ends_the_session_of_the_lists(lab: LabUnderTest, sympa: Sympa) -> None:
    leaving, staying = Reader(lab), Reader(lab)
    leaving.enter("jmartin")
    staying.enter("sfaure")
    assert leaving.who == f"jeanne.martin@{lab.domain}"
    assert leaving.get(f"{leaving.server}/cas/logout").status_code == 200
    assert leaving.who == ""
    assert sympa.sessions(f"jeanne.martin@{lab.domain}") == 0
    leaving.page()
    assert leaving.who == ""
    assert staying.who == f"sophie.faure@{lab.domain}"


def test_signing_out_of_the_lists_ends_the_sign_on_too(lab: LabUnderTest, sympa: Sympa) -> None:
    reader = Reader(lab)
    reader.enter("jmartin")
    reader.page("/logout")
    assert reader.who == ""
    assert reader.open(service=sympa.url).status_code == 200, "the form, not a ticket"


def test_a_sign_out_from_elsewhere_ends_nothing(lab: LabUnderTest, sympa: Sympa) -> None:
    reader = Reader(lab)
    reader.enter("jmartin")
    forged = (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:NameID>jmartin</saml:NameID>'
        "<samlp:SessionIndex>ST-1</samlp:SessionIndex></samlp:LogoutRequest>"
    )
    Reader(lab).post(sympa.url, data={"logoutRequest": forged})
    assert reader.who == f"jeanne.martin@{lab.domain}"


@pytest.mark.alone("ldap1")
def test_a_sign_out_is_not_lost_silently(lab: LabUnderTest, sympa: Sympa) -> None:
    """Without the directory nobody's addresses are known: the sign-on is told, and says so."""
    reader = Reader(lab)
    reader.enter("jmartin")
    request = "<LogoutRequest><NameID>jmartin</NameID></LogoutRequest>"
    with lab.stopped("ldap1", "slapd"):
        assert _told(lab, sympa, request) == 503
    wait_for(lambda: _told(lab, sympa, request) == 200, what="sessions ended afterwards")
    assert reader.who == ""
    for nonsense in ("<LogoutRequest/>", "no xml", request.replace("jmartin", "jmartin)(uid=*")):
        assert _told(lab, sympa, nonsense) == 400


_POST = """
import sys, urllib.error, urllib.parse, urllib.request
form = urllib.parse.urlencode({"logoutRequest": sys.argv[2]}).encode()
try:
    print(urllib.request.urlopen(sys.argv[1], form, timeout=30).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def _told(lab: LabUnderTest, sympa: Sympa, request: str) -> int:
    """Status that the lists answer to a sign-out from the sign-on's host."""
    return int(lab.run("sso1", "python3 -c %s %s %s", _POST, sympa.url, request).stdout)


def test_certificates_are_verified(lab: LabUnderTest) -> None:
    """Directory and sign-on by another name than their certificates' are not talked to."""
    wrong = {
        "ldap": "use Net::LDAP; exit 1 if Net::LDAP->new('ldaps://%s', verify => 'require',"
        " cafile => '/etc/ssl/certs/ca-certificates.crt')",
        "cas": "use AuthCAS; exit 1 if AuthCAS::get_https2('%s', 443, '/cas/login', {})",
    }
    for name, host in (("ldap", "ldap1"), ("cas", "sso1")):
        answered = lab.run("lists1", "perl -e %s", wrong[name] % lab.ip(host))
        assert answered.rc == 0, name
    right = wrong["cas"] % f"cas.{lab.domain}"
    assert lab.run("lists1", "perl -e %s", right).rc == 1
