"""The base image: a bare Debian 13 with systemd, made by mmdebstrap.

No registry is asked for an image: Debian's archive has all that is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from . import docker
from .phases import logged
from .settings import REPOSITORY, Lab

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
