"""A figure, and where figures are kept."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

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
    """Keep the figures of one part as JSON, and show all in docs/performance.md."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    measured = {
        "part": part,
        "when": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
        "figures": [asdict(figure) | {"ratio": figure.ratio} for figure in figures],
    }
    (RESULTS / f"{part}.json").write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
    _write_page()


def _write_page() -> None:
    lines = [
        _BEGIN,
        "",
        "| | figure | beside it, same run | ratio | aim |",
        "|---|---|---|---|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        measured = json.loads(path.read_text())
        lines.append(
            f"| **{measured['part']}** ({measured['when']}, {measured['machine']}) | | | | |"
        )
        for figure in measured["figures"]:
            peer = f"{figure['peer']}: {_number(figure['peer_value'])}" if figure["peer"] else ""
            ratio = f"{figure['ratio']:.2f}" if figure["ratio"] is not None else ""
            lines.append(
                f"| {figure['name']} | {_number(figure['value'])} {figure['unit']} "
                f"| {peer} | {ratio} | {figure['aim']} |"
            )
    table = "\n".join([*lines, "", _END])
    text = PAGE.read_text()
    PAGE.write_text(re.sub(rf"{_BEGIN}.*{_END}", lambda _: table, text, flags=re.S))


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
