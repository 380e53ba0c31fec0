"""From staged runs to hours: each exchange once, each hour a sorted part, nothing held in memory whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger import account_events, queries
from stillwatch.ledger.arrivals import Arrivals, told_apart
from stillwatch.ledger.journal import Journal, Sealed, clear_workplace
from stillwatch.ledger.layout import HOUR, Layout
from stillwatch.ledger.merging import Run, Window, merged, narrowed, overlapping, span_of
from stillwatch.ledger.parts import by_hour, conformed, place, write_part

_WINDOW_ROWS: Final = 250_000  # exchanges that are sorted at once: some 100 MB
_MERGERS: Final = 2  # windows in work: they hold four times as much


class _Part(NamedTuple):
    """A part that was written aside, and where it belongs."""

    source: Path
    target: Path
    rows: int


def prepare(engine: Engine, layout: Layout) -> None:
    """Build aside what sealing the staged runs adds to the ledger, and decide it by a journal.

    Raises:
        EngineError: a query could not run to its end.
        OSError: the disk is full, or cannot be written.
    """
    clear_workplace(layout)
    runs, account_runs, event_runs = layout.runs(), layout.account_runs(), layout.event_runs()
    moves, sealed = _seal_exchanges(engine, layout, runs) if runs else ({}, Sealed())
    if account_runs:
        account_moves, counts = _seal_accounts(engine, layout, account_runs)
        moves, sealed = moves | account_moves, sealed + counts
    if event_runs:
        event_moves, counts = account_events.seal(layout, event_runs)
        moves, sealed = moves | event_moves, sealed + counts
    journal = Journal(
        "seal",
        {layout.within(source): layout.within(target) for source, target in moves.items()},
        [layout.within(run) for run in [*runs, *account_runs, *event_runs] if run not in moves],
        sealed,
    )
    journal.write(layout)


def _seal_exchanges(engine: Engine, layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    arrived = told_apart(engine, layout, runs)
    moves = {ready.path: place(layout, ready.hour, ready.path) for ready in arrived.whole}
    whole, staged = sum(ready.rows for ready in arrived.whole), sum(arrived.hours.values())
    merged = 0
    for part in _merge_all(engine, layout, arrived):
        moves[part.source] = part.target
        merged += part.rows
    return moves, Sealed(exchanges=whole + merged, duplicates=staged - merged, hours=len(moves))


def _merge_all(engine: Engine, layout: Layout, arrived: Arrivals) -> Iterator[_Part]:
    """Write the hours aside that no run holds whole."""
    spans = [span_of(run) for run in arrived.runs]
    with ThreadPoolExecutor(_MERGERS) as pool:
        # The engine takes one query at a time: what came twice is sorted out here, after the rest was merged.
        work = [(window, pool.submit(_merge, layout, spans, window)) for window in _windows(arrived.hours)]
        for window, merging in work:
            parts = merging.result()
            yield from _sort_out(engine, layout, spans, window) if parts is None else parts


def _merge(layout: Layout, spans: list[Run], window: Window) -> list[_Part] | None:
    """Write a window's hours aside, None where the ledger holds that time or an exchange came twice."""
    if _held(layout, narrowed(spans, window)):
        return None
    rows = merged(overlapping(spans, window), window)
    return None if rows is None else _write(layout, rows.to_batches())


def _sort_out(engine: Engine, layout: Layout, spans: list[Run], window: Window) -> list[_Part]:
    """Write a window's hours aside, each exchange once and without what the ledger holds."""
    window = narrowed(spans, window)
    engine.bind("staged", overlapping(spans, window))
    engine.bind("held", _held(layout, window), SKETCH)
    contested = layout.sealing / "contested.parquet"
    engine.write(queries.contested(window.since, window.until), contested)
    engine.bind("contested", [contested])
    return _write(layout, engine.stream(queries.kept(window.since, window.until)))


def _held(layout: Layout, window: Window) -> list[Path]:
    """Return the ledger's parts that hold exchanges of the window's time: others hold none of its own."""
    parts = [span_of(part) for hour in window.hours for part in layout.parts(hour)]
    return overlapping(parts, window)


def _write(layout: Layout, batches: Iterable[pa.RecordBatch]) -> list[_Part]:
    made = []
    for start, own in by_hour(batches):
        part, rows = write_part(layout, start, own)
        made.append(_Part(part, place(layout, start, part), rows))
    return made


def _seal_accounts(engine: Engine, layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    held = [layout.account_table] if layout.account_table.exists() else []
    engine.bind("staged_accounts", runs)
    engine.bind("held_accounts", held, ACCOUNT_SKETCH)
    counts = engine.table(queries.account_counts()).to_pylist()[0]
    path = layout.sealing / layout.account_table.name
    known = encode_parquet(conformed(engine.stream(queries.accounts()), ACCOUNT_SKETCH), ACCOUNT_SKETCH, path)
    new = known - counts["held"]
    return {path: layout.account_table}, Sealed(accounts=new, duplicate_accounts=counts["staged"] - new)


def _windows(hours: Mapping[datetime, int]) -> Iterator[Window]:
    """Cut the hours into stretches that are sorted at ease; an hour is never cut."""
    own: list[datetime] = []
    rows = 0
    for hour, count in hours.items():
        if own and rows + count > _WINDOW_ROWS:
            yield _window(own)
            own, rows = [], 0
        own.append(hour)
        rows += count
    if own:
        yield _window(own)


def _window(hours: Sequence[datetime]) -> Window:
    return Window(hours[0], hours[-1] + HOUR, tuple(hours))
