"""A figure, and where figures are kept."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".cache" / "bench"
PAGE = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        name: what was measured.
        value: the measurement, in ``unit``.
        unit: such as ``s`` or ``1/s``.
        peer: what it is compared with, measured in the same run.
        peer_value: the peer's measurement, in the same unit.
        aim: what was aimed at, in words.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    aim: str = ""

    @property
    def ratio(self) -> float | None:
        """Value over peer."""
        return self.value / self.peer_value if self.peer_value else None


def save(part: str, figures: list[Figure]) -> None:
    """Keep the figures of one part as JSON, and show them in docs/performance.md."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    measured = {
        "part": part,
        "when": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
        "figures": [asdict(figure) | {"ratio": figure.ratio} for figure in figures],
    }
    (RESULTS / f"{part}.json").write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
    _write_page(measured)


def _write_page(measured: dict[str, Any]) -> None:
    """Put the rows of one part into the page; those of the others stay as they are."""
    text = PAGE.read_text()
    begin, end = text.index(_BEGIN), text.index(_END)
    parts: dict[str, list[str]] = {}
    name = ""
    for line in text[begin:end].splitlines():
        if found := re.match(r"\| \*\*(\w+)\*\* ", line):
            name = found[1]
            parts[name] = []
        if name and line.startswith("|"):
            parts[name].append(line)
    parts[measured["part"]] = _rows(measured)
    table = [row for part in sorted(parts) for row in parts[part]]
    head = ["| | figure | beside it, same run | ratio | aim |", "|---|---|---|---|---|"]
    PAGE.write_text("\n".join([text[:begin] + _BEGIN, "", *head, *table, "", text[end:]]))


def _rows(measured: dict[str, Any]) -> list[str]:
    rows = [f"| **{measured['part']}** ({measured['when']}, {measured['machine']}) | | | | |"]
    for figure in measured["figures"]:
        peer = f"{figure['peer']}: {_number(figure['peer_value'])}" if figure["peer"] else ""
        ratio = f"{figure['ratio']:.2f}" if figure["ratio"] is not None else ""
        rows.append(
            f"| {figure['name']} | {_number(figure['value'])} {figure['unit']} "
            f"| {peer} | {ratio} | {figure['aim']} |"
        )
    return rows


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
