"""Move messages of the legacy server to the new mailboxes of activated people.

ent-mailmove run                  the service: works until it is stopped
ent-mailmove status [LOGIN ...]   what has been moved, and who waits
ent-mailmove pass LOGIN ...       look at people now (when the service is stopped)
ent-mailmove check-settings FILE  say what is wrong with a settings file
"""

import json
import sys
from pathlib import Path

from ent import service
from ent.directory import DirectoryUnavailable
from ent.mailmove.mailboxes import MailboxError
from ent.mailmove.settings import Settings
from ent.mailmove.status import Statuses
from ent.mailmove.worker import Worker, WorkerError, opened
from ent.web.config import ConfigError, load

_SETTINGS = Path("/etc/ent/mailmove/settings.json")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 1 when something could not be done."""
    parser, _ = service.command_line("ent-mailmove", __doc__, _SETTINGS)
    options = parser.parse_args(arguments)

    service.log()
    try:
        if options.command == "check-settings":
            load(options.file, Settings)
            return 0
        settings = load(options.settings, Settings)
        if options.command == "status":
            return _status(settings, options.login)
        with opened(settings) as ledger:
            worker = Worker(settings, ledger)
            if options.command == "pass":
                return _passes(worker, options.login)
            service.stopped_by(worker.stop)
            service.ready()
            worker.run()
    except (ConfigError, WorkerError) as error:
        print(f"ent-mailmove: {error}", file=sys.stderr)
        return 1
    return 0


def _status(settings: Settings, logins: list[str]) -> int:
    statuses = Statuses(Path(settings.status_dir))
    missing = False
    for uid in logins or sorted(path.stem for path in Path(settings.status_dir).glob("[!.]*.json")):
        known = statuses.read(uid)
        if known is None:
            print(f"ent-mailmove: {uid}: nothing to move so far", file=sys.stderr)
            missing = True
        else:
            print(json.dumps({"login": uid} | known))
    return int(missing)


def _passes(worker: Worker, logins: list[str]) -> int:
    failed = False
    for uid in logins:
        try:
            outcome = worker.move(uid)
        except (DirectoryUnavailable, MailboxError) as error:
            print(f"ent-mailmove: {uid}: {error}", file=sys.stderr)
            failed = True
            continue
        if outcome is None:
            print(f"{uid}: not activated, or no legacy mailbox")
        else:
            print(f"{uid}: {outcome.copied} copied, {outcome.total} in the legacy mailbox")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
