"""A second slapd on the directory's host, with the same configuration and other people.

Same overlays, indexes, access rules and identities; nothing of the lab is used up, and the slapd is
gone afterwards.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.lab import LabUnderTest


def shell(
    lab: LabUnderTest, host: str, script: str, *arguments: str, text: str | None = None
) -> str:
    """Run a shell script on a host, `%s` in it being quoted arguments; what it prints.

    Raises:
        RuntimeError: it failed.
    """
    for argument in arguments:
        script = script.replace("%s", shlex.quote(argument), 1)
    done = subprocess.run(
        ["docker", "exec", "-i", f"{lab.name}-{host}", "bash", "-c", script],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{host}: {script.strip()[:200]} …\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def running(lab: LabUnderTest, name: str, port: int, ldif: Iterable[str]) -> Iterator[str]:
    """It runs for a moment, open to all hosts of the lab; its URI.

    name: of its folder, and of the rule of the firewall. ldif: of its people.
    """
    folder, uri = f"/var/lib/ldap/{name}", f"ldaps://ldap.{lab.domain}:{port}"
    make = f"""
set -e
mkdir -p {folder}/slapd.d {folder}/directory {folder}/accesslog
slapcat -n 0 | sed -e 's#^olcDbDirectory: .*/#olcDbDirectory: {folder}/#' \\
  -e 's#^olcPidFile: .*#olcPidFile: {folder}/pid#' \\
  -e 's#^olcArgsFile: .*#olcArgsFile: {folder}/args#' > {folder}/config.ldif
slapadd -n 0 -F {folder}/slapd.d -l {folder}/config.ldif
slapcat -b %s -o ldif-wrap=no -a '(!(objectClass=supannPerson))' > {folder}/base.ldif
cat >> {folder}/base.ldif
slapadd -q -F {folder}/slapd.d -b %s -l {folder}/base.ldif
chown -R openldap: {folder}
slapd -u openldap -g openldap -F {folder}/slapd.d -h %s
nft insert rule inet ent input tcp dport {port} accept comment '"{name}"'
"""
    stop = f"""
if [ -e {folder}/pid ]; then
  pid=$(cat {folder}/pid); kill "$pid"; timeout 60 tail --pid="$pid" -f /dev/null
fi
rm -rf {folder}
for handle in $(nft -a list chain inet ent input | sed -n '/{name}/s/.*# handle //p'); do
  nft delete rule inet ent input handle "$handle"
done
"""
    shell(lab, "ldap1", stop)  # of a run that was killed
    try:
        shell(lab, "ldap1", make, lab.suffix, lab.suffix, uri, text="".join(ldif))
        yield uri
    finally:
        shell(lab, "ldap1", stop)
