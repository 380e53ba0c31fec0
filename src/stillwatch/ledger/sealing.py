"""From staged runs to hours: each exchange once, each hour a sorted part, nothing held in memory whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, conform
from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger import queries
from stillwatch.ledger.journal import Journal, Sealed
from stillwatch.ledger.layout import HOUR, Layout

_WINDOW_ROWS: Final = 500_000  # exchanges that one query sorts: some 200 MB
_HOUR_MICROSECONDS: Final = 3_600_000_000


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
    shutil.rmtree(layout.sealing, ignore_errors=True)
    layout.sealing.mkdir(parents=True)
    moves, sealed = _seal_exchanges(engine, layout, runs) if runs else ({}, Sealed())
    if account_runs:
        account_moves, counts = _seal_accounts(engine, layout, account_runs)
        moves, sealed = moves | account_moves, sealed + counts
    journal = Journal(
        {_within(layout, source): _within(layout, target) for source, target in moves.items()},
        [_within(layout, run) for run in runs + account_runs],
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
        for start, batches in _by_hour(kept):
            part, rows = _write_part(layout, start, batches)
            moves[part] = layout.hour(start) / part.name.partition(".")[2]
            exchanges += rows
    return moves, Sealed(exchanges=exchanges, duplicates=sum(counts) - exchanges, hours=len(moves))


def _seal_accounts(engine: Engine, layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    held = [layout.account_table] if layout.account_table.exists() else []
    engine.bind("staged_accounts", runs)
    engine.bind("held_accounts", held, ACCOUNT_SKETCH)
    counts = engine.table(queries.account_counts()).to_pylist()[0]
    path = layout.sealing / layout.account_table.name
    known = encode_parquet(
        _conformed(engine.stream(queries.accounts()), ACCOUNT_SKETCH), ACCOUNT_SKETCH, path
    )
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


def _by_hour(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[datetime, Iterator[pa.RecordBatch]]]:
    """Cut batches in order of time at the full hours: each hour's start with its batches."""
    pieces = (piece for batch in _conformed(batches, SKETCH) for piece in _pieces(batch))
    for hour, group in groupby(pieces, key=itemgetter(0)):
        start = datetime(1970, 1, 1, tzinfo=UTC) + int(hour) * HOUR
        yield start, (batch for _, batch in group)


def _pieces(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    hours = batch["timestamp"].cast(pa.int64()).to_numpy() // _HOUR_MICROSECONDS
    values, starts = np.unique(hours, return_index=True)
    for hour, start, end in zip(values, starts, [*starts[1:], len(hours)], strict=True):
        yield int(hour), batch.slice(start, end - start)


def _conformed(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from conform(pa.Table.from_batches([batch]), schema, "ledger").to_batches()


def _write_part(layout: Layout, start: datetime, batches: Iterable[pa.RecordBatch]) -> tuple[Path, int]:
    """Write an hour's part aside, named by the hour and by its content's digest; return it with its rows."""
    unnamed = layout.sealing / "part.parquet"
    rows = encode_parquet(batches, SKETCH, unnamed)
    with unnamed.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
    return unnamed.rename(layout.sealing / f"{start:%Y%m%dT%H}.part-{digest}.parquet"), rows


def _within(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()
