"""Runs merged without the engine, where no exchange came twice: most logs hold each exchange once.

Rows of one exchange have one time, so that a stretch of time can be sorted and looked through by itself, in a
thread of its own. What holds an exchange twice is left to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import SKETCH, conform
from stillwatch.ledger.ordering import ordered
from stillwatch.ledger.queries import IDENTITY
from stillwatch.ledger.repeats import has_repeats
from stillwatch.ledger.storage import opened

_TIME: Final = SKETCH.get_field_index("timestamp")
_MICROSECOND: Final = timedelta(microseconds=1)


class Window(NamedTuple):
    """A stretch of time, and the hours of it that have exchanges."""

    since: datetime
    until: datetime
    hours: tuple[datetime, ...]


class Run(NamedTuple):
    """A staged file, and the times between which its exchanges lie."""

    path: Path
    first: datetime
    last: datetime


def span_of(path: Path) -> Run:
    """Return a run, or a part, with the times that its footer gives.

    Raises:
        LedgerError: it is damaged.
    """
    with opened(path) as file:
        metadata = file.metadata
    ends = [metadata.row_group(group).column(_TIME).statistics for group in (0, metadata.num_row_groups - 1)]
    return Run(path, ends[0].min, ends[1].max)


def overlapping(runs: Iterable[Run], window: Window) -> list[Path]:
    """Return the runs to open for a window: few where the log came in order of time."""
    return [run.path for run in runs if run.first < window.until and run.last >= window.since]


def narrowed(runs: Iterable[Run], window: Window) -> Window:
    """Return the window from the first exchange of its runs to their last, as far as footers tell."""
    own = [run for run in runs if run.first < window.until and run.last >= window.since]
    since, until = min(run.first for run in own), max(run.last for run in own) + _MICROSECOND
    return window._replace(since=max(window.since, since), until=min(window.until, until))


def merged(runs: Sequence[Path], window: Window) -> pa.Table | None:
    """Return the SKETCH rows of a window in canonical order, None where one exchange came more than once."""
    rows = pa.concat_tables([_within(path, window) for path in runs] or [SKETCH.empty_table()])
    table = ordered(rows, IDENTITY)
    return None if has_repeats(table) else conform(table, SKETCH, "ledger")


def _within(path: Path, window: Window) -> pa.Table:
    """Return the rows of a run that lie in the window; row groups beyond it are not read."""
    with pq.ParquetFile(path) as file:
        near = [
            group
            for group in range(file.metadata.num_row_groups)
            if (times := file.metadata.row_group(group).column(_TIME).statistics).min < window.until
            and times.max >= window.since
        ]
        # One by one: memory for many at once would be asked of the system anew each time.
        groups = [file.read_row_group(group, use_threads=False) for group in near]
    table = pa.concat_tables(groups or [SKETCH.empty_table()])
    times = table["timestamp"].to_numpy()  # a run is sorted by them
    first, last = np.searchsorted(times, [_instant(window.since), _instant(window.until)])
    return table.slice(first, last - first)


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
