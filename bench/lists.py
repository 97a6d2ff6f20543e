"""How soon and how fast subscriptions follow their person, and what it costs when none has to.

From activation to the moved subscription: from the moment before the LDAP operation of « Valider »
until the worker has seen in Sympa's tables that it is done; one person after the other, as in
normal times. What waits: people who were activated while the worker was stopped, beside
`sympa user move` in a loop of the shell, of which a sample is measured. Nothing to do: everybody of
a second slapd is on a list under their address; the comparison of all with all, in a process of its
own.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests import lab as lab_module
from tests.lab import LabUnderTest, wait_for
from tests.listmove import Crowd, Lists
from tests.openldap_client import Directory

from bench.figures import Figure, save
from bench.second_slapd import running, shell

ACTIVATIONS = 50
PENDING = int(os.environ.get("LISTS_BENCH_PENDING", "2000"))
SAMPLE = 40
PEOPLE = int(os.environ.get("LISTS_BENCH_PEOPLE", "100000"))
LIST, NAME, PORT = "lm-banc", "listsbench", 1639
_SETTINGS = f"/tmp/{NAME}.json"
_TIMED = """
import json, os, resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": done.returncode, "lines": done.stdout.count(b"\\n"),
    "seconds": time.monotonic() - start, "mebibytes": used.ru_maxrss / 1024,
}))
"""
# In the database: asking from here again and again would take the processors from what is measured.
_WAIT = """
DO $$ BEGIN
    WHILE (SELECT count(*) FROM move WHERE login LIKE 'lmbancp%') < {count}
    LOOP PERFORM pg_sleep(0.2); END LOOP;
END $$
"""


@dataclass(frozen=True)
class Idle:
    """A comparison that finds nothing to do."""

    seconds: float
    mebibytes: float


def activations(lab: LabUnderTest) -> list[float]:
    """Seconds from « Valider » to the moved subscription, of each person."""
    lists, directory, crowd = Lists(lab), Directory(lab), Crowd(lab, ACTIVATIONS, "lmbanca")
    found = []
    with crowd.there():
        crowd.subscribe(LIST)
        connection = directory.as_service("annuaire-activation")
        for uid in crowd.uids:
            started = time.time()
            connection.modify_s(directory.dn(uid), crowd.changes(uid))
            query = f"SELECT extract(epoch FROM at) FROM move WHERE login = '{uid}'"
            rows = wait_for(lambda: lists.sql(query, "listmove"), what=f"{uid} moved")  # noqa: B023
            found.append(float(rows[0][0]) - started)
        crowd.followed(LIST)
    return found


def pending(lab: LabUnderTest) -> float:
    """Seconds for all who were activated while the worker was stopped, its start included."""
    lists, crowd = Lists(lab), Crowd(lab, PENDING, "lmbancp")
    with crowd.there():
        crowd.subscribe(LIST)
        lists.worker("stop")
        crowd.activate()
        started = time.time()
        lists.worker("start")
        lists.sql(_WAIT.format(count=PENDING), "listmove")
        crowd.followed(LIST)
        query = "SELECT extract(epoch FROM max(at)) FROM move WHERE login LIKE 'lmbancp%'"
        return float(lists.sql(query, "listmove")[0][0]) - started


def loop(lab: LabUnderTest) -> float:
    """Seconds of `sympa user move` for each of so many, in a loop of the shell."""
    crowd = Crowd(lab, SAMPLE, "lmbancb")
    crowd.subscribe(LIST)
    pairs = "".join(f"{crowd.old(uid)} {crowd.new(uid)}\n" for uid in crowd.uids)
    started = time.monotonic()
    shell(
        lab,
        "lists1",
        "while read -r old new; do "
        "/usr/lib/sympa/bin/sympa user move $old $new < /dev/null > /dev/null 2>&1 || exit 1; done",
        text=pairs,
    )
    seconds = time.monotonic() - started
    if crowd.moved(LIST) != SAMPLE:
        raise RuntimeError("the loop did not move everybody")
    return seconds / SAMPLE


def _population(lab: LabUnderTest) -> Iterator[str]:
    for number in range(PEOPLE):
        old, new = f"lmbanc{number}@up.univ-aix.fr", f"lmbanc{number}@{lab.domain}"
        yield (
            f"dn: uid=lmbanc{number},ou=people,{lab.suffix}\n"
            "objectClass: inetOrgPerson\nobjectClass: eduPerson\n"
            "objectClass: supannPerson\nobjectClass: entPerson\n"
            f"uid: lmbanc{number}\ncn: Essai {number}\nsn: Essai\n"
            "supannRessourceEtat: {COMPTE}A:SupannActif\n"
            f"mail: {new}\nsupannAutreMail: {new}\nsupannAutreMail: {old}\n\n"
        )


def nothing(lab: LabUnderTest) -> Idle:
    """The comparison of everybody with everything, when all is in its place."""
    lists = Lists(lab)
    lists.sql(
        "INSERT INTO subscriber_table (user_subscriber, list_subscriber, robot_subscriber, "
        "date_epoch_subscriber, number_messages_subscriber, subscribed_subscriber) "
        f"SELECT 'lmbanc' || n || '@{lab.domain}', '{LIST}', '{lists.robot}', 1000000000, 0, 1 "
        f"FROM generate_series(0, {PEOPLE - 1}) n"
    )
    with running(lab, NAME, PORT, _population(lab)) as uri:
        settings = json.loads(shell(lab, "lists1", "cat /etc/ent/listmove/settings.json"))
        settings["ldap"]["uri"] = uri
        shell(
            lab,
            "lists1",
            f"install -o ent-listmove -m 600 /dev/stdin {_SETTINGS}",
            text=json.dumps(settings),
        )
        command = f"runuser -u ent-listmove -- ent-listmove --settings {_SETTINGS} plan"
        try:
            found = json.loads(shell(lab, "lists1", f"python3 -c %s {command}", _TIMED))
        finally:
            shell(lab, "lists1", f"rm -f {_SETTINGS}")
    if found["code"] or found["lines"]:
        raise RuntimeError(f"not nothing to do: {found}")
    return Idle(found["seconds"], found["mebibytes"])


def run() -> None:
    """Measure the lab that is up, and keep the figures."""
    lab = lab_module.load()
    with Lists(lab).lists(LIST):
        times = activations(lab)
        print(f"activation: median {statistics.median(times):.2f} s, worst {max(times):.2f} s")
        one = loop(lab)
        print(f"sympa user move: {one:.2f} s each", flush=True)
        all_of_them = pending(lab)
        print(f"{PENDING} pending: {all_of_them:.1f} s", flush=True)
        idle = nothing(lab)
        print(f"nothing to do: {idle}", flush=True)
    save(
        "lists",
        [
            Figure(
                "« Valider » to moved subscription, median of 50",
                statistics.median(times),
                "s",
                "one sympa user move",
                one,
                "≤ 5 s",
            ),
            Figure("the same, worst of 50", max(times), "s", aim="≤ 5 s"),
            Figure(
                f"{PENDING:,} pending moves",
                all_of_them,
                "s",
                f"sympa user move in a loop ({SAMPLE} measured, times {PENDING // SAMPLE})",
                one * PENDING,
            ),
            Figure(f"comparison of {PEOPLE:,} people, nothing to do", idle.seconds, "s"),
            Figure("memory of that comparison", idle.mebibytes, "MiB"),
        ],
    )


if __name__ == "__main__":
    run()
