"""From a fresh clone to a running lab: cold, again, and with warm caches.

The floor is what nobody can do without: a base image, and the same packages
installed by plain apt in as many bare containers, side by side.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from tests.lab import variable

from bench.figures import RESULTS, ROOT, Figure, save
from ent.lab import docker, image, settings

LAB = "entbench"
_CLONE = RESULTS / "clone"


def _environment() -> dict[str, str]:
    """The environment of somebody who has just cloned: no caches of ours."""
    dropped = ("LD_PRELOAD", "VIRTUAL_ENV", "ENT_", "ANSIBLE_", "NSS_", "PYTHONPATH")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    path = ":".join(p for p in kept["PATH"].split(":") if not p.startswith(str(ROOT)))
    cache = str(RESULTS / "uv")
    return kept | {"PATH": path, "UV_CACHE_DIR": cache, "PIP_NO_CACHE_DIR": "1"}


def _make(target: str) -> tuple[float, str]:
    """Seconds that a target of the clone takes, and what it printed."""
    start = time.monotonic()
    result = subprocess.run(
        ["make", target, f"LAB={LAB}"],
        cwd=_CLONE,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    (RESULTS / f"{target}.log").write_text(result.stdout + result.stderr)
    if result.returncode:
        raise RuntimeError(
            f"make {target} failed, see {RESULTS / target}.log:\n{result.stderr[-2000:]}"
        )
    return seconds, result.stdout


def _packages() -> dict[str, list[str]]:
    """Host → the packages that all its roles need, as Ansible computes them."""
    hosts = json.loads((_CLONE / ".lab" / LAB / "lab.json").read_text())["hosts"]
    return {host: variable(host, "common_packages") for host in hosts}


def _floor(packages: dict[str, list[str]]) -> tuple[float, float]:
    """Seconds for the base image, and for plain apt in bare containers side by side."""
    lab = settings.Lab(LAB, "10.213.9")
    start = time.monotonic()
    image.ensure(lab)
    imaged = time.monotonic()
    names = []

    def install(host: str) -> None:
        name = f"{LAB}floor-{host}"
        names.append(name)
        subprocess.run(
            ["docker", "run", "--detach", "--name", name, image.reference(), "sleep", "1000"],
            check=True,
            capture_output=True,
        )
        script = "apt-get update -q && apt-get install -y -q --no-install-recommends " + " ".join(
            packages[host]
        )
        environment = ["--env", "DEBIAN_FRONTEND=noninteractive"]
        subprocess.run(
            ["docker", "exec", *environment, name, "sh", "-c", script],
            check=True,
            capture_output=True,
        )

    try:
        with ThreadPoolExecutor(len(packages)) as pool:
            list(pool.map(install, packages))
        return imaged - start, time.monotonic() - imaged
    finally:
        subprocess.run(["docker", "rm", "--force", *names], capture_output=True, check=False)


def _memory(lab: str) -> float:
    """MiB that the lab's containers use."""
    names = list(docker.containers(settings.Lab(lab, "10.213.9")))
    lines = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    units = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
    total = 0.0
    for line in lines:
        number, unit = re.match(r"([\d.]+)(\w+)", line).groups()  # type: ignore[union-attr]
        total += float(number) * units[unit]
    return total


def run() -> None:
    """Measure; about twelve minutes."""
    for path in (_CLONE, RESULTS / "uv"):
        shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(_CLONE)], check=True)
    docker.forget_images(image.reference())
    try:
        cold, _ = _make("up")
        print(f"cold: {cold:.0f} s", flush=True)
        second, said = _make("up")
        print(f"second: {second:.1f} s", flush=True)
        if "changed=0" not in said.rpartition("whole run")[2]:
            raise RuntimeError("the second make up changed something: see up.log")
        memory = _memory(LAB)
        packages = _packages()
        _make("down")
        warm, _ = _make("up")
    finally:
        _make("down")
    docker.forget_images(image.reference())
    imaged, installed = _floor(packages)
    shutil.rmtree(_CLONE)
    shutil.rmtree(RESULTS / "uv", ignore_errors=True)
    floor = "base image + plain apt"
    save(
        "lab",
        [
            Figure("cold make up", cold, "s", floor, imaged + installed, "ratio ≤ 1.3; ≤ 240 s"),
            Figure("make up, caches warm", warm, "s", floor, imaged + installed, "≤ 120 s"),
            Figure("second make up", second, "s", aim="≤ 30 s"),
            Figure("floor: base image", imaged, "s"),
            Figure("floor: plain apt", installed, "s"),
            Figure("memory of the idle lab", memory, "MiB"),
        ],
    )


if __name__ == "__main__":
    run()
