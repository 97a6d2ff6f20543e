"""Members, owners and listmasters are whom the directory says, and lists what is declared."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from integration.cas_browser import ldapmodify
from lab import LabUnderTest, wait_for
from mail import holder, people
from openldap_client import Directory
from sympa import Reader, Sympa

pytestmark = [
    pytest.mark.uses("lists1"),
    pytest.mark.service("lists1", "sympa", "sympa-task_manager", "ent-sympa-listmasters"),
    pytest.mark.service("ldap1", "slapd"),
]
STAFF, STRUCTURE, PLAIN = "st-personnels", "st-structure", "st-simple"
CLOSED = {"subject": "Essai", "subscribe": "closed", "unsubscribe": "closed"}
ALL_STAFF = CLOSED | {"name": STAFF, "members": {"affiliations": ["employee"]}}
UID, OLD = "stessai", "essai.ancien@up.univ-aix.fr"


@pytest.fixture(scope="module")
def sympa(lab: LabUnderTest) -> Iterator[Sympa]:
    sympa = Sympa(lab)
    with sympa.lists(
        ALL_STAFF,
        CLOSED | {"name": STRUCTURE, "members": {"structures": ["SCD", "LAB-MMSH"]}},
        {"name": PLAIN, "subject": "Simple", "owners": ["jmartin"], "moderators": ["jmartin"]},
    ):
        yield sympa


@pytest.fixture
def newcomer(lab: LabUnderTest) -> Iterator[str]:
    """Somebody of the library who has an address and has not activated; the address-to-be."""
    person = holder(
        UID,
        OLD,
        state="I:SupannPrecree",
        eduPersonAffiliation=["employee", "staff", "member"],
        supannEntiteAffectation="SCD",
    )
    with people(lab, person):
        yield f"essai.liste@{lab.domain}"


def _activate(lab: LabUnderTest, address: str) -> None:
    ldapmodify(
        lab,
        UID,
        "replace: supannRessourceEtat\nsupannRessourceEtat: {COMPTE}A:SupannActif\n-\n"
        f"replace: mail\nmail: {address}\n-\nadd: supannAutreMail\nsupannAutreMail: {address}",
    )


def _state(lab: LabUnderTest, state: str) -> None:
    ldapmodify(lab, UID, f"replace: supannRessourceEtat\nsupannRessourceEtat: {{COMPTE}}{state}")


@pytest.mark.guide("G1b")
@pytest.mark.parametrize("before", [False, True], ids=["new", "subscribed before"])
def test_who_activates_is_on_the_lists_and_who_leaves_is_off(
    lab: LabUnderTest, sympa: Sympa, newcomer: str, before: bool
) -> None:
    """Also when a list of former times had the old address."""
    if before:
        sympa.add(STAFF, OLD)
        sympa.add(STRUCTURE, OLD)

    def on(name: str) -> bool:
        assert sympa.include(name).rc == 0
        return newcomer in sympa.members(name)

    assert not on(STAFF)
    _activate(lab, newcomer)
    for name in (STAFF, STRUCTURE):
        wait_for(lambda name=name: OLD not in sympa.members(name), what=f"{OLD} off {name}")
        assert on(name)
        assert OLD not in sympa.members(name), "brought back by the comparison"
    _state(lab, "A:SupannSursis")
    assert on(STAFF), "in the grace period after a departure"
    _state(lab, "S:SupannVerrouAdministratif")
    assert not on(STAFF)
    _state(lab, "I:SupannExpire")
    assert not on(STRUCTURE)


def test_it_happens_without_anyones_doing(lab: LabUnderTest, sympa: Sympa, newcomer: str) -> None:
    """The declared list of all staff of the lab, compared by Sympa's own task."""
    _activate(lab, newcomer)
    wait_for(
        lambda: newcomer in sympa.members("personnels"),
        what="the newcomer on personnels",
    )
    _state(lab, "I:SupannExpire")
    wait_for(lambda: newcomer not in sympa.members("personnels"), what="off personnels")


@pytest.mark.alone("ldap1")
def test_members_stay_while_the_directory_is_away(lab: LabUnderTest, sympa: Sympa) -> None:
    before = sympa.members(STAFF)
    assert len(before) >= 5
    with lab.stopped("ldap1", "slapd"):
        sympa.include(STAFF)
        assert sympa.members(STAFF) == before
    assert sympa.include(STAFF).rc == 0
    assert sympa.members(STAFF) == before


def test_owners_are_people_of_the_directory(lab: LabUnderTest, sympa: Sympa) -> None:
    assert sympa.admins(PLAIN) == [f"jeanne.martin@{lab.domain}"]
    assert sympa.admins(PLAIN, "editor") == [f"jeanne.martin@{lab.domain}"]
    changed = sympa.declare(
        {"name": PLAIN, "subject": "Simple", "owners": ["alefevre"], "moderators": ["jmartin"]}
    )
    assert changed.stdout.strip() == f"Changed: list {PLAIN}: owners", changed.stderr
    assert sympa.admins(PLAIN) == [f"amelie.lefevre@{lab.domain}"]


def test_declaring_again_changes_nothing(sympa: Sympa) -> None:
    again = sympa.declare(ALL_STAFF)
    assert (again.rc, again.stdout) == (0, ""), again.stderr


def test_what_is_declared_is_kept_and_the_rest_is_the_owners(
    lab: LabUnderTest, sympa: Sympa
) -> None:
    declared = {"name": PLAIN, "subject": "Simple : à nouveau", "post": "moderated"}
    sympa.add(PLAIN, "abonnee@ouvert.example")
    config = f"/var/lib/sympa/list_data/{sympa.domain}/{PLAIN}/config"
    lab.run("lists1", "printf '\\ncustom_subject essai\\n\\nmax_size 12345\\n' >> %s", config)
    foretold = sympa.declare(declared, check=True)
    assert "subject" in foretold.stdout
    assert sympa.setting(PLAIN, "subject") == "Simple"
    changed = sympa.declare(declared)
    assert changed.rc == 0, changed.stderr
    assert sympa.setting(PLAIN, "subject") == "Simple : à nouveau"
    assert sympa.setting(PLAIN, "send") == "editorkey"
    assert sympa.setting(PLAIN, "custom_subject") == "essai"
    assert sympa.setting(PLAIN, "max_size") == "12345"
    assert sympa.members(PLAIN) == ["abonnee@ouvert.example"]
    assert sympa.declare(declared).stdout == ""


def test_owners_do_not_choose_where_people_come_from(lab: LabUnderTest, sympa: Sympa) -> None:
    """A data source would put everybody on their list, red list or not."""
    sympa.declare({"name": PLAIN, "subject": "Simple", "owners": ["jmartin"]})
    owner = Reader(lab)
    owner.enter("jmartin")
    page = owner.page(f"/edit_list_request/{PLAIN}/data_source")
    assert "member_include" not in page.text
    form = dict(re.findall(r'name="(csrftoken|serial)" value="([^"]*)"', page.text))
    form |= {"list": PLAIN, "page": "data_source", "action_edit_list": "1"}
    title = owner.page(f"/edit_list_request/{PLAIN}/description")
    form |= dict(re.findall(r'name="(csrftoken|serial)" value="([^"]*)"', title.text))
    for name, value in (
        ("subject", "Simple, par sa propriétaire"),
        ("member_include.0.source", "ent-logins"),
        ("member_include.0.source_parameters", "*"),
        ("editor_include.0.source", "ent-logins"),
        ("editor_include.0.source_parameters", "*"),
    ):
        form |= {f"single_param.{name}": value, "serial": sympa.setting(PLAIN, "serial")}
        owner.follow(owner.post(sympa.url, data=form))
    settings = f"/var/lib/sympa/list_data/{sympa.domain}/{PLAIN}/config"
    kept = lab.run("lists1", "cat %s", settings).stdout
    assert "subject Simple, par sa propriétaire" in kept, "the form was not taken at all"
    assert "member_include" not in kept
    assert "source_parameters *" not in kept


def test_closed_and_opened_again(sympa: Sympa) -> None:
    closed = sympa.declare({"name": PLAIN, "subject": "Simple", "state": "closed"})
    assert closed.stdout.strip() == f"Changed: list {PLAIN} closed", closed.stderr
    assert sympa.setting(PLAIN, "status") == "closed"
    assert sympa.declare({"name": PLAIN, "subject": "Simple", "state": "closed"}).stdout == ""
    assert sympa.lab.run(
        "lists1", "postmap -q %s hash:/etc/mail/sympa/transport", sympa.address(PLAIN)
    ).rc
    opened = sympa.declare({"name": PLAIN, "subject": "Simple"})
    assert opened.rc == 0, opened.stderr
    assert sympa.setting(PLAIN, "status") == "open"
    assert not sympa.lab.run(
        "lists1", "postmap -q %s hash:/etc/mail/sympa/transport", sympa.address(PLAIN)
    ).rc


def test_a_list_that_cannot_be_is_named(sympa: Sympa) -> None:
    refused = sympa.declare({"name": PLAIN, "subject": "Simple", "post": "nonsense"})
    assert refused.rc == 1
    assert f"list {PLAIN}: post: nonsense means nothing" in refused.stderr


def _listmasters(lab: LabUnderTest, sympa: Sympa) -> list[str]:
    found = lab.run("lists1", f"sed -n 's/^listmaster //p' /etc/sympa/{sympa.domain}/robot.conf")
    return str(found.stdout).strip().split(",")


def _group(lab: LabUnderTest, change: str, uid: str) -> None:
    directory = Directory(lab)
    directory.as_root(
        f"dn: cn=listmasters,ou=groups,{lab.suffix}\nchangetype: modify\n"
        f"{change}: member\nmember: {directory.dn(uid)}\n"
    )


@pytest.mark.alone("lists1")
def test_listmasters_are_the_groups_members(lab: LabUnderTest, sympa: Sympa) -> None:
    sophie, jeanne = f"sophie.faure@{lab.domain}", f"jeanne.martin@{lab.domain}"
    assert _listmasters(lab, sympa) == [sophie]
    _group(lab, "add", "jmartin")
    _group(lab, "add", "mroux")  # suspended
    try:
        wait_for(
            lambda: _listmasters(lab, sympa) == [jeanne, sophie],
            what="the new listmaster",
        )

        def shown() -> bool:
            """The pages know it too, once Sympa has been started again."""
            reader = Reader(lab)
            reader.enter("jmartin")
            page = reader.page("/serveradmin").text
            return "serveradmin" in page and "get_pending_lists" in page

        wait_for(shown, what="the pages of listmasters for the new one")
    finally:
        _group(lab, "delete", "jmartin")
        _group(lab, "delete", "mroux")
    wait_for(lambda: _listmasters(lab, sympa) == [sophie], what="the old listmasters")


@pytest.mark.alone("ldap1")
def test_listmasters_stay_while_the_directory_is_away(lab: LabUnderTest, sympa: Sympa) -> None:
    look = "journalctl -t ent-sympa --no-pager -o cat | grep -c 'listmasters stay as they are'"
    before, said = _listmasters(lab, sympa), int(lab.run("lists1", look).stdout)

    def tried() -> bool:
        # one that had read the directory before may still be under way
        run = lab.run("lists1", "systemctl start ent-sympa-listmasters.service")
        assert run.rc == 0, run.stderr
        return int(lab.run("lists1", look).stdout) > said

    with lab.stopped("ldap1", "slapd"):
        wait_for(tried, what="a comparison without the directory")
        assert _listmasters(lab, sympa) == before
