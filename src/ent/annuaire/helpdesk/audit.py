"""The auditors' side: read the trail, take it away as a table, check that it is whole."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo

from ent.annuaire.helpdesk import texts
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.models import TrailLine
from ent.annuaire.helpdesk.storage import Selection
from ent.annuaire.helpdesk.trail import Action, Outcome, Verdict, check

PAGE = 50
# What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, the newest first. older: number to continue below, None at the end."""

    lines: tuple[TrailLine, ...]
    older: int | None


def read(desk: Desk, actor: Actor, selection: Selection) -> Page:
    """A page of the lines that were asked for. That it was read is a line, too."""
    desk.record(actor, Action.READ, Outcome.DONE, selection.person)
    found = tuple(desk.store.lines(selection)[: PAGE + 1])
    older = found[PAGE - 1].number if len(found) > PAGE else None
    return Page(found[:PAGE], older)


def export(desk: Desk, actor: Actor, selection: Selection, zone: tzinfo) -> Iterator[str]:
    """All lines that were asked for as CSV in French, a piece at a time; for spreadsheets.

    zone: of the times, which bear their offset.
    """
    # before the first byte, so that an export without its line does not happen
    desk.record(actor, Action.EXPORT, Outcome.DONE, selection.person)
    lines = desk.store.lines(replace(selection, below=None))
    # without the mark, Excel takes UTF-8 for its own code page
    return _csv("\ufeff", _rows(lines, zone))


def inspect(desk: Desk, actor: Actor) -> Verdict:
    """Whether every line is there as it was written."""
    verdict = check(desk.store.chain())
    whole = verdict.broken is None
    desk.record(
        actor,
        Action.CHECK,
        Outcome.DONE if whole else Outcome.FAILED,
        detail=f"whole:{verdict.last}" if whole else f"broken:{verdict.broken}",
    )
    return verdict


def _rows(lines: Iterable[TrailLine], zone: tzinfo) -> Iterator[tuple[str, ...]]:
    yield texts.columns()
    for line in _in_pieces(lines):
        yield (
            str(line.number),
            line.at.astimezone(zone).isoformat(),
            line.agent,
            line.address,
            str(texts.action(line.action)),
            line.person,
            str(texts.outcome(line.outcome)),
            texts.detail(line.detail),
            line.operation,
            line.hash,
        )


def _in_pieces(lines: Iterable[TrailLine]) -> Iterable[TrailLine]:
    iterator = getattr(lines, "iterator", None)
    return iterator(chunk_size=2000) if iterator else lines


def _csv(start: str, rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    buffer = io.StringIO()
    buffer.write(start)
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    for row in rows:
        writer.writerow([harmless(one) for one in row])
        if buffer.tell() > 32 * 1024:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def harmless(cell: str) -> str:
    """The cell, so that no spreadsheet calculates it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
