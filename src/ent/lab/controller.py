"""The controller's own environment: Debian packages and the locked Python ones."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

from . import docker
from .phases import logged, say
from .settings import REPOSITORY, Lab, LabError

VENV = REPOSITORY / ".venv"
_REQUIREMENTS = REPOSITORY / "requirements"

# Packages whose modules every Ansible run loads, in each worker process.
_COMPILED = (
    *("ansible", "ansible_mitogen", "mitogen", "jinja2", "markupsafe", "yaml", "cryptography"),
    *("requests", "urllib3", "idna", "certifi", "charset_normalizer", "packaging", "resolvelib"),
    "ansible_collections/community/docker",
)

# command or file that shows it is there → Debian package
_FOR_LABS = {"mmdebstrap": "mmdebstrap"}
_FOR_TESTS = {
    "gcc": "gcc",
    "/usr/include/ldap.h": "libldap-dev",
    "/usr/include/sasl/sasl.h": "libsasl2-dev",
    "/usr/lib/x86_64-linux-gnu/libnss_wrapper.so": "libnss-wrapper",
    "/usr/lib/x86_64-linux-gnu/libpq.so.5": "libpq5",
}


def missing_packages(tests: bool) -> list[str]:
    """Debian packages that this machine lacks, for a lab or also for the tests."""
    wanted = {**_FOR_LABS, **(_FOR_TESTS if tests else {})}
    missing = [
        package
        for sign, package in wanted.items()
        if not (Path(sign).exists() if sign.startswith("/") else shutil.which(sign))
    ]
    if not VENV.exists() and not _has_ensurepip():
        missing.append("python3-venv")
    if tests and sys.executable.startswith("/usr/bin/"):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        if not Path(f"/usr/include/{version}/Python.h").exists():
            missing.append("python3-dev")
    engine = docker.find_engine()
    if engine.version is None and not engine.installed:
        missing.append("docker.io")
    if not shutil.which("docker") and not Path("/etc/debian_version").read_text().startswith("12"):
        missing.append("docker-cli")  # a package of its own since Debian 13
    return missing


def _has_ensurepip() -> bool:
    try:
        import ensurepip  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def install_packages(lab: Lab, packages: list[str]) -> None:
    """Install Debian packages; as root only (preflight saw to it).

    Raises:
        LabError: apt failed.

    """
    if not packages:
        return
    log = lab.state / "log" / "controller.log"
    say(f"    installing Debian packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    logged(["apt-get", "update", "-q"], log, environment)
    logged(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], log, environment
    )


def ensure_engine(lab: Lab) -> None:
    """Start the Docker engine unless one answers.

    Raises:
        LabError: it does not start.

    """
    if docker.find_engine().version is None:
        docker.start_engine(lab.state / "log" / "dockerd.log")


def ensure_venv(lab: Lab, lock: str) -> None:
    """Bring .venv to what requirements/LOCK.txt says, by hash, unless it is there.

    Args:
        lab: for its log folder.
        lock: ``controller`` to bring labs up, ``dev`` to test too.

    Raises:
        LabError: a package could not be had or has another hash.

    """
    wanted = _REQUIREMENTS / f"{lock}.txt"
    with _lock_file() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _stamp().get(lock) == _digest(wanted):
            return
        log = lab.state / "log" / "controller.log"
        python = VENV / "bin" / "python"
        uv = VENV / "bin" / "uv"
        if not python.exists() or subprocess.run([python, "-c", ""], check=False).returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            logged([sys.executable, "-m", "venv", str(VENV)], log)
        pinned = _REQUIREMENTS / "uv.txt"
        if _stamp().get("uv") != _digest(pinned):
            logged(
                [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(pinned)],
                log,
            )
        environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_NO_PROGRESS": "1"}
        # pip sync would remove uv and pip themselves; install adds and changes only.
        logged([str(uv), "pip", "install", "--require-hashes", "-r", str(wanted)], log, environment)
        _compile(log)
        stamped = {lock: _digest(wanted), "uv": _digest(pinned)}
        if lock == "dev":
            stamped["controller"] = _digest(_REQUIREMENTS / "controller.txt")
        (VENV / "ent-stamp").write_text(
            "".join(f"{key} {value}\n" for key, value in stamped.items())
        )


def _compile(log: Path) -> None:
    """Compile what runs at each task: uv does not, and make tells Python to write no bytecode."""
    (library,) = VENV.glob("lib/python3.*/site-packages")
    packages = [str(library / name) for name in _COMPILED if (library / name).exists()]
    logged([str(VENV / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", *packages], log)


def build_applications(lab: Lab) -> None:
    """Build the web applications now, while the base image is made; their roles find them built.

    Raises:
        LabError: a package could not be had, or a catalog has a fault.

    """
    command = [str(VENV / "bin" / "python"), "-m", "ent.build", "portal"]
    logged(
        [*command, "--output", str(REPOSITORY / ".cache" / "apps")],
        lab.state / "log" / "controller.log",
        {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
    )


def _lock_file() -> IO[str]:
    cache = REPOSITORY / ".cache"
    cache.mkdir(exist_ok=True)
    return (cache / "venv.lock").open("w")


def _stamp() -> dict[str, str]:
    try:
        lines = (VENV / "ent-stamp").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(" ", 1) for line in lines)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise LabError(f"{path} is missing: restore it with git, or run make lock") from None


def environment(lab: Lab) -> dict[str, str]:
    """The environment in which Ansible, Molecule and pytest work on this lab."""
    return {
        **os.environ,
        "PATH": f"{VENV / 'bin'}:{os.environ.get('PATH', '')}",
        "ENT_LAB": lab.name,
        "ENT_LAB_PREFIX": lab.prefix,
        **_accelerator(),
    }


def _accelerator() -> dict[str, str]:
    """Mitogen for the lab's containers: a task run costs a third. ENT_MITOGEN=0 does without."""
    if os.environ.get("ENT_MITOGEN") == "0":
        return {}
    (plugins,) = VENV.glob("lib/python3.*/site-packages/ansible_mitogen/plugins/strategy")
    return {
        "ANSIBLE_STRATEGY_PLUGINS": str(plugins),
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ENT_LAB_CONNECTION": "mitogen_docker",
    }
