"""Move subscriptions of activated people to their address.

ent-listmove run                  the service: works until it is stopped
ent-listmove plan                 what a comparison of everything would move
ent-listmove status [LOGIN ...]   what was moved, and who waits
ent-listmove pass LOGIN ...       look at people now (when the service is stopped)
ent-listmove check-settings FILE  say what is wrong with a settings file
"""

import json
import sys
from pathlib import Path

from ent import service
from ent.directory import DirectoryUnavailable
from ent.listmove.database import DatabaseUnavailable
from ent.listmove.ledger import InUseError, Ledger, as_json
from ent.listmove.settings import Settings
from ent.listmove.sympa import SympaUnavailable
from ent.listmove.worker import Worker, WorkerError
from ent.web.config import ConfigError, load

_SETTINGS = Path("/etc/ent/listmove/settings.json")
_AWAY = (DatabaseUnavailable, DirectoryUnavailable, SympaUnavailable)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 1 when something could not be done."""
    parser, commands = service.command_line("ent-listmove", __doc__, _SETTINGS)
    commands.add_parser("plan", help="compare everything and change nothing, as JSON lines")
    options = parser.parse_args(arguments)

    service.log()
    try:
        if options.command == "check-settings":
            load(options.file, Settings)
            return 0
        settings = load(options.settings, Settings)
        if options.command == "status":
            return _status(Ledger(settings.ledger, alone=False), options.login)
        worker = Worker(settings, Ledger(settings.ledger, settings.readers))
        if options.command == "plan":
            return _plan(worker)
        if options.command == "pass":
            return _passes(worker, options.login)
        _run(worker)
    except (ConfigError, InUseError, WorkerError, *_AWAY) as error:
        print(f"ent-listmove: {error}", file=sys.stderr)
        return 1
    return 0


def _run(worker: Worker) -> None:
    service.stopped_by(worker.stop)
    # a second worker ends here; a database that is away is waited for
    try:
        worker.ledger.cookie()
    except DatabaseUnavailable as error:
        print(f"ent-listmove: {error}; waiting for it", file=sys.stderr)
    service.ready()
    worker.run()
    worker.ledger.close()


def _plan(worker: Worker) -> int:
    plan = worker.plan()
    for old, (uid, new) in sorted(plan.moves.items()):
        print(json.dumps({"login": uid, "old_address": old, "new_address": new}))
    for one in plan.ambiguous:
        print(json.dumps({"ambiguous": one.address, "logins": one.uids}))
    return 0


def _status(ledger: Ledger, logins: list[str]) -> int:
    known = set()
    for done in ledger.moves(logins):
        known.add(done.login)
        print(as_json(done))
    for uid, due, tries in ledger.waiting():
        if not logins or uid in logins:
            known.add(uid)
            print(json.dumps({"login": uid, "waits_until": due.isoformat(), "tries": tries}))
    missing = [uid for uid in logins if uid not in known]
    for uid in missing:
        print(f"ent-listmove: {uid}: nothing was moved so far", file=sys.stderr)
    return int(bool(missing))


def _passes(worker: Worker, logins: list[str]) -> int:
    failed = False
    worker.ledger.cookie()  # nobody else is at work
    for uid in logins:
        try:
            outcome = worker.look(uid)
        except _AWAY as error:
            print(f"ent-listmove: {uid}: {error}", file=sys.stderr)
            failed = True
            continue
        for done in outcome.done:
            print(as_json(done))
        failed = failed or any(one.outcome == "failed" for one in outcome.done)
        if not outcome.done and not outcome.excluded:
            print(f"{uid}: nothing to move", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
