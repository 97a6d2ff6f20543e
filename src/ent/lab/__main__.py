"""The command behind the targets of the Makefile that work on a lab."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time

from . import browser, controller, docker, image, limits, preflight, report, settings, times, turns
from .phases import fail, in_parallel, phase, say
from .settings import REPOSITORY, Lab, LabError


def _check(lab: Lab, tests: bool, done: str = "nothing was changed") -> list[str]:
    """Look at the machine, and as root raise run-time limits; the Debian packages that it lacks.

    A machine with any other fault is left as it is.

    Args:
        lab: the lab that is to be.
        tests: whether it will be tested, too.
        done: what was changed before this check, for the message.

    """
    with phase("Checks of this machine"):
        packages = controller.missing_packages(tests)
        problems = preflight.examine(lab, packages)
    if problems:
        listed = "\n\n".join(str(problem) for problem in problems)
        raise LabError(f"this machine is not ready, and {done}.\n\n{listed}")
    for shortage in preflight.kernel_shortages(lab) if os.geteuid() == 0 else ():
        try:
            told = limits.lift(shortage)
        except OSError as error:
            raise LabError(
                f"{shortage.name} is {shortage.found}; needed: {shortage.needed}. It cannot be "
                f"raised: {error}. Raise it on the machine that runs this kernel: "
                f"sysctl -w {shortage.name}={shortage.target}"
            ) from None
        if told:
            say(f"    {told}")
    return packages


def _provide(lab: Lab, tests: bool, packages: list[str]) -> None:
    """Put on the controller what a lab needs."""
    settings.remember(lab)
    if packages or docker.find_engine().version is None:
        with phase("Packages and engine of the controller"):
            controller.install_packages(lab, packages)
            controller.ensure_engine(lab)
        # now with what only a running engine can tell
        _check(lab, tests, "beyond what is said above nothing was changed")
    in_parallel(
        ("Python environment and applications", lambda: _python(lab, tests)),
        ("Base image", lambda: image.ensure(lab)),
    )


def _python(lab: Lab, tests: bool) -> None:
    controller.ensure_venv(lab, "dev" if tests else "controller")
    controller.build_applications(lab)


def _up(lab: Lab, options: argparse.Namespace) -> int:
    packages = _check(lab, tests=False)
    with turns.only_one(lab):
        _provide(lab, False, packages)
        command = ["ansible-playbook", "playbooks/lab/up.yml", *shlex.split(options.ansible)]
        code = turns.run(lab, command, _play_environment(lab))
    if code:
        raise LabError(
            "the lab is not complete; the message is above, all of it in "
            f"{lab.state / 'log' / 'up.log'}. make up again goes on from here."
        )
    report.addresses(lab)
    return 0


def _play_environment(lab: Lab) -> dict[str, str]:
    (lab.state / "log").mkdir(parents=True, exist_ok=True)
    return {
        **controller.environment(lab),
        "ENT_IMAGE": image.reference(),
        "ANSIBLE_LOG_PATH": str(lab.state / "log" / "up.log"),
    }


def _down(lab: Lab) -> int:
    with turns.only_one(lab) as inside:
        if docker.find_engine().version is None:
            if lab.state.exists() and docker.find_engine().installed and os.geteuid() == 0:
                controller.ensure_engine(lab)  # it may hold containers of this lab
            elif lab.state.exists():
                say("No Docker engine answers: only the lab's folder can be removed.")
        if docker.find_engine().version is not None:
            for name in docker.remove(lab):
                say(f"removed {name}")
        turns.forget(lab, inside)
    say(f"lab {lab.name!r} is gone; the caches (.venv, .cache, base image) stay for the next one")
    return 0


def _test(lab: Lab) -> int:
    """Everything, with a table of what took how long; it is printed last, whatever happens."""
    times.forget()
    start = time.monotonic()
    try:
        with times.noted("environment", "ready") as ready:
            ready.status = _ready(lab)
        if ready.status == 0:
            tox = [str(controller.VENV / "bin" / "tox"), "run-parallel", "--parallel", "all"]
            options = ["--parallel-live", "--parallel-no-spinner", "--result-json", str(times.TOX)]
            return subprocess.run([*tox, *options], cwd=REPOSITORY, check=False).returncode
        return ready.status
    finally:
        sys.stderr.flush()
        say("\n" + times.table(times.found(), time.monotonic() - start))


def _ready(lab: Lab) -> int:
    try:
        _provide(lab, True, _check(lab, tests=True))
    except LabError as error:
        return fail(error)
    return 0


# run: a command that changes the lab, in Ansible's environment; verify: one in that of its tests.
_COMMANDS = ("up", "down", "status", "browser", "ready", "test", "run", "verify")


def main() -> int:
    """Run one command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="make", description="The lab: containers on this machine."
    )
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument(
        "arguments", nargs="*", help="of the command to run in the lab's environment"
    )
    parser.add_argument("--lab", help="instance name (ent)")
    parser.add_argument("--prefix", help="first three bytes of its network")
    parser.add_argument("--ansible", default="", help="more options for ansible-playbook")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        lab = settings.load(options.lab, options.prefix)
        match options.command:
            case "up":
                return _up(lab, options)
            case "down":
                return _down(lab)
            case "status":
                return report.status(lab)
            case "browser":
                return browser.open_browser(lab)
            case "ready":
                return _ready(lab)
            case "test":
                return _test(lab)
            case "run":
                with turns.only_one(lab):
                    return turns.run(lab, options.arguments, _play_environment(lab))
            case _:
                environment = _play_environment(lab) | report.test_environment(lab)
                return subprocess.run(
                    options.arguments, cwd=REPOSITORY, env=environment, check=False
                ).returncode
    except LabError as error:
        return fail(error)
    except KeyboardInterrupt:
        print("\nent: interrupted; the same make goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
