"""What all tests share: the lab, the guide's report, and the journal of what failed."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import lab as lab_module
from mail import Mail

# How long a machine takes for an example says nothing of what is tested.
settings.register_profile("ent", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ent")

_REPORTS = lab_module.REPOSITORY / ".cache" / "report"
_JOURNAL_LINES = 40
_GUIDE_WIDTH = 76
_results: dict[str, dict[str, str]] = defaultdict(dict)


@pytest.fixture(scope="session")
def lab() -> lab_module.LabUnderTest:
    """The running lab."""
    return lab_module.load()


@pytest.fixture
def forgiven(lab: lab_module.LabUnderTest) -> None:
    """A right password: those that tests before gave wrong make this machine wait no more.

    Dovecot makes an address wait for its answers, and longer than Postfix waits for Dovecot.
    """
    with Mail(lab).imap("jmartin") as imap:
        imap.noop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Collect results per sentence of the guide; add journals to failures."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        for marker in item.iter_markers("guide"):
            for sentence in marker.args:
                _results[sentence][item.nodeid] = report.outcome
    if report.failed:
        for marker in item.iter_markers("service"):
            host, *units = marker.args
            for unit in units:
                report.sections.append((f"journal of {unit} on {host}", _journal(host, unit)))
    return report


def _journal(host: str, unit: str) -> str:
    result = lab_module.load().run(
        host, "journalctl -u %s -n %s --no-pager", unit, str(_JOURNAL_LINES)
    )
    return str(result.stdout or result.stderr)


def _guide() -> list[tuple[str, str]]:
    """The sentences of the guide, in its order, from docs/guide.md."""
    text = (lab_module.REPOSITORY / "docs" / "guide.md").read_text()
    return re.findall(r"^\| (G\w+) \| (.+?) \|", text, flags=re.M)


def _verdict(tests: dict[str, str]) -> str:
    """What the tests of one sentence say together.

    Only a test in the browser follows the guide as its reader does; protocol tests alone prove a
    sentence in part.
    """
    if not tests:
        return "not yet"
    if set(tests.values()) != {"passed"}:
        return "FAILED"
    return "proved" if any(node.startswith("tests/e2e/") for node in tests) else "in part"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print guide sentence → tests → result, and write it as JSON."""
    if not _results:
        return
    terminalreporter.section("guide")
    rows = []
    for sentence, text in _guide():
        tests = _results.get(sentence, {})
        verdict = _verdict(tests)
        rows.append({"id": sentence, "sentence": text, "result": verdict, "tests": tests})
        short = text if len(text) <= _GUIDE_WIDTH else text[: _GUIDE_WIDTH - 1] + "…"
        terminalreporter.write_line(f"{sentence:<4} {short:<{_GUIDE_WIDTH}} {verdict}")
        for function, count in Counter(node.partition("[")[0] for node in tests).items():
            times = f" × {count}" if count > 1 else ""
            terminalreporter.write_line(f"       {function}{times}")
    _REPORTS.mkdir(parents=True, exist_ok=True)
    target = _REPORTS / f"guide-{os.environ.get('ENT_LAB', 'unit')}.json"
    target.write_text(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    terminalreporter.write_line(f"written to {target.relative_to(lab_module.REPOSITORY)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A guide marker names a sentence that exists."""
    known = {sentence for sentence, _ in _guide()}
    for item in items:
        for marker in item.iter_markers("guide"):
            if unknown := set(marker.args) - known:
                raise pytest.UsageError(f"{item.nodeid}: the guide has no {', '.join(unknown)}")
