"""Values that occur often, found in two passes over any number of them.

Counting every value takes memory for every value, though most occur once. The first pass counts buckets
of values, which bounds the count of each value in them from above; the second counts exactly, and only
the values whose bucket allows it (Park, Chen & Yu 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engines.compiled import compiled

_FEWEST_BUCKETS: Final = 1 << 16
_MOST_BUCKETS: Final = 1 << 28
_CROWDED: Final = 1 / 16
"""Part of the times asked for that a bucket is hit on average, from which on there are to be more of them.

Two values that came once each look like one that came twice: where few times are asked for, most buckets
have to be empty, or most values are counted exactly.
"""

_FULL: Final = np.uint8(255)
_SLOTS: Final = 1 << 12
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

Values = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


def frequent(passes: Callable[[], Iterable[pa.RecordBatch]], least: int, rows: int) -> pa.Table:
    """Return ``fp``, ``occurrences`` and ``first`` of the values that occur at least ``least`` times.

    Args:
        passes: starts a pass over batches of ``timestamp`` (in microseconds) and of columns of uint64, or of
            lists of uint64; called twice.
        least: from 1 to 255.
        rows: about how many there are in all batches.
    """
    buckets, table = _Buckets(least * _CROWDED, rows), _Table()
    _beside(buckets.count, passes())
    _beside(lambda batch: table.add_allowed(batch, buckets.counts, least), passes())
    return table.of(least)


def _beside(work: Callable[[pa.RecordBatch], None], batches: Iterable[pa.RecordBatch]) -> None:
    """Do the work on each batch in turn, in a thread of its own, while the next one is read."""
    with ThreadPoolExecutor(1) as worker:
        before: Future[None] | None = None
        for batch in batches:
            if before is not None:
                before.result()
            before = worker.submit(work, batch)
        if before is not None:
            before.result()


class _Buckets:
    """How many values fell into each bucket: no value of it can have occurred more often."""

    def __init__(self, crowded: float, expected: int) -> None:
        size = 1 << max(int(expected / crowded), 1).bit_length()
        self.counts = np.zeros(min(max(size, _FEWEST_BUCKETS), _MOST_BUCKETS), np.uint8)
        self._seen, self._crowded = 0, crowded

    def count(self, batch: pa.RecordBatch) -> None:
        for values in map(_values, _columns(batch)):
            self._seen += len(values)
            while self._seen > self._crowded * len(self.counts) and len(self.counts) < _MOST_BUCKETS:
                self.counts = np.tile(self.counts, 2)  # each half bounds its own values still
            _count(self.counts, values)


def _columns(batch: pa.RecordBatch) -> list[pa.Array]:
    return [batch[name] for name in batch.schema.names if name != "timestamp"]


def _values(column: pa.Array) -> Values:
    """Return the values of a column of hashes, or of lists of them, one after the other."""
    values = column.flatten() if pa.types.is_list(column.type) else column.drop_null()
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _rows(column: pa.Array) -> Ints:
    """Return the row of each of :func:`_values`."""
    if not pa.types.is_list(column.type):
        return np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(column)), lengths)


class _Table:
    """Exact counts, and the earliest time, of each value: a hash table with open addressing."""

    def __init__(self) -> None:
        self._keys, self._counts, self._first = _room(_SLOTS)
        self._used, self._kind = 0, pa.timestamp("us", tz="UTC")

    def add_allowed(self, batch: pa.RecordBatch, buckets: npt.NDArray[np.uint8], least: int) -> None:
        """Count the values of a batch whose buckets were hit at least ``least`` times."""
        self._kind = batch.schema.field("timestamp").type
        at = batch["timestamp"].cast(pa.int64()).to_numpy(zero_copy_only=False)
        for column in _columns(batch):
            allowed = _allowed(buckets, least, values := _values(column))
            self.add(values[allowed], at[_rows(column)[allowed]])

    def add(self, values: Values, at: Ints) -> None:
        """Count these values."""
        while 2 * (self._used + len(values)) > len(self._keys):
            keys, counts, first = self._keys, self._counts, self._first
            self._keys, self._counts, self._first = _room(2 * len(keys))
            held = counts > 0
            _insert(self._keys, self._counts, self._first, keys[held], counts[held], first[held])
        one = np.ones(len(values), np.int64)
        self._used += _insert(self._keys, self._counts, self._first, values, one, at)

    def of(self, least: int) -> pa.Table:
        """Return the values that were counted at least ``least`` times."""
        often = self._counts >= least
        return pa.table(
            {
                "fp": self._keys[often],
                "occurrences": self._counts[often],
                "first": pa.array(self._first[often]).cast(self._kind),
            }
        )


def _room(slots: int) -> tuple[Values, Ints, Ints]:
    return np.zeros(slots, np.uint64), np.zeros(slots, np.int64), np.zeros(slots, np.int64)


@compiled
def _count(buckets: npt.NDArray[np.uint8], values: Values) -> None:
    mask = np.uint64(len(buckets) - 1)
    for value in values:
        bucket = value & mask
        if buckets[bucket] < _FULL:
            buckets[bucket] += np.uint8(1)


@compiled
def _allowed(buckets: npt.NDArray[np.uint8], least: int, values: Values) -> npt.NDArray[np.bool_]:
    mask = np.uint64(len(buckets) - 1)
    allowed = np.empty(len(values), np.bool_)
    for row in range(len(values)):
        allowed[row] = buckets[values[row] & mask] >= least
    return allowed


@compiled
def _insert(keys: Values, counts: Ints, first: Ints, values: Values, times: Ints, at: Ints) -> int:
    """Add ``times`` to each value's count; return how many values are new. A count of 0 is a free slot."""
    mask, new = np.uint64(len(keys) - 1), 0
    for row in range(len(values)):
        slot = ((values[row] * _SPREAD) >> np.uint64(20)) & mask
        while counts[slot] and keys[slot] != values[row]:
            slot = (slot + np.uint64(1)) & mask
        if not counts[slot]:
            keys[slot], first[slot] = values[row], at[row]
            new += 1
        counts[slot] += times[row]
        first[slot] = min(first[slot], at[row])
    return new
