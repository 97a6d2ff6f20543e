"""make flakes: run the tests of a lab again and again, in random order and in company.

Each round is the whole verify step in an order of its own. Beside it two loops keep the processors
busy, and a second lab goes up and down. In the end every test is listed that did not pass in each
round, with the seeds of the rounds in which it did not. Nothing is run again to make it pass.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".cache" / "report"
TESTS = ("tests/integration", "tests/e2e")
#: the lab beside, on a network of its own
COMPANY = "entcompany"


def main() -> int:
    """Run the rounds; 0 when every test passed in each."""
    parser = argparse.ArgumentParser(prog="make flakes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, help="of the first round; the others count on from it")
    parser.add_argument("--alone", action="store_true", help="without company")
    parser.add_argument("tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    first = options.seed if options.seed is not None else secrets.randbelow(10**6)
    seeds = range(first, first + options.rounds)
    found: dict[str, list[int]] = defaultdict(list)
    incomplete = []
    with ExitStack() as stack:
        if not options.alone:
            stack.enter_context(busy(2))
            stack.enter_context(second_lab())
        for seed in seeds:
            report = REPORTS / f"flakes-{seed}.xml"
            report.unlink(missing_ok=True)
            began = time.monotonic()
            status = verify(options.tests, seed, report)
            failed, count = results(report) if report.exists() else (set(), 0)
            print(
                f"seed {seed}: {count} tests, {len(failed)} not passed, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
            for test in failed:
                found[test].append(seed)
            if not count or (status and not failed):
                incomplete.append(seed)
    for test in sorted(found):
        print(f"{test}: {', '.join(map(str, found[test]))}")
    for seed in incomplete:
        print(f"seed {seed}: pytest did not come to its end, see {REPORTS}/flakes-{seed}.log")
    if not found and not incomplete:
        print(f"{len(seeds)} rounds, every test passed in each")
    return 1 if found or incomplete else 0


def verify(tests: list[str], seed: int, report: Path) -> int:
    """One round; the exit status of pytest, whose output is in a file beside the report."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    with report.with_suffix(".log").open("w") as log:
        return subprocess.run(
            [
                *("pytest", *tests, "--random-order", f"--random-order-seed={seed}"),
                *(f"--junitxml={report}", "-o", "junit_suite_name=flakes"),
            ],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode


def results(report: Path) -> tuple[set[str], int]:
    """The tests of a JUnit report that did not pass, and how many there are."""
    failed, count = set(), 0
    for case in etree.parse(report).iter("testcase"):
        count += 1
        if any(case.find(what) is not None for what in ("failure", "error", "skipped")):
            failed.add(f"{case.get('classname')}::{case.get('name')}")
    return failed, count


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Processes that do nothing but use a processor each."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextmanager
def second_lab() -> Iterator[None]:
    """A lab that goes up and down until the end."""
    over = threading.Event()
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ENT_", "ANSIBLE_", "NSS_WRAPPER_", "LD_PRELOAD"))
    }
    log = (REPORTS / "flakes-company.log").open("w")
    current: list[subprocess.Popen[bytes]] = []

    def make(target: str) -> None:
        process = subprocess.Popen(
            ["make", target, f"LAB={COMPANY}"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        current[:] = [process]
        process.wait()

    def go_on() -> None:
        while not over.is_set():
            make("up")
            make("down")

    REPORTS.mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        for process in current:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        thread.join()
        make("down")
        log.close()


if __name__ == "__main__":
    sys.exit(main())
