"""`python -m ent.harpege COMMAND`: what the installed `ent-harpege` runs."""

import sys

from ent.harpege.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
