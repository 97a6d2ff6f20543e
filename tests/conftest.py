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
from xdist.scheduler import LoadScopeScheduling

import addresses
import lab as lab_module
import needs
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


_IN_THE_LAB = ("tests/integration/", "tests/e2e/")
#: of the tests of a lab
_PROCESSES = 8
#: modules that take longest, so that no process is left alone with one at the end
_LONG = (
    "test_listmove",
    "test_mailmove",
    "test_sympa_members",
    "test_sympa_signin",
    "test_mail_service",
    "test_imap_signin",
    "test_sympa_mail",
    "test_lists",
    "test_mail_forward",
    "test_feed_chain",
    "test_openldap_acl",
    "test_helpdesk",
    "test_cas_messages",
)
_NEEDS = pytest.StashKey[needs.Needs]()
_ADDRESSES = pytest.StashKey[Iterator[Any]]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """How many processes: tests of a lab wait more than they work; one module is for one."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and files.pop().endswith(".py"):
        return 0
    return _PROCESSES if _about_a_lab(config) else None


def _about_a_lab(config: pytest.Config) -> bool:
    return any("integration" in argument or "e2e" in argument for argument in config.args)


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Give the machine the addresses that tests of a lab speak from, before processes start."""
    if _about_a_lab(config):
        addresses.provide(lab_module.load())


def pytest_collection_finish(session: pytest.Session) -> None:
    """The same, when there is only one process."""
    if any(_NEEDS in item.stash for item in session.items) and not _worker():
        addresses.provide(lab_module.load())


def _worker() -> str:
    """Which of several test processes this is, such as gw0; empty for the only one."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What the test needs of the lab is its own from before its fixtures until after them."""
    if _NEEDS not in item.stash:
        return (yield)
    locks, wanted = lab_module.load().locks, item.stash[_NEEDS]
    if locks.needs != wanted:
        item.user_properties.append(("waited", round(locks.take(wanted), 1)))
    next(item.session.stash.setdefault(_ADDRESSES, _take_turns()))
    try:
        return (yield)
    finally:
        locks.release(nextitem.stash.get(_NEEDS, None) if nextitem else None)


def _take_turns() -> Iterator[Any]:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(_worker().removeprefix("gw") or 0)
    return addresses.take_turns(lab_module.load(), worker, workers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Say which sentences of the guide a test is about; add journals to failures."""
    report = yield
    if call.when == "setup":
        for marker in item.iter_markers("guide"):
            item.user_properties += [("guide", sentence) for sentence in marker.args]
        report.user_properties = list(item.user_properties)
    if report.failed:
        for marker in item.iter_markers("service"):
            host, *units = marker.args
            for unit in units:
                report.sections.append((f"journal of {unit} on {host}", _journal(host, unit)))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect results per sentence of the guide, of all processes."""
    if report.when == "call" or report.outcome != "passed":
        for name, value in report.user_properties:
            if name == "guide":
                _results[value][report.nodeid] = report.outcome


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
    """A guide marker names a sentence that exists; tests of a lab say what they need of it."""
    known = {sentence for sentence, _ in _guide()}
    for item in items:
        for marker in item.iter_markers("guide"):
            if unknown := set(marker.args) - known:
                raise pytest.UsageError(f"{item.nodeid}: the guide has no {', '.join(unknown)}")
        if item.nodeid.startswith(_IN_THE_LAB):
            item.stash[_NEEDS] = needs.of(item)
            if needs.turn(item.stash[_NEEDS].alone) != needs.turn_of(item.nodeid):
                raise pytest.UsageError(f"{item.nodeid}: write alone(…) at the test or its module")


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_put_in_turn(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs something to itself comes when all else is through; long modules begin first."""
    random = config.getoption("random_order_enabled")

    def place(item: pytest.Item) -> tuple[int, int, str, list[str]]:
        if random or _NEEDS not in item.stash:
            return 0, 0, "", []
        wanted = item.stash[_NEEDS]
        name = item.path.stem
        rank = _LONG.index(name) if name in _LONG else len(_LONG)
        return needs.turn(wanted.alone), rank, wanted.module, sorted(wanted.alone)

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give whole modules to processes: of each what runs beside others, and what does not."""
    return _Scheduler(config, log)


class _Scheduler(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return f"{nodeid.partition('::')[0]} {needs.turn_of(nodeid).name}"
