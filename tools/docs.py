"""Write the generated parts of docs/, or check that they are current.

What is generated: the reference of every role's variables, from its
``meta/argument_specs.yml``. On the way the specification is compared with
``defaults/main.yml``, so that neither can say what the other does not.

Usage: ``python tools/docs.py [--check]``; exit status 1 when something is to mend.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
VARIABLES = ROOT / "docs" / "variables.md"
_HEAD = """# Variables

Generated from the roles' `meta/argument_specs.yml` by `make docs`. The values that the stack gives
them are in `inventories/stack/group_vars/`; what a site decides is in
`inventories/stack/group_vars/all/site.yml`.
"""


def disagreements(role: str, options: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """What a role's specification and its defaults say differently."""
    found = []
    for name, option in options.items():
        if not name.startswith(f"{role}_"):
            found.append(f"{role}: option {name} does not carry the role's name")
        if not option.get("description"):
            found.append(f"{role}: option {name} has no description")
        if option.get("required") and name in defaults:
            found.append(f"{role}: {name} is required, yet has a default")
        elif not option.get("required"):
            if name not in defaults:
                found.append(f"{role}: {name} is neither required nor in defaults/main.yml")
            elif "default" not in option or option["default"] != defaults[name]:
                found.append(
                    f"{role}: {name} defaults to {option.get('default')!r} in argument_specs.yml "
                    f"and to {defaults[name]!r} in defaults/main.yml"
                )
    found += [
        f"{role}: {name} is in defaults/main.yml and not in argument_specs.yml"
        for name in defaults.keys() - options.keys()
    ]
    return found


def _text(value: Any) -> str:
    lines = value if isinstance(value, list) else [value]
    return " ".join(str(line).strip().replace("\n", " ") for line in lines).replace("|", "\\|")


def _rows(options: dict[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for name, option in options.items():
        kind = option.get("type", "str")
        if option.get("elements"):
            kind = f"{kind} of {option['elements']}"
        if option.get("choices"):
            kind = " / ".join(f"`{choice}`" for choice in option["choices"])
        default = "**required**" if option.get("required") else _default(option.get("default"))
        rows.append(f"| {prefix}`{name}` | {kind} | {default} | {_text(option['description'])} |")
        rows += _rows(option.get("options", {}), prefix + "&nbsp;&nbsp;")
    return rows


def _default(value: Any) -> str:
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    text = text.removesuffix("...\n").strip().replace("|", "\\|")
    return f"`{text}`" if len(text) <= 120 else "see defaults/main.yml"


def _load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


def main() -> int:
    """Write or check; the exit status."""
    parts, faults = [_HEAD], []
    for role in sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir()):
        specs = _load(ROOT / "roles" / role / "meta" / "argument_specs.yml")
        if "main" not in specs.get("argument_specs", {}):
            faults.append(f"{role}: no meta/argument_specs.yml with an entry point main")
            continue
        main_spec = specs["argument_specs"]["main"]
        options = main_spec.get("options", {})
        faults += disagreements(
            role, options, _load(ROOT / "roles" / role / "defaults" / "main.yml")
        )
        parts.append(f"\n## {role}\n\n{_text(main_spec.get('short_description', ''))}.\n")
        parts.append("| variable | type | default | |\n|---|---|---|---|")
        parts += _rows(options)
    text = "\n".join(parts) + "\n"
    if "--check" in sys.argv:
        if not VARIABLES.exists() or VARIABLES.read_text() != text:
            faults.append("docs/variables.md is not what the roles say: make docs")
    else:
        VARIABLES.write_text(text)
    print("\n".join(faults) or "specifications, defaults and docs agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
