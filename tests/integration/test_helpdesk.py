"""The running help desk over HTTP: a call from beginning to end, and what may break it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import ldap
import pytest

from helpdesk_browser import Visitor, code_on, text
from helpdesk_people import NEW, OLD, Someone, join, leave, lines_about, someone, sql
from integration.cas_browser import Browser
from lab import LabUnderTest, wait_for
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("helpdesk", "harpege"),
    pytest.mark.service("annuaire1", "ent-helpdesk"),
    pytest.mark.service("ldap1", "slapd"),
]
HOST = "annuaire1"
#: Its LDAP request is told by its length from all others of the process (test_..._write).
LONG = "p4ss" + "x" * 56


@dataclass
class Call:
    """An agent who signed in, a caller, and the caller's browser."""

    lab: LabUnderTest
    agent: Someone
    desk: Visitor
    caller: Someone
    browser: Visitor

    def verify(self, number: str = "", born: str = "") -> str:
        """The agent types what the caller says; what the page says then."""
        number, born = number or self.caller.number, born or self.caller.born
        return text(
            self.desk.submit(f"/personne/{self.caller.uid}/verifier", number=number, born=born)
        )

    def code(self) -> str:
        """A code for the caller, verified."""
        assert "identité vérifiée" in self.verify()
        return code_on(self.desk.submit(f"/personne/{self.caller.uid}/code"))

    def signs_in(self, password: str) -> bool:
        """Whether slapd takes this as the caller's password."""
        try:
            Directory(self.lab).bind(self.caller.dn, password)
        except ldap.INVALID_CREDENTIALS:
            return False
        return True

    def tries_again(self, code: str) -> None:
        """What the page asks for when something was away: the same form, until it is heard."""
        wait_for(
            lambda: "enregistré" in text(self.browser.redeem(self.caller.uid, code, NEW)),
            what="the code to be taken",
        )
        assert self.signs_in(NEW)

    def lines(self, action: str = "") -> list[str]:
        """The trail about the caller."""
        found = lines_about(self.lab, self.caller.uid)
        return [one for one in found if one.startswith(action)]

    def unspent(self) -> bool:
        """Whether the caller's code can still be used."""
        found = sql(
            self.lab,
            "SELECT used_at IS NULL FROM helpdesk.helpdesk_onetimecode"
            f" WHERE person = '{self.caller.uid}'",
        )
        return bool(found.stdout.strip() == "t")


@pytest.fixture(scope="module")
def agent(lab: LabUnderTest) -> Iterator[Someone]:
    with someone(lab, "Agathe", groups=("helpdesk",)) as who:
        yield who


@pytest.fixture(scope="module")
def desk(lab: LabUnderTest, agent: Someone) -> Visitor:
    visitor = Visitor(lab)
    page = visitor.enter(agent.uid, OLD)
    assert "Chercher une personne" in text(page), text(page)
    return visitor


@pytest.fixture
def call(lab: LabUnderTest, agent: Someone, desk: Visitor) -> Iterator[Call]:
    with someone(lab) as caller:
        yield Call(lab, agent, desk, caller, Visitor(lab))


# A call


def test_a_call_from_beginning_to_end(call: Call) -> None:
    code = call.code()
    page = call.browser.redeem(call.caller.uid, code, NEW)
    assert "Mot de passe enregistré" in text(page)
    assert call.signs_in(NEW)
    assert not call.signs_in(OLD)
    agent = call.agent.uid
    assert [one.replace(agent, "AGENT") for one in call.lines()] == [
        "verify begun AGENT",
        "verify done AGENT proofs:right",
        "view done AGENT",
        "issue done AGENT minutes:10",
        "redeem begun",
        "redeem done",
    ]


def test_every_line_is_in_the_journal_as_json(call: Call) -> None:
    call.code()
    read = "journalctl --sync; journalctl -u ent-helpdesk -n 200 -o cat --no-pager"
    journal = call.lab.run(HOST, read).stdout
    found = [
        json.loads(line.partition(": ")[2])
        for line in journal.splitlines()
        if "helpdesk.trail: {" in line and call.caller.uid in line
    ]
    assert [one["action"] for one in found] == ["verify", "verify", "view", "issue"]
    stored = sql(
        call.lab,
        "SELECT string_agg(hash, ' ' ORDER BY number) FROM helpdesk.helpdesk_trailline"
        f" WHERE person = '{call.caller.uid}'",
    ).stdout.split()
    assert [one["hash"] for one in found] == stored
    assert (
        {one["address"] for one in found} == {call.lab.facts["gateway"]}
        if ("gateway" in call.lab.facts)
        else {one["address"] for one in found} != {""}
    )


def test_no_secret_is_kept_anywhere(call: Call) -> None:
    code = call.code()
    call.browser.redeem(call.caller.uid, code, NEW)
    call.verify(number="47114711")
    dump = call.lab.run(
        "db1", "runuser -u postgres -- pg_dump --data-only --schema=helpdesk annuaire"
    ).stdout
    journal = call.lab.run(HOST, "journalctl --no-pager -n 2000").stdout
    access = call.lab.run(HOST, "cat /var/log/nginx/*.log").stdout
    digits = code.replace(" ", "")
    for secret in (digits, code, NEW, call.caller.number, "47114711", "1979-08-09"):
        assert secret not in dump, secret
        assert secret not in journal, secret
        assert secret not in access, secret


def test_people_on_the_red_list_are_found_here(lab: LabUnderTest, desk: Visitor) -> None:
    with someone(lab, supannListeRouge="TRUE") as caller:
        page = desk.go("/", q=caller.name)
        assert caller.uid in page.text


def test_an_old_address_finds_its_owner(lab: LabUnderTest, desk: Visitor) -> None:
    with someone(
        lab, state="I:SupannPrecree", mail="", supannAutreMail="odile.hdk@up.univ-aix.fr"
    ) as caller:
        page = desk.go("/", q="Odile.HDK@up.univ-aix.fr")
        assert f"/personne/{caller.uid}" in page.text


def test_why_with_dates(lab: LabUnderTest, desk: Visitor) -> None:
    states = {
        "I:SupannPrecree": "Compte pas encore activé",
        "S:SupannVerrouAdministratif": "Compte suspendu par l’administration",
        "S:SupannVerrouTechnique": "Compte suspendu après un départ",
        "I:SupannExpire": "Compte expiré",
    }
    for state, title in states.items():
        date = f"{{COMPTE}}{state}:20260901:"
        with someone(lab, state=state, mail="", supannRessourceEtatDate=date) as caller:
            said = text(desk.go(f"/personne/{caller.uid}"))
            assert title in said
            assert "Depuis le 1 septembre 2026" in said
    date = "{COMPTE}A:SupannSursis:20260901:20301231"
    with someone(lab, state="A:SupannSursis", supannRessourceEtatDate=date) as caller:
        assert "jusqu’au 31 décembre 2030" in text(desk.go(f"/personne/{caller.uid}"))


# Locks


def test_every_lock_is_seen_and_lifted(call: Call) -> None:
    browser = Browser(call.lab)
    close_at_the_sign_on(call)
    directory = Directory(call.lab)
    for guess in range(10):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(call.caller.dn, f"encore-{guess}")
    sql(
        call.lab,
        "INSERT INTO annuaire.annuaire_limits_count (task, subject, failures, last, locked_at)"
        f" VALUES ('activation', '{call.caller.uid}', 10, now(), now())",
    )
    said = text(call.desk.go(f"/personne/{call.caller.uid}"))
    assert "Compte verrouillé par des mots de passe faux" in said
    assert "Page de connexion ralentie" in said
    assert "Activation du compte bloquée" in said
    assert not call.signs_in(OLD)

    said = text(call.desk.submit(f"/personne/{call.caller.uid}/debloquer"))
    assert "Les blocages sont levés." in said
    assert "Rien n’empêche la connexion" in said
    assert call.signs_in(OLD)
    assert browser.sign_in(call.caller.uid, OLD).status_code in (200, 302)
    assert "Connexion suspendue" not in browser.open().text
    assert sorted(one.split()[-1] for one in call.lines("unlock done")) == [
        "attempts",
        "directory",
        "sign-on",
    ]


def test_a_new_password_ends_the_locks(call: Call) -> None:
    directory = Directory(call.lab)
    for guess in range(10):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            directory.bind(call.caller.dn, f"encore-{guess}")
    browser = Browser(call.lab)
    close_at_the_sign_on(call)
    call.browser.redeem(call.caller.uid, call.code(), NEW)
    assert call.signs_in(NEW)
    assert "Connexion suspendue" not in browser.sign_in(call.caller.uid, NEW).text


def close_at_the_sign_on(call: Call) -> None:
    """Type wrong passwords at the sign-on until it has had enough."""
    guesser = Browser(call.lab)
    wait_for(
        lambda: "Connexion suspendue" in guesser.sign_in(call.caller.uid, "faux-2026").text,
        what="the sign-on to close the login",
    )


# Who


def test_whoever_leaves_the_group_leaves_the_help_desk_at_once(lab: LabUnderTest) -> None:
    directory = Directory(lab)
    with someone(lab, groups=("helpdesk",)) as gone, someone(lab) as caller:
        desk = Visitor(lab)
        desk.enter(gone.uid, OLD)
        fields = {"number": caller.number, "born": caller.born}
        page = desk.submit(f"/personne/{caller.uid}/verifier", **fields)
        assert "identité vérifiée" in text(page)
        leave(directory, "helpdesk", gone.dn)
        page = desk.submit(f"/personne/{caller.uid}/code", follow=False)
        assert page.status_code == 403
        assert desk.go("/").status_code == 403
        assert lines_about(lab, caller.uid)[-1].startswith("view done")
        join(directory, "helpdesk", gone.dn)
        assert desk.go("/").status_code == 200


def test_an_agent_who_is_suspended_is_out_at_once(lab: LabUnderTest) -> None:
    with someone(lab, groups=("helpdesk",)) as gone:
        desk = Visitor(lab)
        desk.enter(gone.uid, OLD)
        Directory(lab).as_root(
            f"dn: {gone.dn}\nchangetype: modify\nreplace: supannRessourceEtat\n"
            "supannRessourceEtat: {COMPTE}S:SupannVerrouAdministratif\n\n"
        )
        assert desk.go("/").status_code == 403


def test_the_single_sign_on_alone_does_not_open_the_help_desk(
    lab: LabUnderTest, agent: Someone
) -> None:
    """A ticket that was given without the password is refused: an unlocked desk opens nothing."""
    visitor = Visitor(lab)
    visitor.sign_in(agent.uid, OLD)
    # the help desk itself asks for the password
    asked = visitor.get(f"{visitor.desk}/connexion", params={"next": "/assistance/"})
    location = asked.headers["Location"]
    assert "renew=true" in location
    assert 'name="password"' in visitor.get(location).text
    # and takes no ticket for which CAS did not
    ticket = visitor.get(location.replace("renew=true", "renew=false"))
    assert ticket.status_code == 302
    assert "ticket=ST-" in ticket.headers["Location"]
    visitor.get(ticket.headers["Location"])
    page = visitor.get(f"{visitor.desk}/", params={"q": "martin"})
    assert page.status_code == 302
    assert "/assistance/connexion" in page.headers["Location"]


def test_signing_out_at_cas_ends_the_session(lab: LabUnderTest, agent: Someone) -> None:
    visitor = Visitor(lab)
    visitor.enter(agent.uid, OLD)
    assert "Chercher une personne" in text(visitor.go("/"))
    visitor.get(f"https://cas.{lab.domain}/cas/logout")
    wait_for(
        lambda: "J’ai reçu un code" in text(visitor.go("/")),
        what="the back-channel logout to reach the help desk",
    )


def test_the_session_is_for_the_help_desk_only(desk: Visitor) -> None:
    names = {one.name: one for one in desk.cookies if "helpdesk" in one.name}
    session = names["__Secure-helpdesk-session"]
    assert session.path == "/assistance/"
    assert session.secure
    assert session.has_nonstandard_attr("HttpOnly")
    assert session.expires is None


# Codes


def test_two_at_once_with_one_code(call: Call) -> None:
    code = call.code()
    with held(call), ThreadPoolExecutor(2) as pool:
        sent = [
            pool.submit(Visitor(call.lab).redeem, call.caller.uid, code, password)
            for password in ("premier-2026", "second-2026")
        ]
        wait_for(lambda: waiting(call) >= 2, what="both to wait for the code")
        release(call)
        pages = [text(one.result()) for one in sent]
    done = ["Mot de passe enregistré" in one for one in pages]
    assert sorted(done) == [False, True], pages
    assert call.signs_in("premier-2026") is done[0]
    assert call.signs_in("second-2026") is done[1]
    assert len(call.lines("redeem done")) == 1


def test_a_double_click(call: Call) -> None:
    code = call.code()
    with held(call), ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(Visitor(call.lab).redeem, call.caller.uid, code, NEW) for _ in range(2)]
        wait_for(lambda: waiting(call) >= 2, what="both to wait for the code")
        release(call)
        assert ["Mot de passe enregistré" in text(one.result()) for one in sent] == [True, True]
    assert call.signs_in(NEW)


def test_a_code_that_expired(call: Call) -> None:
    code = call.code()
    sql(
        call.lab,
        "UPDATE helpdesk.helpdesk_onetimecode SET expires_at = now() - interval '1 second'"
        f" WHERE person = '{call.caller.uid}'",
    )
    page = call.browser.redeem(call.caller.uid, code, NEW)
    assert page.status_code == 403
    assert "n’est plus valable" in text(page)
    assert call.signs_in(OLD)


def test_a_reloaded_form(call: Call) -> None:
    """What a browser sends again: the same form, and a form of a session that ended."""
    code = call.code()
    assert "enregistré" in text(call.browser.redeem(call.caller.uid, code, NEW))
    assert "enregistré" in text(call.browser.redeem(call.caller.uid, code, NEW))
    call.browser.cookies.clear()
    page = call.browser.post(f"{call.browser.desk}/code", data={"login": call.caller.uid})
    assert page.status_code == 403
    assert "Formulaire expiré" in text(page)
    # the agent's: the verification is made anew, the code replaced
    assert call.code() != code


def test_a_password_that_slapd_alone_refuses(call: Call) -> None:
    """What passes the form and not slapd: the page says so, and the code stays valid."""
    code = call.code()
    with another_rule(call.lab):
        page = call.browser.redeem(call.caller.uid, code, NEW)
        assert page.status_code == 422
        assert "Votre code reste valable" in text(page)
    assert call.unspent()
    assert call.lines("redeem refused")[-1].endswith("rule")
    assert "enregistré" in text(call.browser.redeem(call.caller.uid, code, NEW))


def test_the_password_is_not_asked_of_people_without_a_code(call: Call) -> None:
    """An unknown login, one without a code, a wrong code: one page, one status."""
    code = call.code()
    pages = []
    for uid, digits in (
        (call.caller.uid, "000 000 000"),
        ("nobodyatall", code),
        (call.agent.uid, code),
    ):
        page = Visitor(call.lab).redeem(uid, digits, NEW)
        pages.append((page.status_code, re.sub(r'value="[^"]*"', "", page.text)))
    assert {status for status, _ in pages} == {403}
    assert len({page for _, page in pages}) == 1


@pytest.mark.parametrize(
    "value", ["*", "(uid=*)", "\u202eetu", "😀" * 40, "' OR 1=1 --", "../../x", "x" * 60_000]
)
def test_whatever_is_typed(call: Call, value: str) -> None:
    for field in ("login", "code", "password"):
        fields = {"login": call.caller.uid, "code": "000 000 000", "password": NEW, "again": NEW}
        page = call.browser.submit("/code", **fields | {field: value})
        assert page.status_code in (400, 403, 422), (field, page.status_code)
    assert call.desk.go("/", q=value[:3000]).status_code == 200
    assert call.desk.go(f"/personne/{value[:50].replace('/', '')}").status_code == 404
    for field in ("number", "born"):
        fields = {"number": "1", "born": "01/02/1980"} | {field: value}
        page = call.desk.submit(f"/personne/{call.agent.uid}/verifier", **fields)
        assert page.status_code in (200, 422), (field, page.status_code)
    assert call.signs_in(OLD)


# Faults. Only the help desk's process is cut off: others work on the same servers.


@contextmanager
def cut_off(call: Call, *rules: str) -> Iterator[None]:
    """Rules of nftables about what the help desk's process sends."""
    lab = call.lab
    script = ["add table inet hdk", *_HOOKS]
    script += [f"add rule inet hdk out meta skuid ent-helpdesk {rule}" for rule in rules]
    made = lab.run(HOST, "printf '%%s' %s | nft -f -", "\n".join(script) + "\n")
    try:
        assert made.rc == 0, made.stderr
        yield
    finally:
        lab.run(HOST, "nft delete table inet hdk")
        wait_for(
            lambda: call.desk.go("/", q=call.caller.uid).status_code == 200,
            what="the help desk to reach everything again",
        )


_HOOKS = (
    "add chain inet hdk out { type filter hook output priority 0; }",
    "add chain inet hdk in { type filter hook input priority 0; }",
    # answers to connections that were marked do not arrive
    "add rule inet hdk in ct mark 77 drop",
)
NO_DIRECTORY = "tcp dport 636 reject with tcp reset"
NO_DATABASE = "tcp dport 5432 reject with tcp reset"
#: The write of a password of 60 characters reaches slapd; its answer is lost.
WRITE = "tcp dport 636 meta length 230-300 ct mark set 77"
NO_NEW_CONNECTION = "tcp dport 636 tcp flags & (syn | ack) == syn reject with tcp reset"


@pytest.mark.alone("helpdesk")
def test_the_directory_is_away(call: Call) -> None:
    code = call.code()
    with cut_off(call, NO_DIRECTORY):
        page = call.browser.redeem(call.caller.uid, code, NEW)
        assert page.status_code == 503
        assert "Rien n’a été changé" in text(page)
        assert "reste valable jusqu’au" in text(page)
        page = call.desk.go(f"/personne/{call.caller.uid}")
        assert page.status_code == 503
        assert "L’annuaire ne répond pas" in text(page)
    assert call.unspent()
    assert call.signs_in(OLD)
    call.tries_again(code)


def warm(call: Call) -> None:
    """Have every worker hold a connection to the directory."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: call.desk.go("/", q=call.caller.uid), range(24)))


@pytest.mark.alone("helpdesk")
def test_the_answer_to_the_write_is_lost(call: Call) -> None:
    """The directory can be asked what became of it: the person learns that it was done."""
    code = call.code()
    warm(call)
    with cut_off(call, WRITE):
        page = call.browser.redeem(call.caller.uid, code, LONG)
        assert "Mot de passe enregistré" in text(page)
    assert call.signs_in(LONG)
    assert not call.unspent()
    assert call.lines("redeem")[-1] == "redeem done"
    journal = call.lab.run(
        HOST, "journalctl --sync; journalctl -u ent-helpdesk -n 50 -o cat --no-pager"
    ).stdout
    assert "no answer, looking again" in journal


@pytest.mark.alone("helpdesk")
def test_the_directory_goes_away_in_the_middle(call: Call) -> None:
    """Nobody can be asked: the page says both possibilities, and the same code works again."""
    code = call.code()
    warm(call)
    with cut_off(call, WRITE, NO_NEW_CONNECTION):
        page = call.browser.redeem(call.caller.uid, code, LONG)
        assert page.status_code == 503, text(page)
        assert "Mot de passe peut-être changé" in text(page)
        assert "recommencez avec le même code" in text(page)
    assert call.lines("redeem")[-1] == "redeem uncertain directory"
    assert call.unspent()
    # it was set, this time
    assert call.signs_in(LONG)
    call.tries_again(code)


@pytest.mark.alone("helpdesk")
def test_the_database_is_away(call: Call) -> None:
    code = call.code()
    with cut_off(call, NO_DATABASE):
        page = call.browser.redeem(call.caller.uid, code, NEW)
        assert page.status_code == 503
        assert "Rien n’a été changé" in text(page)
        page = call.desk.go(f"/personne/{call.caller.uid}")
        assert page.status_code == 503
        assert call.caller.name not in page.text
        page = call.desk.submit(f"/personne/{call.caller.uid}/debloquer")
        assert page.status_code == 503
    assert call.lines("unlock") == []
    assert call.signs_in(OLD)
    call.tries_again(code)


@pytest.mark.alone("helpdesk")
def test_the_process_is_killed_in_the_middle(call: Call) -> None:
    code = call.code()
    with held(call), ThreadPoolExecutor(1) as pool:
        sent = pool.submit(call.browser.redeem, call.caller.uid, code, NEW)
        wait_for(lambda: waiting(call) >= 1, what="the redemption to wait for the code")
        call.lab.run(HOST, "systemctl kill --signal=KILL ent-helpdesk")
        assert sent.result().status_code == 502
        release(call)
    assert call.unspent()
    assert call.signs_in(OLD)
    call.tries_again(code)


@pytest.mark.alone("helpdesk")
def test_the_sign_on_is_away(call: Call) -> None:
    """Only what it alone knows is missing, and that is said."""
    database = "lemonldap"
    sql(call.lab, "REVOKE USAGE ON SCHEMA helpdesk FROM helpdesk", database)
    try:
        said = text(call.desk.go(f"/personne/{call.caller.uid}"))
        assert "Page de connexion : pas de réponse" in said
        assert call.caller.name in said
        said = text(call.desk.submit(f"/personne/{call.caller.uid}/debloquer"))
        assert "Pas levé, faute de réponse" in said
        page = call.browser.redeem(call.caller.uid, call.code(), NEW)
        assert "enregistré" in text(page)
    finally:
        sql(call.lab, "GRANT USAGE ON SCHEMA helpdesk TO helpdesk", database)
    assert "pas de réponse" not in text(call.desk.go(f"/personne/{call.caller.uid}"))


@contextmanager
def held(call: Call) -> Iterator[None]:
    """Hold the caller's code in the database, so that whoever uses it waits."""
    name = f"hold-{call.caller.uid}"
    call.lab.run(
        "db1",
        "runuser -u postgres -- env PGAPPNAME=%s psql -qX annuaire -c %s >/dev/null 2>&1 &",
        name,
        "SELECT 1 FROM helpdesk.helpdesk_onetimecode"
        f" WHERE person = '{call.caller.uid}' FOR UPDATE; SELECT pg_sleep(60)",
    )
    held = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"
    wait_for(
        lambda: sql(call.lab, f"{held} AND wait_event = 'PgSleep'").stdout.strip() == "1",
        what="the code to be held",
    )
    try:
        yield
    finally:
        release(call)


def release(call: Call) -> None:
    sql(
        call.lab,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE application_name = 'hold-{call.caller.uid}'",
    )


def waiting(call: Call) -> int:
    """How many of the help desk's requests wait for somebody else's lock."""
    found = sql(
        call.lab,
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE usename = 'helpdesk' AND wait_event_type = 'Lock'",
    )
    return int(found.stdout.strip() or 0)


@contextmanager
def another_rule(lab: LabUnderTest) -> Iterator[None]:
    """For a moment slapd asks for longer passwords than the form."""
    policy = f"cn=people,ou=policies,{lab.suffix}"
    before = Directory(lab).root_search(policy, "(objectClass=*)", "pwdMinLength", scope="base")
    value = re.search(r"pwdMinLength: (\d+)", before)
    assert value, before
    _min_length(lab, policy, "60")
    try:
        yield
    finally:
        _min_length(lab, policy, value[1])


def _min_length(lab: LabUnderTest, policy: str, value: str) -> None:
    Directory(lab).as_root(
        f"dn: {policy}\nchangetype: modify\nreplace: pwdMinLength\npwdMinLength: {value}\n\n"
    )


def test_the_hashes_of_the_sign_on_are_ours(call: Call) -> None:
    """Both sides hash a login alike, with the key that the help desk was given."""
    assert "Rien n’empêche" in text(call.desk.go(f"/personne/{call.caller.uid}"))
    close_at_the_sign_on(call)
    said = text(call.desk.go(f"/personne/{call.caller.uid}"))
    assert re.search(r"Essais faux récents sur la page de connexion : [5-9]\.", said), said
