"""Messages forwarded by the legacy server, beside the same server with a table of addresses.

Once as it is, asking the directory of 100,000 people about each message; once with the same
addresses in a hash table on its disk and no directory. In turns, in one run, everything else the
same: messages come from and go to programs of Postfix's own on the same host. A message counts when
the next server has taken it.

The people are put into the directory's files and taken out of them with the directory stopped, so
that measuring takes minutes: no lab that somebody works in.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests import lab as lab_module
from tests.lab import LabUnderTest

from bench.figures import Figure, save

PEOPLE = int(os.environ.get("ENT_BENCH_PEOPLE", "100000"))
MESSAGES = int(os.environ.get("ENT_BENCH_MESSAGES", "3000"))
WARM_UP = 100
SESSIONS = 10
BYTES = 4096
SINK = "127.0.0.1:2599"
DOMAIN = "up.univ-aix.fr"
SENDER = "mbench@ouvert.example"
_KEPT = "/var/lib/ldap/directory.bench"
_TABLE = "/var/lib/ent-postfix/bench"
# What differs between the two: where addresses are looked up.
STATIC = {
    "virtual_alias_maps": f"hash:{_TABLE}",
    "virtual_mailbox_maps": f"hash:{_TABLE}",
    "transport_maps": "texthash:/etc/postfix/routes",
    "smtpd_recipient_restrictions": "reject_non_fqdn_recipient, reject_unlisted_recipient",
}
COMMON = {"relayhost": f"[{SINK.partition(':')[0]}]:{SINK.partition(':')[2]}"}


def _run(lab: LabUnderTest, host: str, command: str, *, text: str | None = None) -> str:
    """Output of a shell command on a host.

    Raises:
        RuntimeError: it failed.
    """
    result = subprocess.run(
        ["docker", "exec", "-i", f"{lab.name}-{host}", "bash", "-c", command],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{host}: {command}: {result.stderr.strip()[-500:]}")
    return result.stdout


def _entries(lab: LabUnderTest) -> Iterator[str]:
    """The people as LDIF: active, with an address in each domain."""
    for number in range(PEOPLE):
        old, new = f"mbench{number}@{DOMAIN}", f"mbench{number}@{lab.domain}"
        yield (
            f"dn: uid=mbench{number},ou=people,{lab.suffix}\n"
            "objectClass: inetOrgPerson\nobjectClass: eduPerson\n"
            "objectClass: supannPerson\nobjectClass: entPerson\n"
            f"uid: mbench{number}\ncn: Essai {number}\nsn: Essai\n"
            "supannRessourceEtat: {COMPTE}A:SupannActif\n"
            f"mail: {new}\nsupannAutreMail: {new}\nsupannAutreMail: {old}\n\n"
        )


@contextmanager
def _people(lab: LabUnderTest) -> Iterator[None]:
    """The population in the directory; afterwards, the directory as it was."""
    put_back = (
        f"if test -d {_KEPT}; then systemctl stop slapd; rm -rf /var/lib/ldap/directory; "
        f"mv {_KEPT} /var/lib/ldap/directory; systemctl start slapd; fi"
    )
    _run(lab, "ldap1", put_back)  # what a killed run left
    _run(lab, "ldap1", f"systemctl stop slapd && cp -a /var/lib/ldap/directory {_KEPT}")
    try:
        _run(
            lab,
            "ldap1",
            f"runuser -u openldap -- slapadd -q -F /etc/ldap/slapd.d -b {lab.suffix}",
            text="".join(_entries(lab)),
        )
        _run(lab, "ldap1", "systemctl start slapd")
        yield
    finally:
        _run(lab, "ldap1", put_back)


@contextmanager
def _settings(lab: LabUnderTest, settings: dict[str, str]) -> Iterator[None]:
    """Settings of the legacy server; afterwards, those of its role."""
    arguments = " ".join(shlex.quote(f"{name}={value}") for name, value in settings.items())
    try:
        _run(lab, "mailup1", f"postconf -e {arguments} && systemctl reload postfix")
        yield
    finally:
        _run(
            lab,
            "mailup1",
            "cp /var/lib/ent-postfix/staging/main.cf /etc/postfix/main.cf"
            " && systemctl reload postfix",
        )
        # the last message, whose answer the sink did not stay to give
        _run(
            lab,
            "mailup1",
            f'postqueue -j | grep -F {SENDER} | sed -E \'s/.*"queue_id": "([^"]+).*/\\1/\''
            " | postsuper -d -",
        )


def _send(lab: LabUnderTest, messages: int) -> float:
    """Seconds until the next server has so many messages, each to somebody else."""
    start = time.monotonic()
    _run(
        lab,
        "mailup1",
        f"smtp-sink -u postfix -M {messages} {SINK} 1000 & sink=$!; "
        f"smtp-source -N -s {SESSIONS} -m {messages} -l {BYTES} -M client.ouvert.example "
        f"-f {SENDER} -t mbench@{DOMAIN} 127.0.0.1:25 && "
        "timeout 300 tail --pid=$sink -f /dev/null",
    )
    return time.monotonic() - start


def forward(lab: LabUnderTest, settings: dict[str, str], messages: int) -> float:
    """Seconds for so many messages, with processes and connections that are there already.

    Raises:
        RuntimeError: they did not all arrive.
    """
    with _settings(lab, settings | COMMON):
        _send(lab, WARM_UP)
        return _send(lab, messages)


def memory(lab: LabUnderTest, host: str) -> float:
    """MiB that all of a host uses, as Docker tells: its processes, without cached files."""
    name = f"{lab.name}-{host}"
    stats = ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", name]
    used = subprocess.run(stats, capture_output=True, text=True, check=True).stdout.split()[0]
    number, unit = re.fullmatch(r"([0-9.]+)([KMG])iB", used).groups()  # type: ignore[union-attr]
    return float(number) * {"K": 1 / 1024, "M": 1, "G": 1024}[unit]


def _measure(lab: LabUnderTest, both: dict[str, str]) -> tuple[float, float]:
    """Messages per second with the directory, and with the table; in turns."""
    seconds = {"directory": 0.0, "table": 0.0}
    turn = MESSAGES // 3
    for arm in ("directory", "table", "table", "directory", "directory", "table"):
        seconds[arm] += forward(lab, both | (STATIC if arm == "table" else {}), turn)
    return 3 * turn / seconds["directory"], 3 * turn / seconds["table"]


def run() -> None:
    """Measure the lab that is up, and keep the figures."""
    lab = lab_module.load()
    table = "".join(
        f"mbench{number}@{DOMAIN} mbench{number}@{lab.domain}\n" for number in range(PEOPLE)
    )
    with _people(lab):
        _run(lab, "mailup1", f"cat > {_TABLE} && postmap hash:{_TABLE}", text=table)
        try:
            rate, floor = _measure(lab, {})
            bare, bare_floor = _measure(lab, {"smtpd_milters": ""})
        finally:
            _run(lab, "mailup1", f"rm -f {_TABLE} {_TABLE}.db")
    print(
        f"forwarded {rate:.0f}/s, with a table {floor:.0f}/s ({rate / floor:.2f}); without the "
        f"spam filter {bare:.0f}/s and {bare_floor:.0f}/s ({bare / bare_floor:.2f})"
    )
    save(
        "mail",
        [
            Figure(
                f"messages forwarded by mailup, {PEOPLE:,} people in the directory",
                rate,
                "1/s",
                "static table",
                floor,
                "ratio 0.85",
            ),
            Figure("the same without the spam filter", bare, "1/s", "static table", bare_floor),
            Figure("memory of mail1, everything on it", memory(lab, "mail1"), "MiB"),
            Figure("memory of mailup1", memory(lab, "mailup1"), "MiB"),
        ],
    )
