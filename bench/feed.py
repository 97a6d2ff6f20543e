"""The Harpège feed with 100,000 people in 400 structures, beside ldapadd of the same entries.

Nothing of the lab is used up: people come from a schema of their own in the lab's Harpège, and go
into a second slapd on the directory's host, with the same configuration (overlays, access rules,
audit trail) and an empty tree. Both are gone afterwards. `FEED_BENCH_PEOPLE` makes it smaller.

The peer is what a careful administrator would do by hand: the very entries that the feed made, as
one LDIF file, added by ldapadd over one connection to the same slapd, emptied. The second slapd
has its database in memory: each write waits for the disk otherwise, on both sides, and the
figures would be the disk's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests import lab as lab_module

from bench import harpege_people, second_slapd
from bench.figures import Figure, save

PEOPLE = int(os.environ.get("FEED_BENCH_PEOPLE", "100000"))
STRUCTURES = 400
SCHEMA = "feedbench"
PORT = 1636
FOLDER = "/var/lib/ldap/feedbench"
STATE = "/var/lib/ent-harpege.bench"
_SETTINGS = "/etc/ent/harpege/settings.json"
_COMMAND = "/opt/ent/harpege/current/bin/ent-harpege"
_TABLES = Path(__file__).resolve().parents[1] / "roles/harpege_standin/files/schema.sql"
# Seconds and peak memory of a command and its children, on standard error.
_TIMED = """
import json, os, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": code, "seconds": time.monotonic() - start, "processor": used.ru_utime + used.ru_stime,
    "mebibytes": used.ru_maxrss / 1024,
}))
"""
_MAKE_SLAPD = f"""
set -e
mkdir -p {FOLDER}
mount -t tmpfs -o size=8g,mode=755 feedbench {FOLDER}
mkdir {FOLDER}/slapd.d {FOLDER}/directory {FOLDER}/accesslog
slapcat -n 0 | sed -e 's#^olcDbDirectory: .*/#olcDbDirectory: {FOLDER}/#' \\
  -e 's#^olcPidFile: .*#olcPidFile: {FOLDER}/pid#' \\
  -e 's#^olcArgsFile: .*#olcArgsFile: {FOLDER}/args#' \\
  > {FOLDER}/config.ldif
slapadd -n 0 -F {FOLDER}/slapd.d -l {FOLDER}/config.ldif
slapcat -b %s -o ldif-wrap=no -a '(&(|(objectClass=dcObject)(objectClass=organizationalUnit)\
(objectClass=applicationProcess)(objectClass=pwdPolicy))(!(objectClass=supannEntite)))' \\
  > {FOLDER}/base.ldif
"""
_START_SLAPD = f"""
set -e
rm -rf {FOLDER}/directory/* {FOLDER}/accesslog/*
slapadd -q -F {FOLDER}/slapd.d -b %s -l {FOLDER}/base.ldif
chown -R openldap: {FOLDER}
slapd -u openldap -g openldap -F {FOLDER}/slapd.d -h %s
"""
_STOP_SLAPD = f"""
if [ -e {FOLDER}/pid ]; then
  pid=$(cat {FOLDER}/pid); kill "$pid"; timeout 60 tail --pid="$pid" -f /dev/null
fi
"""


@dataclass(frozen=True)
class Run:
    """What a command took."""

    seconds: float
    processor: float
    mebibytes: float


@dataclass(frozen=True)
class Bench:
    """The lab with its second slapd and its second Harpège."""

    lab: lab_module.LabUnderTest

    @property
    def uri(self) -> str:
        return f"ldaps://ldap.{self.lab.domain}:{PORT}"

    def shell(self, host: str, script: str, *arguments: str, text: str | None = None) -> str:
        """Run a shell script on a host, `%s` in it being quoted arguments; what it prints."""
        return second_slapd.shell(self.lab, host, script, *arguments, text=text)

    def sql(self, statements: str) -> None:
        """Run SQL in the lab's Harpège."""
        self.shell(
            "db1",
            "runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1 --single-transaction -d harpege -f -",
            text=f"SET ROLE harpege;\n{statements}",
        )

    def timed(self, *command: str) -> Run:
        """Run a command on the directory's host, and measure it."""
        quoted = " ".join("%s" for _ in command)
        answer = self.shell("ldap1", f"python3 -c %s {quoted}", _TIMED, *command)
        found: dict[str, Any] = json.loads(answer)
        if found.pop("code") != 0:
            raise RuntimeError(f"{' '.join(command)} failed")
        return Run(**found)

    def feed(self) -> Run:
        """One run of the feed, as its user."""
        return self.timed(
            *("runuser", "-u", "ent-harpege", "--", "env"),
            f"ENT_HARPEGE_SETTINGS={STATE}/settings.json",
            *(_COMMAND, "apply"),
        )


@contextmanager
def scratch(bench: Bench) -> Iterator[None]:
    """A schema full of people, an empty directory, and settings that lead from one to the other."""
    settings = json.loads(bench.shell("ldap1", f"cat {_SETTINGS}"))
    settings["source"]["schema"] = SCHEMA
    settings["ldap"]["uri"] = bench.uri
    settings["report"]["to"] = []
    settings["state_directory"] = f"{STATE}"
    try:
        bench.shell("ldap1", _MAKE_SLAPD, bench.lab.suffix)
        bench.shell(
            "ldap1",
            f"install -d -o ent-harpege -m 700 {STATE}"
            f" && install -o ent-harpege -m 600 /dev/stdin {STATE}/settings.json",
            text=json.dumps(settings),
        )
        bench.sql(_people())
        yield
    finally:
        bench.shell("ldap1", f"{_STOP_SLAPD}\numount {FOLDER}; rm -rf {FOLDER} {STATE}")
        bench.sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def _people() -> str:
    rows = harpege_people.rows(PEOPLE, STRUCTURES, date.today())
    copies = [
        f"COPY {table} FROM STDIN;\n{harpege_people.copy_text(rows[table])}\\.\n"
        for table in harpege_people.TABLES
    ]
    return (
        f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;\n"
        + _TABLES.read_text().replace("harpege", SCHEMA)
        + "".join(copies)
        + f"GRANT USAGE ON SCHEMA {SCHEMA} TO harpege_feed;\n"
        + f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO harpege_feed;\n"
        + "".join(f"ANALYZE {table};\n" for table in harpege_people.TABLES)
    )


def _ldapadd(bench: Bench) -> Run:
    """Add the entries that the feed made to the emptied directory, by ldapadd."""
    suffix = bench.lab.suffix
    bench.shell(
        "ldap1",
        f"slapcat -F {FOLDER}/slapd.d -b %s -o ldif-wrap=no"
        " -a '(|(objectClass=supannEntite)(objectClass=supannPerson))'"
        " | grep -vE '^(structuralObjectClass|entryUUID|creatorsName|createTimestamp|entryCSN"
        f"|modifiersName|modifyTimestamp|pwd[A-Za-z]+|memberOf):' > {FOLDER}/entries.ldif",
        suffix,
    )
    bench.shell("ldap1", _STOP_SLAPD + _START_SLAPD, suffix, bench.uri)
    bench.shell(
        "ldap1",
        f"umask 077; cat > {FOLDER}/password",
        text=bench.lab.secret("ldap-feed"),
    )
    return bench.timed(
        *("ldapadd", "-x", "-H", bench.uri, "-D", f"cn=feed,ou=system,{suffix}"),
        *("-y", f"{FOLDER}/password", "-f", f"{FOLDER}/entries.ldif"),
    )


def run() -> None:
    """Measure, and keep the figures."""
    bench = Bench(lab_module.load())
    with scratch(bench):
        bench.shell("ldap1", _START_SLAPD, bench.lab.suffix, bench.uri)
        first = bench.feed()
        print(f"first load: {first}", flush=True)
        nothing = bench.feed()
        print(f"nothing to do: {nothing}", flush=True)
        bench.sql(
            f"UPDATE {SCHEMA}.individu SET nom_usuel = 'Épouse-' || nom_usuel"
            " WHERE no_individu % 100 = 0"
        )
        changed = bench.feed()
        print(f"1 % changed: {changed}", flush=True)
        added = _ldapadd(bench)
        print(f"ldapadd: {added}", flush=True)
    people = f"{PEOPLE:,} people"
    save(
        "feed",
        [
            Figure(
                f"first load of {people}",
                first.seconds,
                "s",
                "ldapadd of the same entries",
                added.seconds,
                "ratio ≤ 1.5",
            ),
            Figure("run with nothing to do", nothing.seconds, "s", aim="≤ 15 s"),
            Figure("run with 1 % changed", changed.seconds, "s"),
            Figure(
                "memory of the feed at most",
                max(one.mebibytes for one in (first, nothing, changed)),
                "MiB",
                aim="≤ 200 MiB",
            ),
        ],
    )


if __name__ == "__main__":
    run()
