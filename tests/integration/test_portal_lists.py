"""« Mes listes » of the running portal, with the real Sympa behind it: there, slow and away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest

from lab import LabUnderTest
from portal_lists import Lists, Reader

pytestmark = [
    pytest.mark.uses("portal1"),
    # whose processes are started again, so that they know the lists of these tests
    pytest.mark.alone("portal1"),
    pytest.mark.service("portal1", "ent-portal"),
    pytest.mark.service("lists1", "sympasoap", "nginx"),
]
OPEN, OWNERS, CLOSED, HIDDEN = "mes-ouverte", "mes-accord", "mes-fermee", "mes-cachee"


@pytest.fixture(scope="module")
def lists(lab: LabUnderTest) -> Iterator[Lists]:
    made = Lists(lab)
    with made.shown(
        {"name": OPEN, "subject": "Été & <café> à l’université"},
        {"name": OWNERS, "subject": "Le conseil", "subscribe": "owner", "owners": ["alefevre"]},
        {
            "name": CLOSED,
            "subject": "Fermée",
            "subscribe": "closed",
            "unsubscribe": "closed",
        },
        {"name": HIDDEN, "subject": "Cachée", "listed": "members"},
    ):
        yield made


@pytest.fixture
def me(lists: Lists) -> str:
    return lists.mail("jmartin")


@pytest.fixture
def reader(lab: LabUnderTest, lists: Lists, me: str) -> Reader:
    for name in (OPEN, OWNERS, CLOSED, HIDDEN):
        lists.drop(name, me)
    made = Reader(lab, "jmartin")
    if not made.look_now().answers:
        lists.recovered()
    return made


@pytest.mark.guide("G1b")
def test_subscribe_and_unsubscribe(lists: Lists, reader: Reader, me: str) -> None:
    seen = reader.look()
    assert "Été & <café> à l’université" in seen.open[OPEN]
    assert OPEN not in seen.own
    seen = reader.click("abonnement", OPEN)
    assert seen.notice == f"Vous êtes maintenant sur la liste « {OPEN} »."
    assert "Abonné ou abonnée" in seen.own[OPEN]
    assert lists.members(OPEN) == [me]
    seen = reader.click("desabonnement", OPEN)
    assert seen.notice == f"Vous n’êtes plus sur la liste « {OPEN} »."
    assert lists.members(OPEN) == []


def test_sympa_knows_the_name_of_who_subscribed(lists: Lists, reader: Reader, me: str) -> None:
    reader.click("abonnement", OPEN)
    told = lists.sql(
        "SELECT comment_subscriber FROM subscriber_table"
        f" WHERE list_subscriber = '{OPEN}' AND user_subscriber = '{me}'"
    )
    assert told == [["Jeanne Martin"]]


def test_owners_decide(lists: Lists, reader: Reader, me: str) -> None:
    before = lists.requests(OWNERS)
    seen = reader.click("abonnement", OWNERS)
    assert "demande l’accord de ses propriétaires" in seen.notice
    assert "Demande transmise aux propriétaires" in seen.open[OWNERS]
    assert lists.members(OWNERS) == []
    assert lists.requests(OWNERS) == before + 1
    lists.add(OWNERS, me)
    assert OWNERS in reader.look().own


def test_closed_lists(lists: Lists, reader: Reader, me: str) -> None:
    assert "n’accepte pas votre abonnement" in reader.click("abonnement", CLOSED).notice
    assert lists.members(CLOSED) == []
    lists.add(CLOSED, me)
    assert "ne permet pas de se désabonner" in reader.click("desabonnement", CLOSED).notice
    assert lists.members(CLOSED) == [me]


def test_lists_that_are_not_shown(lists: Lists, reader: Reader, me: str) -> None:
    assert HIDDEN not in reader.look().open
    lists.add(HIDDEN, me)
    assert HIDDEN in reader.look().own


def test_lists_that_do_not_exist(reader: Reader) -> None:
    assert "n’existe pas" in reader.click("abonnement", "mes-nulle-part").notice
    assert reader.look_now().answers, "that is no failure of the list server"


def test_roles(lab: LabUnderTest, lists: Lists) -> None:
    own = Reader(lab, "alefevre").look().own
    assert "Propriétaire" in own[OWNERS]
    assert "Abonné" not in own[OWNERS]


def test_two_people_at_once_see_and_change_each_only_theirs(
    lab: LabUnderTest, lists: Lists, reader: Reader, me: str
) -> None:
    """Through Sympa's two processes, again and again: no answer comes to the wrong person."""
    other = Reader(lab, "tnguyen")
    other.look()
    lists.add(HIDDEN, me)
    thine = lists.mail("tnguyen")
    lists.add(OWNERS, thine)

    def theirs(_: int) -> tuple[set[str], set[str]]:
        with ThreadPoolExecutor(2) as pool:
            mine, others = pool.map(lambda one: one.look().own, (reader, other))
        ours = {HIDDEN, OWNERS}
        return ours & mine.keys(), ours & others.keys()

    assert {tuple(map(frozenset, theirs(number))) for number in range(10)} == {
        (frozenset({HIDDEN}), frozenset({OWNERS}))
    }


@contextmanager
def without_nginx(lists: Lists) -> Iterator[None]:
    with lists.lab.stopped("lists1", "nginx"):
        yield
    lists.recovered()


@pytest.mark.alone("lists1", "portal1")
@pytest.mark.parametrize("fault", ["away", "hanging", "nginx"])
def test_without_sympa_the_portal_is_whole(lists: Lists, reader: Reader, fault: str) -> None:
    faults: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "away": lists.away,
        "hanging": lists.hanging,
        "nginx": lambda: without_nginx(lists),
    }
    with faults[fault]():
        seen = reader.look_now()
        assert not seen.answers
        assert "Vos abonnements ne sont pas en cause." in seen.text
        assert "n’a peut-être pas été prise en compte" in reader.click("abonnement", OPEN).notice
        assert "Bonjour Jeanne" in reader.look_now("/").text
    assert OPEN in reader.look().open


@pytest.mark.alone("lists1", "portal1")
def test_a_list_server_that_hangs_slows_nobody_else(
    lab: LabUnderTest, lists: Lists, reader: Reader
) -> None:
    """More people wait for Sympa than the portal has threads; the first page still comes.

    It does not wait for one of them: the slowest answer to it comes before theirs.
    """
    with lists.hanging(), ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(reader.look_now) for _ in range(16)]
        homes = [pool.submit(reader.look_now, "/") for _ in range(8)]
        slowest = max(one.result().seconds for one in homes)
        assert not any(one.result().answers for one in waiting)
        assert slowest < max(one.result().seconds for one in waiting)
    reader.look()


def test_the_password_is_in_the_settings_file_only(lab: LabUnderTest) -> None:
    secret = lab.secret("sympa-portal")
    holders = lab.run("portal1", "grep -rlsF -e %s /etc /opt/ent /run /var/log", secret)
    assert holders.stdout.split() == ["/etc/ent/portal/settings.json"]
    file = lab.host("portal1").file("/etc/ent/portal/settings.json")
    assert (file.user, file.group, file.mode) == ("root", "ent-portal", 0o640)
    journal = lab.run("portal1", "journalctl --no-pager | grep -cF -e %s", secret)
    assert journal.stdout.strip() == "0"


@pytest.mark.parametrize("host", ["client1", "annuaire1", "mail1"])
def test_only_the_portal_may_ask(lab: LabUnderTest, host: str) -> None:
    program = (
        "import ssl, sys, urllib.request as u, urllib.error as e\n"
        "try: print(u.urlopen(u.Request(sys.argv[1], data=b'<x/>'), timeout=10).status)\n"
        "except e.HTTPError as error: print(error.code)"
    )
    url = f"https://listes.{lab.domain}/sympasoap"
    assert lab.run(host, "python3 -c %s %s", program, url).stdout.strip() == "403"
    assert lab.run("portal1", "python3 -c %s %s", program, url).stdout.strip() == "500"
