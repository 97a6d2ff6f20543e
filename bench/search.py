"""The public search among 100,000 people, beside the same search asked of slapd directly.

Nothing of the lab is used up: the people are in a second slapd on the directory's host, with the
same configuration (indexes, access rules); the index is in a database of its own; the application
is the installed release with other settings. All are gone afterwards. `SEARCH_BENCH_PEOPLE` makes
it smaller.

What is timed is a whole page: request on the socket that nginx uses, index, live reading of the
twenty people shown, HTML. The peer is a program that keeps one connection to slapd as the same
identity and asks for the same words, as beginnings of words of the names. It gets what a page
needs of at most as many people as a search shows, and neither sorts nor forgives typing mistakes.
The two take turns, query by query.
"""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests import lab as lab_module

from bench import second_slapd
from bench.figures import Figure, save
from bench.harpege_people import END, GIVEN, START

PEOPLE = int(os.environ.get("SEARCH_BENCH_PEOPLE", "100000"))
QUERIES = 400
SEED = 5
PORT = 1637
NAME = "searchbench"
_FOLDER = f"/var/lib/{NAME}"
_APPLICATION = "/opt/ent/annuaire/current/bin/ent-annuaire"
_HBA = "/etc/postgresql/17/main/pg_hba.conf"
_PSQL = "runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1"
_DROP_DATABASE = f"""
{_PSQL} -c 'DROP DATABASE IF EXISTS {NAME} WITH (FORCE)'
sed -i '/{NAME}/d' {_HBA}
{_PSQL} -c 'SELECT pg_reload_conf()' > /dev/null
"""
_MAKE_DATABASE = f"""
set -e
{_PSQL} -c "CREATE DATABASE {NAME} OWNER annuaire_owner TEMPLATE template0
  LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
for role in annuaire_owner annuaire; do
  echo "hostssl {NAME} $role %s/32 scram-sha-256" >> {_HBA}
done
{_PSQL} -c 'SELECT pg_reload_conf()' > /dev/null
"""
_CLIENT = """
import http.client, json, ldap, socket, sys, time
from urllib.parse import urlencode

given = json.load(sys.stdin)

class Application(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(given["socket"])

def page(query):
    # nginx opens a connection for each request as well
    client = Application(given["host"])
    client.request("GET", "/recherche?" + urlencode(query), headers={"X-Forwarded-Proto": "https"})
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    if answer.status != 200:
        raise SystemExit(f"{query}: {answer.status}")
    return text.count('class="result"')

slapd = ldap.initialize(given["uri"])
slapd.simple_bind_s(given["bind_dn"], given["password"])

def direct(query):
    words = "".join(
        f"(|(sn={word}*)(givenName={word}*)(cn=* {word}*))" for word in query["nom"].split()
    )
    message = slapd.search_ext(
        given["base"], ldap.SCOPE_ONELEVEL, f"(&(eduPersonAffiliation=employee){words})",
        given["attributes"], sizelimit=given["limit"],
    )
    found = []
    try:
        while True:
            kind, data = slapd.result(message, all=0)
            found += data
            if kind == ldap.RES_SEARCH_RESULT:
                break
    except ldap.SIZELIMIT_EXCEEDED:
        pass
    return len(found)

def timed(what, query):
    start = time.perf_counter()
    found = what(query)
    return (time.perf_counter() - start) * 1000, found

for query in given["queries"][:20]:
    page(query), direct(query)
print(json.dumps([[timed(page, one), timed(direct, one)] for one in given["queries"]]))
"""


@dataclass(frozen=True)
class Population:
    """Invented people, always the same."""

    names: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, number: int) -> Population:
        """As many, with names as unevenly spread as names are."""
        chance = random.Random(SEED)
        surnames = [start + end for start in START for end in END]
        chance.shuffle(surnames)
        weights = [1 / (rank + 20) for rank in range(len(surnames))]
        chosen = chance.choices(surnames, weights, k=number)
        return cls(tuple((chance.choice(GIVEN), surname) for surname in chosen))

    def ldif(self, suffix: str) -> Iterator[str]:
        """Their entries: three of four are staff."""
        for number, (given_name, surname) in enumerate(self.names):
            affiliation = "student" if number % 4 == 3 else "employee"
            yield (
                f"dn: uid=b{number},ou=people,{suffix}\n"
                "objectClass: inetOrgPerson\nobjectClass: eduPerson\n"
                "objectClass: supannPerson\nobjectClass: entPerson\n"
                f"uid: b{number}\nsn: {surname}\ngivenName: {given_name}\n"
                f"cn: {surname} {given_name}\ndisplayName: {given_name} {surname}\n"
                f"eduPersonAffiliation: {affiliation}\neduPersonAffiliation: member\n"
                f"eduPersonPrimaryAffiliation: {affiliation}\n"
                "supannEntiteAffectation: DSI\nsupannEntiteAffectationPrincipale: DSI\n"
                "supannRessourceEtat: {COMPTE}A:SupannActif\n\n"
            )

    def queries(self) -> dict[str, list[dict[str, str]]]:
        """What people type: kind -> forms filled in. Each is for somebody who is there."""
        chance = random.Random(SEED + 1)
        found: dict[str, list[dict[str, str]]] = {"typed": [], "mistyped": []}
        staff = [name for number, name in enumerate(self.names) if number % 4 != 3]
        for number in range(QUERIES):
            given_name, surname = chance.choice(staff)
            asked = (
                surname,
                f"{surname} {given_name}",
                f"{given_name} {surname}",
                surname[:4],
            )[number % 4]
            found["typed"].append({"nom": asked, "profil": "personnel"})
            at = chance.randrange(1, len(surname) - 1)
            swapped = surname[:at] + surname[at + 1] + surname[at] + surname[at + 2 :]
            found["mistyped"].append({"nom": swapped, "profil": "personnel"})
        return found


@dataclass(frozen=True)
class Bench:
    """The lab with its second slapd, database and application."""

    lab: lab_module.LabUnderTest

    @property
    def uri(self) -> str:
        return f"ldaps://ldap.{self.lab.domain}:{PORT}"

    def shell(self, host: str, script: str, *arguments: str, text: str = "") -> str:
        """Run a shell script on a host, `%s` in it being quoted arguments; what it prints."""
        return second_slapd.shell(self.lab, host, script, *arguments, text=text)

    def write_settings(self) -> dict[str, str]:
        """Settings that lead to the second slapd and database; the identity of the search."""
        public = json.loads(self.shell("annuaire1", "cat /etc/ent/annuaire/settings.json"))
        owner = json.loads(self.shell("annuaire1", "cat /etc/ent/annuaire/owner.json"))
        for ldap in public["ldap"].values():
            ldap["uri"] = self.uri
        public["database"]["name"] = owner["database"]["name"] = NAME
        public["search"]["hourly_results"] = 10**9
        for name, user, content in (
            ("settings.json", "ent-annuaire", public),
            ("owner.json", "ent-annuaire-owner", owner),
        ):
            self.shell(
                "annuaire1",
                f"install -d {_FOLDER} && install -m 640 -g {user} /dev/stdin {_FOLDER}/{name}",
                text=json.dumps(content),
            )
        identity = public["ldap"]["search"]
        return {
            "bind_dn": identity["bind_dn"],
            "password": identity["password"],
            "host": public["url"].removeprefix("https://"),
            "limit": public["search"]["result_limit"],
        }

    def application(self, process: str, user: str, command: str) -> str:
        """Run a command of the application with those settings."""
        return self.shell(
            "annuaire1",
            f"runuser -u {user} -- env ENT_ANNUAIRE_SETTINGS={_FOLDER}/settings.json"
            f" ENT_ANNUAIRE_OWNER_SETTINGS={_FOLDER}/owner.json"
            f" bash -c 'TIMEFORMAT=%R; time {_APPLICATION} {process} {command}' 2>&1",
        )


@contextmanager
def scratch(bench: Bench, people: Population) -> Iterator[None]:
    """A directory full of people, and an empty database."""
    with ExitStack() as clean:
        clean.callback(bench.shell, "db1", _DROP_DATABASE)
        stop = f"systemctl stop {NAME} 2>/dev/null; rm -rf {_FOLDER}"
        clean.callback(bench.shell, "annuaire1", stop)
        clean.enter_context(
            second_slapd.running(bench.lab, NAME, PORT, people.ldif(bench.lab.suffix))
        )
        bench.shell("db1", _DROP_DATABASE)
        bench.shell("db1", _MAKE_DATABASE, bench.lab.ip("annuaire1"))
        yield


def _seconds(output: str) -> float:
    return float(output.strip().splitlines()[-1].replace(",", "."))


def _percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100)[share - 1]


def run() -> None:
    """Measure, and keep the figures."""
    bench, people = Bench(lab_module.load()), Population.of(PEOPLE)
    with scratch(bench, people):
        given: dict[str, object] = dict(bench.write_settings())
        bench.application("owner", "ent-annuaire-owner", "prepare")
        filling = _seconds(bench.application("public", "ent-annuaire", "index"))
        print(f"index filled in {filling:.1f} s", flush=True)
        following = _seconds(bench.application("public", "ent-annuaire", "index"))
        print(f"compared again in {following:.1f} s", flush=True)
        bench.shell("db1", f"{_PSQL} -d {NAME} -c 'VACUUM ANALYZE'")
        bench.shell(
            "annuaire1",
            f"systemd-run --quiet --collect --unit={NAME} -p User=ent-annuaire"
            f" -p RuntimeDirectory={NAME} -p Type=notify"
            f" -E ENT_ANNUAIRE_SETTINGS={_FOLDER}/settings.json {_APPLICATION} public serve"
            f" --bind unix:/run/{NAME}/socket --preload --worker-class gthread --workers 2"
            " --threads 8 --keep-alive 0 --no-control-socket",
        )
        given |= {
            "socket": f"/run/{NAME}/socket",
            "uri": bench.uri,
            "base": f"ou=people,{bench.lab.suffix}",
            "attributes": [
                *("uid", "displayName", "givenName", "sn", "cn", "title"),
                *("eduPersonPrimaryAffiliation", "supannEntiteAffectation"),
                "supannEntiteAffectationPrincipale",
            ],
        }
        measured = {
            kind: json.loads(
                bench.shell(
                    "annuaire1",
                    "python3 -c %s",
                    _CLIENT,
                    text=json.dumps(given | {"queries": queries}),
                )
            )
            for kind, queries in people.queries().items()
        }
    found = {kind: sum(page[1] > 0 for page, _ in rows) for kind, rows in measured.items()}
    print(f"pages with somebody on them, of {QUERIES}: {found}", flush=True)
    if found["typed"] < QUERIES:
        raise RuntimeError(f"somebody who is there was not found: {found}")
    pages = [page[0] for page, _ in measured["typed"]]
    direct = [slapd[0] for _, slapd in measured["typed"]]
    mistyped = [page[0] for page, _ in measured["mistyped"]]
    save(
        "search",
        [
            *(
                Figure(
                    f"search page, {PEOPLE:,} people, p{share}",
                    _percentile(pages, share),
                    "ms",
                    "the same words asked of slapd",
                    _percentile(direct, share),
                    aim,
                )
                for share, aim in ((50, ""), (95, "≤ 50 ms, ratio ≤ 2"))
            ),
            Figure(
                "the same with a typing mistake, p95",
                _percentile(mistyped, 95),
                "ms",
                aim="≤ 50 ms",
            ),
            Figure("mistyped names found", 100 * found["mistyped"] / QUERIES, "%", aim="100 %"),
            Figure("filling the index", filling, "s"),
            Figure("nightly comparison, nothing to change", following, "s"),
        ],
    )


if __name__ == "__main__":
    run()
