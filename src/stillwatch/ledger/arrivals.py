"""What arrived since the last seal: hours that lie ready as their part, and hours that must be merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from stillwatch.contracts import SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.ledger import queries
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.merging import span_of
from stillwatch.ledger.parts import hour_at
from stillwatch.ledger.staging import is_part
from stillwatch.ledger.storage import opened


class Ready(NamedTuple):
    """A run that holds an hour as the part that it would be if no other row came."""

    path: Path
    hour: datetime
    rows: int


class Arrivals(NamedTuple):
    """Hours that are ready and whole, and the runs of all others with these hours, in order of time."""

    whole: list[Ready]
    runs: list[Path]
    hours: dict[datetime, int]  # rows


def told_apart(engine: Engine, layout: Layout, runs: Sequence[Path]) -> Arrivals:
    """Tell the hours that need no more than a move from those with rows in other runs, or in the ledger.

    Raises:
        EngineError: a run cannot be read.
        LedgerError: a run is damaged.
    """
    plain = [run for run in runs if not is_part(run)]
    ready = [_read(run) for run in runs if is_part(run)]
    hours = _hours(engine, plain)
    times = Counter(part.hour for part in ready)
    whole = [
        part
        for part in ready
        if times[part.hour] == 1 and part.hour not in hours and not layout.parts(part.hour)
    ]
    moved = set(whole)
    others = [part for part in ready if part not in moved]
    return Arrivals(whole, [*plain, *(part.path for part in others)], _in_all(hours, others))


def _hours(engine: Engine, runs: Sequence[Path]) -> Counter[datetime]:
    engine.bind("staged", runs, SKETCH)
    arrived = engine.table(queries.hours())
    counts = zip(arrived["hour"].to_pylist(), arrived["exchanges"].to_pylist(), strict=True)
    return Counter(dict(counts))


def _read(run: Path) -> Ready:
    with opened(run) as file:
        rows = file.metadata.num_rows
    return Ready(run, hour_at(span_of(run).first), rows)


def _in_all(hours: Counter[datetime], others: Iterable[Ready]) -> dict[datetime, int]:
    for part in others:
        hours[part.hour] += part.rows
    return dict(sorted(hours.items()))
