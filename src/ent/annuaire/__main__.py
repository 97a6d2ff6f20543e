"""`python -m ent.annuaire PROCESS COMMAND`, PROCESS being public, helpdesk or owner.

COMMAND: check-settings FILE, serve [gunicorn options], or a command of Django.
Each imports only what it needs: Django is slow to load and check-settings runs
in every play.
"""

import os
import sys
from pathlib import Path

SETTINGS = {
    "public": "ent.annuaire.settings",
    "helpdesk": "ent.annuaire.settings_helpdesk",
    "owner": "ent.annuaire.settings_owner",
}


def main(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    if not arguments or arguments[0] not in SETTINGS:
        print(f"usage: ent-annuaire {'|'.join(SETTINGS)} COMMAND", file=sys.stderr)
        return 2
    process, *command = arguments
    if command[:1] == ["check-settings"] and len(command) == 2:
        from ent.annuaire import config  # noqa: PLC0415
        from ent.web.config import ConfigError  # noqa: PLC0415

        try:
            config.read(process, Path(command[1]))
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    # not setdefault: the process is what was asked for, whatever the environment says
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS[process]
    if command[:1] == ["serve"] and process != "owner":
        from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]  # noqa: PLC0415

        sys.argv = [f"ent-annuaire-{process}", *command[1:], "ent.annuaire.wsgi"]
        run()
        return 0
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line([f"ent-annuaire {process}", *command])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
