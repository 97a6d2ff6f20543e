"""Lookup: a person's generated password, kept in a file, that the directory's rule takes."""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: person_password
short_description: a person's generated password, kept in a file
description:
  - As C(ansible.builtin.password), but what it makes has letters and digits, as the directory
    demands of people. Random characters alone have no digit in one of sixteen passwords.
options:
  _terms:
    description: Files; one that is not there is made, readable by its owner alone.
    required: true
"""

EXAMPLES = """
password: "{{ lookup('person_password', ent_secrets_dir ~ '/person-jmartin') }}"
"""

RETURN = """
_raw:
  description: The passwords.
  type: list
  elements: str
"""

_LENGTH = 16


def generate() -> str:
    """A password of letters and digits, with one of each at least."""
    characters = string.ascii_letters + string.digits
    while True:
        made = "".join(secrets.choice(characters) for _ in range(_LENGTH))
        if not made.isalpha() and not made.isdigit():
            return made


def kept(path: Path) -> str:
    """What a file holds; made if it is not there, by one of those who ask at the same time."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{generate()}\n")
            os.link(name, path)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
    return path.read_text().strip()


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """Return the passwords in these files."""
        return [kept(Path(term)) for term in terms]
