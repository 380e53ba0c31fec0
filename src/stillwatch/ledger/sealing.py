"""From staged runs to hours: each exchange once, each hour a sorted part, nothing held in memory whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger import queries
from stillwatch.ledger.journal import Journal, Sealed, clear_workplace
from stillwatch.ledger.layout import HOUR, Layout
from stillwatch.ledger.parts import by_hour, conformed, place, write_part

_WINDOW_ROWS: Final = 500_000  # exchanges that one query sorts: some 200 MB


class _Window(NamedTuple):
    since: datetime
    until: datetime


class _Run(NamedTuple):
    path: Path
    first: datetime
    last: datetime


def prepare(engine: Engine, layout: Layout, runs: list[Path], account_runs: list[Path]) -> None:
    """Build aside what sealing these runs adds to the ledger, and decide it by a journal.

    Raises:
        EngineError: a query could not run to its end.
        OSError: the disk is full, or cannot be written.
    """
    clear_workplace(layout)
    moves, sealed = _seal_exchanges(engine, layout, runs) if runs else ({}, Sealed())
    if account_runs:
        account_moves, counts = _seal_accounts(engine, layout, account_runs)
        moves, sealed = moves | account_moves, sealed + counts
    journal = Journal(
        "seal",
        {layout.within(source): layout.within(target) for source, target in moves.items()},
        [layout.within(run) for run in runs + account_runs],
        sealed,
    )
    journal.write(layout)


def _seal_exchanges(engine: Engine, layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    engine.bind("staged", runs)
    arrived = engine.table(queries.hours())
    hours: list[datetime] = arrived["hour"].to_pylist()
    counts: list[int] = arrived["exchanges"].to_pylist()
    engine.bind("held", [part for hour in hours for part in layout.parts(hour)], SKETCH)
    contested = layout.sealing / "contested.parquet"
    engine.write(queries.contested(), contested)
    engine.bind("contested", [contested])
    spans = [_span(run) for run in runs]
    moves: dict[Path, Path] = {}
    exchanges = 0
    for window in _windows(hours, counts):
        engine.bind("staged", _overlapping(spans, window))
        kept = engine.stream(queries.kept(window.since, window.until))
        for start, batches in by_hour(kept):
            part, rows = write_part(layout, start, batches)
            moves[part] = place(layout, start, part)
            exchanges += rows
    return moves, Sealed(exchanges=exchanges, duplicates=sum(counts) - exchanges, hours=len(moves))


def _seal_accounts(engine: Engine, layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    held = [layout.account_table] if layout.account_table.exists() else []
    engine.bind("staged_accounts", runs)
    engine.bind("held_accounts", held, ACCOUNT_SKETCH)
    counts = engine.table(queries.account_counts()).to_pylist()[0]
    path = layout.sealing / layout.account_table.name
    known = encode_parquet(conformed(engine.stream(queries.accounts()), ACCOUNT_SKETCH), ACCOUNT_SKETCH, path)
    new = known - counts["held"]
    return {path: layout.account_table}, Sealed(accounts=new, duplicate_accounts=counts["staged"] - new)


def _windows(hours: list[datetime], counts: list[int]) -> Iterator[_Window]:
    """Cut the hours into stretches that one query sorts at ease; an hour is never cut."""
    since, rows = hours[0], 0
    for hour, count in zip(hours, counts, strict=True):
        if rows and rows + count > _WINDOW_ROWS:
            yield _Window(since, hour)
            since, rows = hour, 0
        rows += count
    yield _Window(since, hours[-1] + HOUR)


def _span(run: Path) -> _Run:
    """Return the times between which a run's exchanges lie, from the file's footer."""
    metadata = pq.read_metadata(run)
    column = SKETCH.get_field_index("timestamp")
    ends = [metadata.row_group(group).column(column).statistics for group in (0, metadata.num_row_groups - 1)]
    return _Run(run, ends[0].min, ends[1].max)


def _overlapping(runs: Iterable[_Run], window: _Window) -> list[Path]:
    """Return the runs to open for a window: few where the log came in order of time."""
    return [run.path for run in runs if run.first < window.until and run.last >= window.since]
