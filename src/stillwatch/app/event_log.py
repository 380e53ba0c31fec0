"""A log in event time: at each moment, what a live system would have known by then and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import replacing

_SKETCHES: Final = "SELECT * FROM sketches ORDER BY timestamp, exchange_id, account_id"

_ACCOUNTS: Final = """
    SELECT a.*, coalesce(a.created_at, s.first_seen + INTERVAL 1 MICROSECOND) AS known_at
    FROM accounts a
    LEFT JOIN (SELECT account_id, min(timestamp) AS first_seen FROM sketches GROUP BY account_id) s
        ON s.account_id = a.account_id
    WHERE a.created_at IS NOT NULL OR s.first_seen IS NOT NULL
    ORDER BY known_at, account_id
"""
"""Account records by when they were made; a record that does not say counts right after the first request."""

_EVENTS: Final = "SELECT * FROM account_events ORDER BY timestamp, source, event_id"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class EventLog:
    """Sketches, account records and account events in order of time.

    Sketches lie in one file of ``folder`` that is mapped into memory, so that a beginning of the log costs
    nothing to take and the system may let go of pages that nobody reads.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Take the relations ``sketches``, ``accounts`` and ``account_events`` of ``engine``.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        self._engine = engine
        self._accounts = engine.table(_ACCOUNTS)
        self._events = engine.table(_EVENTS)
        self._sketches = _mapped(engine, folder / "sketches.arrow")
        self._times = _microseconds(self._sketches, "timestamp")
        self._known = _microseconds(self._accounts, "known_at")
        self._happened = _microseconds(self._events, "timestamp")

    def __len__(self) -> int:
        return int(self._sketches.num_rows)

    def ticks(self, length: timedelta) -> list[datetime]:
        """Return the ends of all ticks from the first request to the last, counted from 1970 on."""
        if not len(self):
            return []
        step = length // _MICROSECOND
        first, last = int(self._times[0]) // step, int(self._times[-1]) // step
        return [_EPOCH + (number + 1) * length for number in range(first, last + 1)]

    def seen(self, end: datetime) -> int:
        """Return how many requests were made before ``end``."""
        return int(np.searchsorted(self._times, (end - _EPOCH) // _MICROSECOND, side="left"))

    def bind(self, end: datetime, since: datetime = _EPOCH) -> None:
        """Make the relations ``sketches``, ``accounts`` and ``account_events`` what they were at ``end``.

        Of ``sketches`` that is what was sent from ``since`` on.
        """
        known = int(np.searchsorted(self._known, (end - _EPOCH) // _MICROSECOND, side="right"))
        happened = int(np.searchsorted(self._happened, (end - _EPOCH) // _MICROSECOND, side="left"))
        first = self.seen(since)
        self._engine.bind("sketches", self._sketches.slice(first, self.seen(end) - first))
        self._engine.bind("accounts", self._accounts.slice(0, known).drop_columns(["known_at"]))
        self._engine.bind("account_events", self._events.slice(0, happened))


def _mapped(engine: Engine, path: Path) -> pa.Table:
    reader = engine.stream(_SKETCHES)
    with replacing(path) as unfinished, pa.ipc.new_file(str(unfinished), reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    path.unlink()  # its pages stay for as long as they are mapped
    return table


def _microseconds(table: pa.Table, column: str) -> npt.NDArray[np.int64]:
    return np.asarray(table[column].cast(pa.int64()).to_numpy())
