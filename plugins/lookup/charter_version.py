"""Lookup: the version of a charter, from the head of its file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: charter_version
short_description: the version of a charter of use, from the head of its file
description:
  - The version that people accept stands in the head of the charter's file and nowhere else.
    Services that compare it with what people accepted are told by this lookup.
options:
  _terms:
    description:
      - Path of the file, in the form of C(src/ent/annuaire/activation/charte.md). Empty for that.
    required: true
"""

EXAMPLES = """
portal_charter_version: "{{ lookup('charter_version', ent_charter_file) }}"
"""

RETURN = """
_raw:
  description: One version for each path.
  type: list
  elements: str
"""

_DEFAULT = Path(__file__).resolve().parents[2] / "src/ent/annuaire/activation/charte.md"
_HEAD = re.compile(r"---\n(.*?)\n---\n", re.S)
_VERSION = re.compile(r"^version:[ \t]*(\S+)[ \t]*$", re.M)


def version_of(path: Path) -> str:
    """The version in the head of this file; raises AnsibleLookupError."""
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AnsibleLookupError(f"charter_version: {path}: {error}") from error
    head = _HEAD.match(text)
    version = _VERSION.search(head[1]) if head else None
    if version is None:
        raise AnsibleLookupError(
            f"charter_version: {path}: expected a head between two lines ---, with a version"
        )
    return version[1]


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """Run the lookup."""
        self.set_options(var_options=variables, direct=kwargs)
        return [version_of(Path(one) if one else _DEFAULT) for one in terms]
