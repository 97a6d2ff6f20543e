"""« Mon compte » against the real annuaire, directory, database and sign-on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import ldap
import pytest
from ldap.ldapobject import SimpleLDAPObject

import annuaire_app
from account_people import (
    NEW,
    PASSWORD,
    Member,
    cas_accepts,
    counted,
    forget,
    make,
)
from activation_people import People, Visitor, heading, hidden, reference, said, stopped
from ent.directory import (
    Change,
    Directory,
    DirectoryRefused,
    DirectorySettings,
    DirectoryUnavailable,
    NotAllowed,
    WriteUncertain,
    equals,
)
from lab import LabUnderTest, wait_for

annuaire_app.start()

from ent.annuaire.account import password as password_module  # noqa: E402
from ent.annuaire.account.choices import (  # noqa: E402
    RECOVERY,
    RED_LIST,
    TELEPHONE_HIDDEN,
    ChangedMeanwhile,
    Choices,
    OutcomeUnknown,
    fingerprint,
    flag,
)
from ent.annuaire.account.person import Own, find  # noqa: E402

pytestmark = [
    pytest.mark.uses("annuaire1", "portal1", "harpege"),
    pytest.mark.service("annuaire1", "ent-annuaire", "nginx"),
    pytest.mark.service("ldap1", "slapd"),
]


@pytest.fixture
def people(lab: LabUnderTest) -> Iterator[People]:
    made = People(lab)
    yield made
    made.remove()


@pytest.fixture
def uid(people: People) -> str:
    return make(people, "ac.ines").uid


@pytest.fixture
def member(lab: LabUnderTest, people: People, uid: str) -> Member:
    """Somebody who has signed in."""
    forget(people)
    made = Member(lab, uid)
    assert heading(made.sign_in()) == "Mon compte"
    return made


@pytest.fixture
def directory(lab: LabUnderTest) -> Iterator[Directory]:
    """The directory as annuaire-account."""
    made = Directory(
        DirectorySettings(
            uri=f"ldaps://ldap.{lab.domain}",
            suffix=lab.suffix,
            bind_dn=f"cn=annuaire-account,ou=system,{lab.suffix}",
            password=lab.secret("ldap-annuaire-account"),
            ca_file=lab.ca_file,
            fail_fast=0.1,
        )
    )
    yield made
    made.close()


def own(directory: Directory, uid: str) -> Own:
    found = find(directory, uid)
    assert found
    return found


# The identity


@pytest.mark.parametrize(
    "change",
    [
        Change.replace("userPassword", "essai-2026"),
        Change.replace("supannRessourceEtat", "{COMPTE}S:SupannVerrouAdministratif"),
        Change.replace("mail", "ac.ines@up.univ-aix.fr"),
        Change.add("supannAutreMail", "autre@univ-provence.fr"),
        Change.replace("sn", "Autre"),
        Change.replace("displayName", "Autre"),
        Change.replace("eduPersonAffiliation", "faculty"),
        Change.replace("supannEmpId", "1"),
        Change.replace("supannEmpCorps", "{NCORPS}1"),
        Change.replace("telephoneNumber", "04 65 71 00 99"),
        Change.replace("mobile", "04 65 71 00 99"),
        Change.delete("supannConsentement"),
        Change.delete("supannConsentement", "{CHARTE}2026-1:20261101080000Z"),
        Change.add("objectClass", "posixAccount"),
        Change.replace("pwdAccountLockedTime", "000001010000Z"),
    ],
    ids=lambda change: f"{change.operation.name}-{change.attribute}",
)
def test_the_identity_changes_nothing_else(
    directory: Directory, people: People, uid: str, change: Change
) -> None:
    before = people.entry(uid)
    with pytest.raises(NotAllowed):
        directory.modify(people.directory.dn(uid), [change])
    # nor beside something that it may change
    with pytest.raises(NotAllowed):
        directory.modify(people.directory.dn(uid), [Change.replace(RED_LIST, "TRUE"), change])
    assert people.entry(uid) == before


def test_the_identity_makes_and_touches_nothing_outside_people(
    lab: LabUnderTest, directory: Directory
) -> None:
    with pytest.raises(NotAllowed):
        directory.add(
            f"uid=ac.new,ou=people,{lab.suffix}",
            {"objectClass": ["inetOrgPerson"], "uid": ["ac.new"], "cn": ["x"], "sn": ["x"]},
        )
    for dn in (
        f"cn=helpdesk,ou=groups,{lab.suffix}",
        f"supannCodeEntite=DSI,ou=structures,{lab.suffix}",
    ):
        with pytest.raises(DirectoryRefused):
            directory.modify(dn, [Change.replace("description", "x")])


def test_the_identity_reads_no_proof(directory: Directory, people: People, uid: str) -> None:
    me = own(directory, uid)
    entry = people.entry(uid)
    code, born = entry["supannEmpId"][0], entry["supannOIDCDateDeNaissance"][0]
    every = directory.one(f"ou=people,{directory.settings.suffix}", equals("uid", uid), ["*", "+"])
    assert every
    for values in (*me.entry.attributes.values(), *every.attributes.values()):
        assert code.encode() not in values
        assert born.encode() not in values
    assert "userpassword" not in every.attributes
    # not even by comparing
    dn = people.directory.dn(uid)
    for attribute, value in (("supannEmpId", code), ("supannOIDCDateDeNaissance", born)):
        with pytest.raises(DirectoryUnavailable):
            directory.compare(dn, attribute, value)


# Choices


def test_the_public_search_follows_at_once(
    lab: LabUnderTest, people: People, member: Member, uid: str
) -> None:
    page = f"/personne/{reference(lab, uid)}"
    anybody = Visitor(lab)
    assert "04 65 71 00 47" in said(anybody.get(page))
    assert member.fill("affichage", telephone_hidden="on").status_code == 302
    shown = said(anybody.get(page))
    assert "Inès Compte-Essai" in shown
    assert "04 65 71 00 47" not in shown
    assert member.fill("affichage", red_list="on").status_code == 302
    assert anybody.get(page).status_code == 404
    assert "liste rouge" in member.home()
    assert people.entry(uid)[TELEPHONE_HIDDEN] == ["FALSE"]
    assert member.fill("affichage").status_code == 302
    assert "04 65 71 00 47" in said(anybody.get(page))


def test_each_change_is_in_the_journal(lab: LabUnderTest, member: Member, uid: str) -> None:
    member.fill("affichage", red_list="on")
    member.fill("adresse-personnelle", address="ines@exemple.fr", confirmation="ines@exemple.fr")
    member.change_password(present="faux-2026")
    member.change_password()
    journal = lab.run(
        "annuaire1",
        "journalctl --sync; journalctl -u ent-annuaire --since=-1min -o cat --grep %s",
        f"uid={uid} ",
    ).stdout
    for line in (
        "action=display outcome=done",
        "action=recovery-address outcome=done",
        "action=password outcome=refused",
        "action=password outcome=done",
    ):
        assert line in journal
    whole = lab.run("annuaire1", "journalctl --since=-1min -o cat").stdout
    for secret in ("ines@exemple.fr", "faux-2026", PASSWORD, NEW):
        assert secret not in whole


def test_two_windows(people: People, member: Member, uid: str) -> None:
    shown = member.get("/compte/adresse-personnelle")
    member.fill("adresse-personnelle", address="un@exemple.fr", confirmation="un@exemple.fr")
    typed = {"address": "deux@exemple.fr", "confirmation": "deux@exemple.fr"}
    answer = member.post(
        "/compte/adresse-personnelle",
        data=typed | {"seen": hidden(shown, "seen")} | member.token(),
    )
    assert answer.status_code == 409
    assert "Adresse enregistrée : un@exemple.fr" in said(answer)
    assert people.entry(uid)[RECOVERY] == ["un@exemple.fr"]


@pytest.mark.parametrize("before", [None, "FALSE"])
def test_changed_between_look_and_write(
    directory: Directory, people: People, uid: str, before: str | None
) -> None:
    """What slapd answers then is taken for what it is."""
    dn = people.directory.dn(uid)
    if before:
        directory.modify(dn, [Change.replace(RED_LIST, before)])
    me = own(directory, uid)
    seen = fingerprint(me, RED_LIST)
    directory.modify(dn, [Change.replace(RED_LIST, "TRUE" if before else "FALSE")])
    with pytest.raises(ChangedMeanwhile):
        Choices(directory).change(me, {RED_LIST: flag(True)}, seen)


def test_an_answer_that_is_lost(
    directory: Directory, people: People, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change was made, and that is what comes out; it is not made twice."""
    real = SimpleLDAPObject.modify_ext_s
    calls = []

    def lost(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        real(*arguments, **options)
        raise ldap.SERVER_DOWN({"desc": "lost"})

    me = own(directory, uid)
    monkeypatch.setattr(SimpleLDAPObject, "modify_ext_s", lost)
    choices = Choices(directory)
    wanted = {RECOVERY: ("ines@exemple.fr",)}
    assert choices.change(me, wanted, fingerprint(me, RECOVERY))
    assert people.entry(uid)[RECOVERY] == ["ines@exemple.fr"]
    assert calls == [1]


@pytest.mark.alone("ldap1")
def test_slapd_stops_in_the_middle(
    lab: LabUnderTest,
    directory: Directory,
    people: People,
    uid: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Away for longer than anybody waits: not known, and said so; the entry is whole."""
    real = SimpleLDAPObject.modify_ext_s

    def stops(*arguments: Any, **options: Any) -> Any:
        lab.run("ldap1", "systemctl stop slapd")
        return real(*arguments, **options)

    me = own(directory, uid)
    monkeypatch.setattr(SimpleLDAPObject, "modify_ext_s", stops)
    try:
        with pytest.raises(OutcomeUnknown):
            Choices(directory, patience=1).change(
                me, {RECOVERY: ("ines@exemple.fr",)}, fingerprint(me, RECOVERY)
            )
    finally:
        lab.run("ldap1", "systemctl start slapd")
    monkeypatch.undo()
    _until_up(lambda: own(directory, uid))
    assert RECOVERY not in people.entry(uid)


# Password


def test_password_at_once_everywhere(
    lab: LabUnderTest, people: People, member: Member, uid: str
) -> None:
    other = Member(lab, uid)
    other.sign_in()
    assert cas_accepts(lab, uid, PASSWORD)
    answer = member.change_password()
    assert (answer.status_code, answer.headers["Location"]) == (302, "/compte/")
    # the same second
    assert cas_accepts(lab, uid, NEW)
    assert not cas_accepts(lab, uid, PASSWORD)
    assert "Votre mot de passe est changé" in member.home()
    # this session goes on, others of this person here are over
    assert other.get("/compte/").status_code == 302
    forget(people)


def test_the_sign_on_forgets_who_signed_in_with_the_old_password(
    lab: LabUnderTest, member: Member, uid: str
) -> None:
    """Its session gives tickets until the password is changed, then asks for the new one."""
    portal = f"https://ent.{lab.domain}/connexion"
    elsewhere = Member(lab, uid)
    elsewhere.sign_in()
    for browser in (member, elsewhere):
        assert browser.sso.open(service=portal).status_code == 302
    assert member.change_password().status_code == 302
    for browser in (member, elsewhere):
        page = browser.sso.open(service=portal)
        assert page.status_code != 302
        assert browser.sso.fill_in(page, uid, PASSWORD).status_code != 302
    page = elsewhere.sso.open(service=portal)
    assert elsewhere.sso.fill_in(page, uid, NEW).status_code == 302
    # and then it is one sign-on again
    assert elsewhere.sso.open(service=portal).status_code == 302


def test_what_the_directory_refuses(lab: LabUnderTest, member: Member, uid: str) -> None:
    """A hash made elsewhere passes the form; slapd refuses it, and the page says so."""
    page = member.change_password(new="{SSHA}abc123")
    assert page.status_code == 200
    assert "L’annuaire refuse ce mot de passe" in said(page)
    assert cas_accepts(lab, uid, PASSWORD)
    assert counted(lab, uid) == 0


def test_wrong_ones_delay_and_lock_nobodys_mailbox(
    lab: LabUnderTest, people: People, member: Member, uid: str
) -> None:
    pages = [member.change_password(present=f"faux-{number}") for number in range(4)]
    assert "Ce n’est pas votre mot de passe actuel" in said(pages[0])
    assert re.search(r"Vous pourrez réessayer dans (2\d|30) secondes", said(pages[3]))
    assert counted(lab, uid) == 4
    page = member.get("/compte/mot-de-passe")
    assert (page.status_code, heading(page)) == (429, "Patientez avant de réessayer")
    assert member.get("/compte/").status_code == 200
    assert cas_accepts(lab, uid, PASSWORD)


def test_locked_by_the_directory(
    lab: LabUnderTest, people: People, member: Member, uid: str
) -> None:
    dn = people.directory.dn(uid)

    def locked() -> bool:
        for number in range(11):
            try:
                people.directory.bind(dn, f"faux-{number}")
            except ldap.INVALID_CREDENTIALS:
                continue
        return "pwdAccountLockedTime" in people.directory.root_search(
            dn, "(objectClass=*)", "pwdAccountLockedTime", scope="base"
        )

    wait_for(locked, what="lock after wrong passwords")
    page = member.change_password()
    assert (page.status_code, heading(page)) == (429, "Compte verrouillé")
    assert "15 minutes" in said(page)
    assert counted(lab, uid) == 0


def test_an_answer_about_the_password_that_is_lost(
    directory: Directory, people: People, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SimpleLDAPObject.passwd_s

    def lost(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        raise ldap.SERVER_DOWN({"desc": "lost"})

    me = own(directory, uid)
    monkeypatch.setattr(SimpleLDAPObject, "passwd_s", lost)
    with pytest.raises(WriteUncertain) as uncertain:
        directory.change_password(me.dn, PASSWORD, NEW)
    # what the change does with that: it asks
    change = password_module.PasswordChange(directory, limits=None)  # type: ignore[arg-type]
    change._settle(me, NEW, uncertain.value)
    assert directory.check_password(me.dn, NEW)


# The charter


def test_acceptance_is_added(people: People, member: Member, uid: str) -> None:
    """Somebody who accepted an older version is asked, and put off; then accepts."""
    dn = people.directory.dn(uid)
    people.directory.as_root(
        f"dn: {dn}\nchangetype: modify\nreplace: supannConsentement\n"
        "supannConsentement: {CHARTE}2019-1:20190901080000Z\n\n"
    )
    assert member.get("/compte/").headers["Location"] == "/compte/charte"
    page = member.get("/compte/charte")
    assert heading(page) == "La charte informatique a changé"
    assert member.fill("charte", later="1").headers["Location"] == "/compte/"
    assert "pas encore accepté" in member.home()
    version = hidden(page, "version")
    assert member.fill("charte", version=version, accept="on").status_code == 302
    values = people.entry(uid)["supannConsentement"]
    assert len(values) == 2
    assert values[1].startswith(f"{{CHARTE}}{version}:20")
    assert f"Version {version} acceptée" in member.home()


# Closed, and down


@pytest.mark.parametrize("state", ["S:SupannVerrouAdministratif", "I:SupannExpire"])
def test_closed_while_the_session_is_open(
    people: People, member: Member, uid: str, state: str
) -> None:
    people.directory.as_root(
        f"dn: {people.directory.dn(uid)}\nchangetype: modify\nreplace: supannRessourceEtat\n"
        f"supannRessourceEtat: {{COMPTE}}{state}\n\n"
    )
    page = member.get("/compte/")
    assert (page.status_code, heading(page)) == (403, "Votre session est terminée")
    assert member.get("/compte/").status_code == 302


def test_somebody_elses_session_is_of_no_use(
    lab: LabUnderTest, people: People, member: Member
) -> None:
    make(people, "ac.autre", "Zoé")
    for page in ("", "affichage", "adresse-personnelle", "mot-de-passe", "charte"):
        for query in ("?uid=ac.autre", "?user=ac.autre", "?dn=uid=ac.autre"):
            assert "ac.autre" not in said(member.get(f"/compte/{page}{query}"))
    stranger = Visitor(lab)
    stranger.cookies.set("__Host-annuaire-session", "0" * 32, domain=f"annuaire.{lab.domain}")
    assert stranger.get("/compte/").status_code == 302


@pytest.mark.alone("ldap1")
def test_slapd_is_stopped(lab: LabUnderTest, people: People, member: Member, uid: str) -> None:
    before = people.entry(uid)
    token = member.get("/compte/mot-de-passe") and member.token()
    typed = {"present": PASSWORD, "password": NEW, "confirmation": NEW}
    with stopped(lab, "ldap1", "slapd"):
        for page in ("", "affichage", "charte"):
            answer = member.get(f"/compte/{page}")
            assert (answer.status_code, heading(answer)) == (503, "Page momentanément indisponible")
        answer = member.post("/compte/mot-de-passe", data=typed | token)
        assert answer.status_code == 503
        assert "Rien n’a été modifié" in said(answer)
    _until_up(lambda: people.directory.bind(people.directory.dn(uid), PASSWORD))
    assert people.entry(uid) == before
    wait_for(lambda: member.get("/compte/").status_code == 200, what="the own page is back")
    assert counted(lab, uid) == 0


@pytest.mark.alone("db1")
def test_postgresql_is_stopped(lab: LabUnderTest, member: Member, uid: str) -> None:
    member.get("/compte/mot-de-passe")
    typed = {"present": PASSWORD, "password": NEW, "confirmation": NEW}
    with stopped(lab, "db1", "postgresql@17-main"):
        for answer in (
            member.get("/compte/"),
            member.post("/compte/mot-de-passe", data=typed | member.token()),
        ):
            assert answer.status_code == 503, said(answer)
            assert "momentanément indisponible" in said(answer)
    wait_for(lambda: member.get("/compte/").status_code == 200, what="the own page is back")
    assert wait_for(lambda: cas_accepts(lab, uid, PASSWORD), what="the sign-on is back")


def _until_up(ask: Callable[[], object]) -> None:
    def answers() -> bool:
        try:
            ask()
        except (DirectoryUnavailable, ldap.SERVER_DOWN):
            return False
        return True

    wait_for(answers, what="the directory")
