"""`python -m ent.portal COMMAND`.

check-settings FILE, serve [gunicorn options], or any command of Django. Each
imports only what it needs: Django is slow to load and check-settings runs in
every play.
"""

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    if arguments[:1] == ["check-settings"] and len(arguments) == 2:
        from ent.portal.config import portal_config  # noqa: PLC0415
        from ent.web.config import ConfigError  # noqa: PLC0415

        try:
            portal_config(Path(arguments[1]))
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ent.portal.settings")
    if arguments[:1] == ["serve"]:
        from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]  # noqa: PLC0415

        sys.argv = ["ent-portal", *arguments[1:], "ent.portal.wsgi"]
        run()
        return 0
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(["ent-portal", *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
