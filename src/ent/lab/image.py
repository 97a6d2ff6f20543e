"""The base image, and images of it with the packages of a host.

The first is a bare Debian 13 with systemd, made by mmdebstrap: no registry is asked for an image,
as Debian's archive has all that is needed. The others are the first after what the role common
does on a real host, keyed by the list of packages. Hosts with the same list share one, and the
next lab finds it made:

    python -m ent.lab.image --archives DIR PACKAGE...     prints the image's name
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import docker, settings
from .phases import logged
from .settings import REPOSITORY, Lab, LabError

SUITE = "trixie"

# A minimal Debian server: what its installer would leave when asked for French,
# what Ansible needs of a host, and what every role's host needs, so that it is
# installed once and not once for each container. Roles install what they need
# themselves, wherever it is not there.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-apt",
    "iproute2",
    "procps",
    "ca-certificates",
    "nftables",
    "locales",
    "openssl",
    "ssl-cert",
    "tzdata",
    "unattended-upgrades",
)

LOCALE = "fr_FR.UTF-8"

# Containers are thrown away, so dpkg need not wait for the disk, and nobody
# reads the documentation in them.
_SETTINGS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
)

_CACHE = REPOSITORY / ".cache"
_ARCHIVES = "/var/cache/apt/archives"

# What the role common does: recommended packages are left out, and lists of today are good enough.
# No service starts, as systemd does not run; the hosts start them.
_INSTALL = """
set -eu
install --directory --owner=_apt --mode=0700 /var/cache/apt/archives/partial
test -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin -360)" || apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \\
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
"""

# Nor need the maintainers' scripts wait for the disk: an image is there as a whole or not at all.
_NO_WAITING = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 0,
        }
    ],
}


def _command() -> list[str]:
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        # The package lists stay: hosts made in the next hours need no download of their own.
        "--skip=cleanup/apt/lists",
        *(f"--dpkgopt={setting}" for setting in _SETTINGS),
        f"--customize-hook=echo '{LOCALE} UTF-8' > \"$1/etc/locale.gen\"",
        '--customize-hook=chroot "$1" locale-gen',
    ]
    proxy = subprocess.run(
        ["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if proxy:
        command.append(f'--aptopt=Acquire::http::Proxy "{proxy}"')
    return command


def reference() -> str:
    """The image's name; a change of the recipe changes it."""
    recipe = "\n".join((SUITE, LOCALE, *PACKAGES, *_SETTINGS))
    return f"ent-base:{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure(lab: Lab) -> None:
    """Make the base image unless the engine has it.

    Raises:
        LabError: mmdebstrap or the import failed.

    """
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another lab may be making it
        if docker.image_exists(reference()):
            return
        work = _CACHE / "image"
        shutil.rmtree(work, ignore_errors=True)  # of a killed run
        work.mkdir()
        archive = work / "base.tar"
        log = lab.state / "log" / "image.log"
        logged(
            [*_command(), SUITE, str(archive)],
            log,
            {**os.environ, "TMPDIR": tempfile.mkdtemp(dir=work)},
        )
        logged(["docker", "import", str(archive), reference()], log)
        shutil.rmtree(work)


def with_packages(lab: Lab, packages: Iterable[str], archives: Path) -> str:
    """Name of an image with these packages, made from the base image unless the engine has it.

    Args:
        lab: whose log it is, and whose `make down` removes what a killed run leaves.
        packages: as apt is to install them.
        archives: folder of the downloaded packages, for apt alone.

    Raises:
        LabError: the base image is not there, or apt failed.

    """
    wanted = sorted(set(packages))
    base = docker.image_id(reference())
    key = hashlib.sha256("\n".join((base, _INSTALL, *wanted)).encode()).hexdigest()[:12]
    made = f"ent-host:{key}"
    with (_CACHE / f"image-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a host with the same list may be making it
        if docker.image_exists(made):
            return made
        profile = _CACHE / f"image-{key}.json"
        profile.write_text(json.dumps(_NO_WAITING))
        container = f"{lab.name}-image-{key}"
        log = lab.state / "log" / f"image-{key}.log"
        labels = {docker.LABEL_LAB: lab.name, docker.LABEL_REPOSITORY: str(REPOSITORY)}
        docker.remove_container(container)  # of a killed run
        try:
            logged(
                [
                    *("docker", "run", "--name", container, f"--volume={archives}:{_ARCHIVES}"),
                    f"--security-opt=seccomp={profile}",
                    *(f"--label={name}={value}" for name, value in labels.items()),
                    *(reference(), "/bin/sh", "-c", _INSTALL, "sh", *wanted),
                ],
                log,
            )
            without = " ".join(f'{name}=""' for name in labels)
            change = f'LABEL {docker.LABEL_BASE}="{base}" {without}'
            logged(["docker", "commit", f"--change={change}", container, made], log)
        finally:
            docker.remove_container(container)
            profile.unlink()
    return made


def main() -> int:
    """Make the image of a host, and print its name; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ent.lab.image")
    parser.add_argument("--archives", type=Path, required=True, help="folder of apt's downloads")
    parser.add_argument("packages", nargs="+", help="Debian packages")
    options = parser.parse_args()
    try:
        print(with_packages(settings.load(), options.packages, options.archives))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
