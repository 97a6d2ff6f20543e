"""Activation against the real annuaire, directory, database and sign-on."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import ldap
import pytest
import requests

from activation_people import (
    PASSWORD,
    WRONG_PROOFS,
    People,
    Visitor,
    heading,
    reference,
    said,
    sql,
    stopped,
)
from integration.cas_browser import Browser as CasBrowser
from lab import LabUnderTest, wait_for
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("annuaire1", "portal1", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire", "nginx"),
    pytest.mark.service("ldap1", "slapd"),
]
ACTIVE = "A:SupannActif"
WAITING = "I:SupannPrecree"


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    made.forget_failures()
    yield made
    made.remove()


@pytest.fixture
def visitor(lab: LabUnderTest) -> Visitor:
    return Visitor(lab)


def binds(lab: LabUnderTest, uid: str, password: str = PASSWORD) -> bool:
    """Whether the directory accepts this password."""
    directory = Directory(lab)
    try:
        directory.bind(directory.dn(uid), password).unbind_s()
    except ldap.INVALID_CREDENTIALS:
        return False
    return True


def whole(people: People, uid: str, password: str = PASSWORD) -> str:
    """The state of an account, which is activated as a whole or not at all."""
    entry, state = people.entry(uid), people.state(uid)
    if state == WAITING:
        for name in ("userPassword", "mail", "supannConsentement"):
            assert name not in entry, f"{name} of an account that is not activated"
        assert not binds(people.lab, uid, password)
    else:
        assert state == ACTIVE
        assert entry["mail"][0] in entry["supannAutreMail"]
        assert len(entry["supannConsentement"]) == 1
        assert binds(people.lab, uid, password)
    return state


def in_parallel(*works: Callable[[], Any]) -> list[Any]:
    """Let them begin at the same instant."""
    together = threading.Barrier(len(works))

    def one(work: Callable[[], Any]) -> Any:
        together.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def as_help_desk(lab: LabUnderTest, program: str) -> Any:
    """Run Python as the process of the help desk, with its role of the database."""
    launcher = "/opt/ent/annuaire/current/bin/ent-annuaire"
    return lab.run(
        "annuaire1", f"runuser -u ent-helpdesk -- {launcher} helpdesk shell -c %s", program
    )


# What activation does


@pytest.mark.guide("G6f", "G7b")
def test_one_modify_and_everything_works_at_once(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    begun = f"{datetime.now(UTC):%Y%m%d%H%M%S}.000000Z"
    who = people.make("t5.aoui", "Zélie", "Noël-d’Arc")
    cas = CasBrowser(lab)
    service = f"https://ent.{lab.domain}/connexion"
    assert cas.sign_in(who.uid, PASSWORD, service=service).status_code != 302
    visitor.accept(who)
    answer = visitor.validate(who)
    assert (answer.status_code, answer.headers["Location"]) == (302, visitor.path(who, "termine"))
    # the credential, at once
    signed_in = CasBrowser(lab).sign_in(who.uid, PASSWORD, service=service)
    assert signed_in.status_code == 302, heading(signed_in)
    last = visitor.get(visitor.path(who, "termine"))
    assert heading(last) == "Votre compte est activé."
    address = f"zelie.noel-darc@{lab.domain}"
    assert address in said(last)
    entry = people.entry(who.uid)
    assert entry["mail"] == entry["supannAutreMail"] == [address]
    assert re.fullmatch(r"\{CHARTE\}2026-1:20\d{12}Z", entry["supannConsentement"][0])
    assert base64.b64decode(entry["userPassword"][0]).startswith(b"{ARGON2}$argon2id$")
    [written] = audited(people, who.uid, begun)
    assert "reqAuthzID: cn=annuaire-activation,ou=system," in written
    names = {"userPassword", "supannRessourceEtat", "mail", "supannConsentement"}
    assert names <= set(re.findall(r"^reqMod: (\w+):", written, re.M))


def audited(people: People, uid: str, since: str) -> list[str]:
    """What the directory's audit trail has of changes to somebody, with readable values."""
    trail = people.directory.root_search(
        "cn=accesslog",
        f"(&(objectClass=auditModify)(reqDN={people.directory.dn(uid)})(reqStart>={since})"
        "(reqResult=0))",
        "reqMod",
        "reqAuthzID",
    )
    readable = re.sub(
        r"^(\w+):: (\S+)$",
        lambda match: f"{match[1]}: {base64.b64decode(match[2]).decode()}",
        trail,
        flags=re.M,
    )
    return [entry for entry in readable.split("\n\n") if entry.strip()]


@pytest.mark.guide("G7a", "G7b")
def test_somebody_of_the_old_mail_server(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    old = ["zoe.legacy@up.univ-aix.fr", "zoe.legacy@up.univ-mrs.fr"]
    who = people.make("t5.legacy", "Zoé", "Legacy", supannAutreMail=old)
    visitor.accept(who)
    visitor.validate(who)
    last = said(visitor.get(visitor.path(who, "termine")))
    for address in old:
        assert address in last
    assert f"renvoyés automatiquement à zoe.legacy@{lab.domain}" in last
    assert set(people.entry(who.uid)["supannAutreMail"]) == {*old, f"zoe.legacy@{lab.domain}"}


@pytest.mark.guide("G7b")
def test_homonyms_at_the_same_instant(lab: LabUnderTest, people: People) -> None:
    """One address each, an error for none; and none that somebody had before."""
    people.make(
        "t5.gone",
        "Zoé",
        "Homonyme",
        state="I:SupannExpire",
        supannAutreMail=[f"zoe.homonyme2@{lab.domain}"],
    )
    homonyms = [people.make(f"t5.homonym{number}", "Zoé", "Homonyme") for number in range(6)]
    visitors = [Visitor(lab) for _ in homonyms]
    for visitor, who in zip(visitors, homonyms, strict=True):
        visitor.accept(who)
    answers = in_parallel(
        *(
            lambda visitor=visitor, who=who: visitor.validate(who)
            for visitor, who in zip(visitors, homonyms, strict=True)
        )
    )
    assert [answer.status_code for answer in answers] == [302] * 6, [said(one) for one in answers]
    addresses = {people.entry(who.uid)["mail"][0] for who in homonyms}
    assert addresses == {f"zoe.homonyme{number}@{lab.domain}" for number in ("", 3, 4, 5, 6, 7)}


@pytest.mark.guide("G7b")
def test_who_comes_back_keeps_the_address(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    address = f"zoe.retour7@{lab.domain}"
    who = people.make("t5.back", "Zoé", "Retour", mail=address, supannAutreMail=[address])
    visitor.accept(who)
    assert visitor.validate(who).status_code == 302
    assert people.entry(who.uid)["mail"] == [address]


@pytest.mark.guide("G6e")
@pytest.mark.parametrize(
    "password",
    [
        "abc123",
        "éàùç1a",
        "  a1  é  ",
        "<&>\"'`%s1a\\",
        "a1🙂€\u202eאב",
        "a1)(*|",
        "1a" + "x" * 126,
    ],
)
def test_a_password_that_the_form_takes_opens_everything(
    lab: LabUnderTest, people: People, visitor: Visitor, password: str
) -> None:
    who = people.make("t5.odd", "Zoé", "Signes")
    visitor.accept(who)
    answer = visitor.validate(who, password=password)
    assert answer.status_code == 302, said(answer)
    assert binds(lab, who.uid, password)
    service = f"https://ent.{lab.domain}/connexion"
    assert CasBrowser(lab).sign_in(who.uid, password, service=service).status_code == 302


@pytest.mark.parametrize("password", ["{SSHA}a1bcde", "{ARGON2}$argon2id$a1"])
def test_a_password_that_looks_like_a_hash(people: People, visitor: Visitor, password: str) -> None:
    """slapd would store it as one; it refuses, and the page says so."""
    who = people.make("t5.hash", "Zoé", "Hachis")
    visitor.accept(who)
    assert "L’annuaire refuse ce mot de passe." in said(visitor.validate(who, password=password))
    assert whole(people, who.uid, password) == WAITING


@pytest.mark.guide("G6e")
def test_the_rule_holds_without_the_form(lab: LabUnderTest, people: People) -> None:
    """slapd refuses it to the identity of the activation as well."""
    people.make("t5.rule", "Zoé", "Règle")
    directory = Directory(lab)
    connection = directory.as_service("annuaire-activation")
    for password in ("abc12", "abcdef", "123456"):
        with pytest.raises(ldap.CONSTRAINT_VIOLATION):
            connection.modify_s(
                directory.dn("t5.rule"), [(ldap.MOD_REPLACE, "userPassword", [password.encode()])]
            )


# Refusals and limits


@pytest.mark.guide("G6d")
def test_without_the_charter_nothing_is_activated(people: People, visitor: Visitor) -> None:
    who = people.make("t5.charter", "Zoé", "Charte")
    visitor.get(visitor.path(who))
    assert heading(visitor.validate(who)) == "Reprenez au début"
    assert whole(people, who.uid) == WAITING


@pytest.mark.parametrize(
    "changes",
    [{"code": "1"}, {"birth_date": "04/02/1975"}, {"code": "*"}, {"code": "1)(uid=*"}],
)
def test_wrong_proofs(people: People, visitor: Visitor, changes: dict[str, str]) -> None:
    who = people.make("t5.wrong", "Zoé", "Erreur")
    visitor.accept(who)
    page = visitor.validate(who, **changes)
    assert WRONG_PROOFS in said(page)
    assert PASSWORD not in page.text
    assert whole(people, who.uid) == WAITING
    assert visitor.validate(who).status_code == 302


def test_many_guesses_at_the_same_instant(lab: LabUnderTest, people: People) -> None:
    """Each is counted before it is tried: no more are heard than one after the other."""
    who = people.make("t5.guess", "Zoé", "Devinette")
    visitors = [Visitor(lab) for _ in range(12)]
    for visitor in visitors:
        visitor.accept(who)
    answers = in_parallel(
        *(lambda visitor=visitor: visitor.validate(who, code="1") for visitor in visitors)
    )
    heard = [one for one in answers if WRONG_PROOFS in said(one)]
    refused = [one for one in answers if one.status_code == 429]
    assert len(heard) == 4  # three without a delay, and the one that brings the first
    assert len(heard) + len(refused) == 12
    assert {heading(one) for one in refused} == {"Patientez avant de réessayer"}
    failures = "SELECT failures FROM annuaire.annuaire_limits_count WHERE subject = 't5.guess'"
    assert sql(lab, failures) == "4"


@pytest.mark.alone("db1", "annuaire1")
def test_limits_survive_restarts(lab: LabUnderTest, people: People, visitor: Visitor) -> None:
    who = people.make("t5.restart", "Zoé", "Relance")
    visitor.accept(who)
    for _ in range(4):
        assert WRONG_PROOFS in said(visitor.validate(who, code="1"))
    # however long it takes
    sql(
        lab,
        "UPDATE annuaire.annuaire_limits_count SET free_at = free_at + interval '10 min'"
        " WHERE subject = 't5.restart'",
    )
    lab.run("db1", "systemctl restart postgresql@17-main")
    lab.run("annuaire1", "systemctl restart ent-annuaire")
    told = wait_for(
        lambda: (said_ := heading(visitor.validate(who))).startswith("Patientez") and said_,
        what="the limit",
    )
    assert told == "Patientez avant de réessayer"
    assert whole(people, who.uid) == WAITING


def test_a_lock_lasts_until_it_is_lifted(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    who = people.make("t5.lock", "Zoé", "Verrou")
    visitor.accept(who)
    for _ in range(10):
        sql(
            lab,
            "UPDATE annuaire.annuaire_limits_count SET free_at = NULL "
            "WHERE subject = 't5.lock' OR task = 'network'",
        )
        page = visitor.validate(who, code="1")
    assert (page.status_code, heading(page)) == (429, "Activation bloquée")
    assert heading(visitor.validate(who)) == "Activation bloquée"
    # as the help desk's process does it, with its own role of the database
    lift = (
        "from ent.annuaire.limits import locks; print(locks.locks_of('t5.lock')); "
        "print(locks.lift('t5.lock'))"
    )
    done = as_help_desk(lab, lift)
    assert done.rc == 0, done.stderr
    assert "Lock(task='activation', failures=10" in done.stdout
    assert visitor.validate(who).status_code == 302


# Twice


def test_a_double_click(lab: LabUnderTest, people: People, visitor: Visitor) -> None:
    who = people.make("t5.double", "Zoé", "Double")
    visitor.accept(who)
    second = Visitor(lab)
    second.cookies.update(visitor.cookies)
    answers = in_parallel(lambda: visitor.validate(who), lambda: second.validate(who))
    for answer in answers:
        assert (answer.status_code, answer.headers["Location"]) == (
            302,
            visitor.path(who, "termine"),
        ), said(answer)
    assert heading(visitor.get(visitor.path(who, "termine"))) == "Votre compte est activé."
    assert people.entry(who.uid)["supannAutreMail"] == [f"zoe.double@{lab.domain}"]
    assert whole(people, who.uid) == ACTIVE


def test_two_browsers_with_different_passwords(lab: LabUnderTest, people: People) -> None:
    who = people.make("t5.two", "Zoé", "Deux")
    visitors = Visitor(lab), Visitor(lab)
    for visitor in visitors:
        visitor.accept(who)
    answers = in_parallel(
        lambda: visitors[0].validate(who, password="premier-1"),
        lambda: visitors[1].validate(who, password="second-22"),
    )
    assert sorted(answer.status_code for answer in answers) == [302, 409]
    won = "premier-1" if answers[0].status_code == 302 else "second-22"
    assert whole(people, who.uid, won) == ACTIVE


def test_the_contract_ends_meanwhile(people: People, visitor: Visitor) -> None:
    who = people.make("t5.ended", "Zoé", "Fin")
    visitor.accept(who)
    dn = people.directory.dn(who.uid)
    people.directory.as_root(
        f"dn: {dn}\nchangetype: modify\nreplace: supannRessourceEtat\n"
        "supannRessourceEtat: {COMPTE}I:SupannExpire\n\n"
    )
    page = visitor.validate(who)
    assert (page.status_code, heading(page)) == (409, "Ce compte ne peut pas être activé")
    assert "userPassword" not in people.entry(who.uid)


# Faults


@pytest.mark.alone("ldap1")
def test_slapd_is_stopped_before(lab: LabUnderTest, people: People, visitor: Visitor) -> None:
    who = people.make("t5.before", "Zoé", "Avant")
    visitor.accept(who)
    with stopped(lab, "ldap1", "slapd"):
        page = visitor.validate(who)
        assert (page.status_code, heading(page)) == (503, "Activation momentanément impossible")
        assert "Rien n’a été activé" in said(page)
        assert visitor.get(visitor.path(who)).status_code == 503
    assert whole(people, who.uid) == WAITING
    # the same form, sent again
    answer = wait_for(
        lambda: (answer := visitor.validate(who)).status_code == 302 and answer,
        what="the directory",
    )
    assert answer.headers["Location"] == visitor.path(who, "termine")
    assert whole(people, who.uid) == ACTIVE


@pytest.mark.alone("ldap1")
def test_slapd_is_stopped_between_proof_and_change(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    """The proofs are right; while the failures are being forgotten, slapd goes."""
    who = people.make("t5.between", "Zoé", "Entre")
    visitor.accept(who)
    with slow_success(lab, who.uid), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(visitor.validate, who)
        asleep = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            " AND datname = current_database()"
        )
        wait_for(lambda: sql(lab, asleep) == "1", what="the proofs to be accepted")
        with stopped(lab, "ldap1", "slapd"):
            page = answer.result()
    assert (page.status_code, heading(page)) == (503, "Activation momentanément impossible")
    assert whole(people, who.uid) == WAITING
    wait_for(lambda: visitor.validate(who).status_code == 302, what="the directory")
    assert whole(people, who.uid) == ACTIVE


@contextmanager
def slow_success(lab: LabUnderTest, uid: str) -> Iterator[None]:
    """To forget the failures of this account takes the database some seconds."""
    sql(
        lab,
        "CREATE FUNCTION annuaire.t5_slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(15); RETURN OLD; END $$; "
        "CREATE TRIGGER t5_slow BEFORE DELETE ON annuaire.annuaire_limits_count FOR EACH ROW "
        f"WHEN (OLD.subject = '{uid}') EXECUTE FUNCTION annuaire.t5_slow()",
    )
    try:
        yield
    finally:
        sql(lab, "DROP FUNCTION annuaire.t5_slow CASCADE")


class locked:  # noqa: N801 - used as a function
    """A table of the annuaire that a stuck transaction holds."""

    def __init__(self, lab: LabUnderTest, table: str, mode: str) -> None:
        self.lab, self.table, self.mode = lab, table, mode

    def __enter__(self) -> None:
        statement = (
            "SET application_name = 't5-lock'; BEGIN; "
            f"LOCK TABLE {self.table} IN {self.mode} MODE; SELECT pg_sleep(60)"
        )
        self.lab.run(
            "db1",
            "cd / && setsid runuser -u postgres -- psql -qc %s annuaire >/dev/null 2>&1 &",
            statement,
        )
        held = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE application_name = 't5-lock' AND granted AND relation IS NOT NULL "
            f"AND relation = '{self.table}'::regclass"
        )
        wait_for(lambda: sql(self.lab, held) == "1", what="the lock")

    def __exit__(self, *_: object) -> None:
        sql(
            self.lab,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 't5-lock'",
        )


def waiting(lab: LabUnderTest, table: str) -> None:
    """Wait until somebody waits for the table."""
    blocked = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted "
        f"AND relation = 'annuaire.{table}'::regclass"
    )
    wait_for(lambda: int(sql(lab, blocked)) > 0, what=f"somebody to wait for {table}")


@pytest.mark.alone("annuaire1")
def test_gunicorn_is_killed_between_change_and_answer(
    lab: LabUnderTest, people: People, visitor: Visitor
) -> None:
    """The session cannot be written, so the answer waits; then the process is gone."""
    who = people.make("t5.killed", "Zoé", "Tuée")
    visitor.accept(who)
    with ThreadPoolExecutor(1) as pool, locked(lab, "annuaire.django_session", "SHARE"):
        answer = pool.submit(visitor.validate, who)
        waiting(lab, "django_session")
        assert whole(people, who.uid) == ACTIVE
        lab.run("annuaire1", "systemctl kill -s KILL ent-annuaire")
        page = answer.result()
    assert page.status_code == 502
    assert "<h1>" in page.text  # a page of ours
    # the person loads the page again, which sends the form again
    answer = wait_for(
        lambda: (again := visitor.validate(who)).status_code == 302 and again, what="the annuaire"
    )
    assert answer.headers["Location"] == visitor.path(who, "termine")
    assert f"zoe.tuee@{lab.domain}" in said(visitor.get(visitor.path(who, "termine")))
    # or begins anew, elsewhere
    assert heading(Visitor(lab).get(visitor.path(who))) == "Ce compte est déjà activé"


@pytest.mark.alone("ldap1")
@pytest.mark.parametrize("delay", [0.0, 0.04, 0.08, 0.12, 0.2])
def test_slapd_is_killed_during_the_activation(
    lab: LabUnderTest, people: People, visitor: Visitor, delay: float
) -> None:
    """Whatever the moment: all or nothing, and the page says no wrong thing."""
    who = people.make("t5.during", "Zoé", "Pendant")
    visitor.accept(who)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(visitor.validate, who)
        lab.run("ldap1", "sleep %s; systemctl kill -s KILL slapd", str(delay))
        page = answer.result()
        lab.run("ldap1", "systemctl reset-failed slapd; systemctl start slapd")
    state = wait_for(lambda: whole(people, who.uid), what="the directory")
    said_to_be = "done" if page.status_code == 302 else heading(page)
    allowed = {
        "done": {ACTIVE},
        "Activation momentanément impossible": {WAITING},
        "Votre compte est peut-être activé": {ACTIVE, WAITING},
    }
    assert state in allowed[said_to_be], said_to_be
    wait_for(lambda: visitor.validate(who).status_code == 302, what="the directory")
    assert whole(people, who.uid) == ACTIVE
    wait_for(
        lambda: heading(visitor.get(visitor.path(who, "termine"))) == "Votre compte est activé.",
        what="each of the annuaire's processes to have found the directory again",
    )


@pytest.mark.alone("db1")
def test_postgresql_is_stopped(lab: LabUnderTest, people: People, visitor: Visitor) -> None:
    who = people.make("t5.nodb", "Zoé", "Base")
    visitor.accept(who)
    with stopped(lab, "db1", "postgresql@17-main"):
        for page in (visitor.get(visitor.path(who)), visitor.validate(who)):
            assert (page.status_code, heading(page)) == (503, "Service momentanément indisponible")
    assert whole(people, who.uid) == WAITING
    # the session has survived
    wait_for(lambda: visitor.validate(who).status_code == 302, what="the database")
    assert whole(people, who.uid) == ACTIVE


# Secrets and rights


def test_no_secret_is_kept_or_logged(lab: LabUnderTest, people: People, visitor: Visitor) -> None:
    secret = {"code": "987654321", "birth_date": "29/02/1980", "password": "secret-zq-77"}
    who = people.make("t5.secret", "Zoé", "Secrète")
    visitor.accept(who)
    visitor.validate(who, **secret)
    visitor.validate(who, password=secret["password"])
    assert whole(people, who.uid, secret["password"]) == ACTIVE
    dump = lab.run("db1", "cd / && runuser -u postgres -- pg_dump annuaire")
    assert dump.rc == 0
    assert "t5.secret" not in dump.stdout.partition("COPY annuaire.django_session")[0]
    sessions = sql(lab, "SELECT string_agg(session_data, ' ') FROM annuaire.django_session")
    logs = lab.run(
        "annuaire1",
        "journalctl --sync; journalctl -u ent-annuaire -u nginx --since=-5min --no-pager;"
        " cat /var/log/nginx/*.log",
    ).stdout
    assert "activated: t5.secret" in logs
    for text in (dump.stdout, sessions, logs):
        for value in (secret["code"], who.code, "1980-02-29", "29/02/1980", secret["password"]):
            assert value not in text
            assert base64.b64encode(value.encode()).decode().rstrip("=") not in text


def test_each_identity_does_its_own_work_only(lab: LabUnderTest, people: People) -> None:
    waiting_ = people.make("t5.waiting", "Zoé", "Attend")
    people.make("t5.active", "Zoé", "Active", state=ACTIVE)
    directory = Directory(lab)
    new = [(ldap.MOD_REPLACE, "userPassword", [b"autre-mot-1"])]
    state = [(ldap.MOD_REPLACE, "supannRessourceEtat", [b"{COMPTE}A:SupannActif"])]
    # the search: neither tries a proof nor writes
    search = directory.as_service("annuaire-search")
    with pytest.raises((ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_ATTRIBUTE)):
        search.compare_s(directory.dn("t5.waiting"), "supannEmpId", waiting_.code.encode())
    for change in (new, state):
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            search.modify_s(directory.dn("t5.waiting"), change)
    # the help desk: no password and no state of an account that waits
    desk = directory.as_service("annuaire-helpdesk")
    for change in (new, state):
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            desk.modify_s(directory.dn("t5.waiting"), change)
    # the activation: reads no proof, writes nothing on an account that is active
    activation = directory.as_service("annuaire-activation")
    assert activation.compare_s(directory.dn("t5.waiting"), "supannEmpId", waiting_.code.encode())
    [(_, seen)] = activation.search_s(
        directory.dn("t5.waiting"), ldap.SCOPE_BASE, "(objectClass=*)", ["*"]
    )
    for name in ("supannEmpId", "supannOIDCDateDeNaissance", "userPassword", "telephoneNumber"):
        assert name not in seen
    assert not activation.search_s(
        f"ou=people,{lab.suffix}", ldap.SCOPE_ONELEVEL, f"(supannEmpId={waiting_.code})", ["uid"]
    )
    for change in (new, [(ldap.MOD_ADD, "supannConsentement", [b"{CHARTE}x:20260101000000Z"])]):
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            activation.modify_s(directory.dn("t5.active"), change)
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        activation.modify_s(
            directory.dn("t5.waiting"),
            [(ldap.MOD_REPLACE, "supannRessourceEtat", [b"{COMPTE}A:SupannSursis"])],
        )


# Clean answers


@pytest.mark.parametrize("size", [70 * 1024, 1024 * 1024, 3 * 1024 * 1024])
def test_enormous_fields(people: People, visitor: Visitor, size: int) -> None:
    who = people.make("t5.huge", "Zoé", "Énorme")
    visitor.accept(who)
    page = visitor.validate(who, code="1" * size)
    assert page.status_code in (400, 413)
    assert 'lang="fr"' in page.text
    assert whole(people, who.uid) == WAITING


@pytest.mark.parametrize(
    "value",
    ["\0", "*)(uid=*", "\u202e1234", "🙂" * 50, "%00", "\\", "'; DROP TABLE x;--", "\ud7ff"],
)
def test_odd_fields(people: People, visitor: Visitor, value: str) -> None:
    who = people.make("t5.fuzz", "Zoé", "Bizarre")
    visitor.accept(who)
    for name in ("code", "birth_date", "password", "confirmation"):
        people.forget_failures()
        page = visitor.validate(who, **{name: value})
        assert page.status_code == 200, f"{name}: {page.status_code} {heading(page)}"
        assert 'class="error-summary"' in page.text
        assert page.headers["Cache-Control"] == "no-store, private"
    assert whole(people, who.uid) == WAITING


def test_addresses_that_lead_to_nobody(lab: LabUnderTest, visitor: Visitor) -> None:
    mine = reference(lab, "t5.nobody")
    for path in ("aoui", mine, mine[:-1], mine.swapcase(), "%2e%2e%2f", "*", "%F0%9F%99%82"):
        page = visitor.get(f"/activer/{path}")
        assert page.status_code == 404, path
        assert 'lang="fr"' in page.text
    page = visitor.get(f"/activer/{mine}?next=https://evil.example/")
    assert not re.search(r'(href|action|src)="[^"]*evil', page.text)


def test_in_english(people: People, visitor: Visitor) -> None:
    who = people.make("t5.english", "Zoé", "Anglaise")
    visitor.cookies["__Host-annuaire-langue"] = "en"
    page = visitor.get(visitor.path(who))
    assert heading(page) == "Activate my account"
    assert "The French text of the charter is the one that is binding." in said(page)
    visitor.accept(who)
    assert "Enter your Harpège code." in said(visitor.validate(who, code=""))


def test_the_charter_is_public(visitor: Visitor) -> None:
    page: requests.Response = visitor.get("/activer/charte")
    assert page.status_code == 200
    assert heading(page) == "Charte d’usage des ressources informatiques"
