"""Compaction: hours that came in several parts become one part each, as if they had come at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.contracts import SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.ledger import queries
from stillwatch.ledger.journal import Journal, clear_workplace, finish
from stillwatch.ledger.layout import Layout, hour_of
from stillwatch.ledger.parts import by_hour, place, present, write_part
from stillwatch.ledger.storage import opened

_STEP_ROWS: Final = 500_000  # exchanges that one query sorts and one journal decides: some 200 MB


@dataclass(frozen=True)
class Compacted:
    """What a compaction did; parts and bytes are those of the hours that had several parts."""

    hours: int = 0
    exchanges: int = 0
    parts_before: int = 0
    parts_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


class Crowded(NamedTuple):
    """An hour that has several parts."""

    hour: datetime
    parts: list[Path]
    rows: int


def crowded_hours(layout: Layout) -> list[Crowded]:
    """Return the hours that have several parts, earliest first.

    Raises:
        LedgerError: one of the parts is damaged.
    """
    hours: dict[datetime, list[Path]] = {}
    for part in present(layout):
        hours.setdefault(hour_of(part), []).append(part)
    return [Crowded(hour, parts, sum(map(_rows, parts))) for hour, parts in hours.items() if len(parts) > 1]


def compact(
    layout: Layout, engine: Engine, hours: list[Crowded], on_rows: Callable[[int], None]
) -> Compacted:
    """Write each of ``hours`` as one part, which has the bytes that sealing all its rows at once has.

    Works in steps that are decided one by one: what is done when the process dies is kept. ``layout`` is held
    with :func:`~stillwatch.ledger.locks.alone`; ``on_rows`` is told of exchanges as they are written.

    Raises:
        EngineError: a query could not run to its end; the hours of its step are as before.
        OSError: the disk is full, or cannot be written.
    """
    before = [part for hour in hours for part in hour.parts]
    bytes_before = sum(part.stat().st_size for part in before)
    written = [part for step in _steps(hours) for part in _merge(layout, engine, step, on_rows)]
    return Compacted(
        hours=len(hours),
        exchanges=sum(hour.rows for hour in hours),
        parts_before=len(before),
        parts_after=len(written),
        bytes_before=bytes_before,
        bytes_after=sum(part.stat().st_size for part in written),
    )


def _merge(layout: Layout, engine: Engine, step: list[Crowded], on_rows: Callable[[int], None]) -> list[Path]:
    """Write the hours of one step aside, decide them, and carry it out; return their parts."""
    clear_workplace(layout)
    old = [part for hour in step for part in hour.parts]
    engine.bind("parts", old, SKETCH)
    moves: dict[Path, Path] = {}
    for start, batches in by_hour(engine.stream(queries.in_order())):
        part, rows = write_part(layout, start, batches)
        moves[part] = place(layout, start, part)
        on_rows(rows)
    new = set(moves.values())
    journal = Journal(
        "compact",
        {layout.within(source): layout.within(target) for source, target in moves.items()},
        [layout.within(part) for part in old if part not in new],
    )
    journal.write(layout)
    finish(layout)
    return list(moves.values())


def _steps(hours: list[Crowded]) -> Iterator[list[Crowded]]:
    """Group the hours into steps of bounded size; an hour is never cut."""
    step: list[Crowded] = []
    for hour in hours:
        if step and sum(each.rows for each in step) + hour.rows > _STEP_ROWS:
            yield step
            step = []
        step.append(hour)
    if step:
        yield step


def _rows(part: Path) -> int:
    with opened(part) as file:
        return int(file.metadata.num_rows)
