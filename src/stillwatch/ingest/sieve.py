"""Collects rows and rejects into record batches, and counts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import REJECT, Sifted
from stillwatch.ingest.format import Row

_ROWS: Final = 8192
_FEW: Final = 64
_BYTES: Final = 1 << 26  # of the records behind one batch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Tally:
    """What happened to the records so far: ``read`` is the sum of the others."""

    kept: int = 0
    rejected: int = 0
    out_of_range: int = 0

    @property
    def read(self) -> int:
        """Records seen, good or bad."""
        return self.kept + self.rejected + self.out_of_range


class Period:
    """A half-open stretch of time: from ``since`` on, before ``until``; either may be open."""

    def __init__(self, since: datetime | None, until: datetime | None) -> None:
        self._since, self._until = _microseconds(since), _microseconds(until)

    def holds(self, moment: int) -> bool:
        """Whether a moment, in microseconds since 1970, lies in it."""
        is_early = self._since is not None and moment < self._since
        is_late = self._until is not None and moment >= self._until
        return not is_early and not is_late

    def within(self, moments: pa.Array) -> pa.Array | None:
        """Which of the moments lie in it, as a mask; None for all."""
        numbers = moments.cast(pa.int64())
        masks = [pc.greater_equal(numbers, self._since)] if self._since is not None else []
        masks += [pc.less(numbers, self._until)] if self._until is not None else []
        return pc.and_(*masks) if len(masks) == 2 else masks[0] if masks else None


class Sieve:
    """Rows in, batches out, with the rejects of the same stretch of input."""

    def __init__(self, schema: pa.Schema, digest: Callable[[bytes], str], period: Period) -> None:
        self.tally = Tally()
        self._schema, self._digest, self._period = schema, digest, period
        self._time = schema.get_field_index("timestamp")  # -1: account records are not filtered by time
        self._rows: list[Row] = []
        self._columns = _empty_columns(schema)  # of the rows before those; the last two are their places
        self._rejects: list[tuple[str, int, str, str]] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether the batch should be taken now."""
        rows = len(self._columns[0]) + len(self._rows)
        return rows >= _ROWS or self._bytes >= _BYTES or len(self._rejects) >= _ROWS

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._rows and not self._columns[0] and not self._rejects

    def add(self, row: Row, source: str, line: int, size: int) -> None:
        """A row without its place; ``size`` is about its bytes."""
        if self._time >= 0 and not self._period.holds(row[self._time]):
            self.tally.out_of_range += 1
            return
        self.tally.kept += 1
        self._rows.append((*row, source, line))
        if len(self._rows) == _FEW:
            self._turn()
        self._bytes += size

    def reject(self, source: str, line: int, reason: str, raw: bytes) -> None:
        """A record that was not taken."""
        self.tally.rejected += 1
        self._rejects.append((source, line, reason, self._digest(raw)))

    def columns(self, batch: pa.RecordBatch, source: str, first: int) -> Sifted:
        """Rows that come as columns, without source and line; the first of them is row ``first``."""
        count = batch.num_rows
        places = [pa.repeat(source, count), pa.array(np.arange(first, first + count))]
        placed = pa.RecordBatch.from_arrays([*batch.columns, *places], schema=self._schema)
        mask = self._period.within(placed.column(self._time)) if self._time >= 0 else None
        kept = placed if mask is None else placed.filter(mask)
        self.tally.kept += kept.num_rows
        self.tally.out_of_range += count - kept.num_rows
        return Sifted(kept, _batch(_turned([]), REJECT))

    def take(self) -> Sifted:
        """What has been collected, and begin anew."""
        self._turn()
        taken = Sifted(_batch(self._columns, self._schema), _batch(_turned(self._rejects), REJECT))
        self._columns, self._rejects, self._bytes = _empty_columns(self._schema), [], 0
        return taken

    def _turn(self) -> None:
        """Turn rows into columns a few at a time: thousands of tuples would keep the collector busy."""
        for column, values in zip(self._columns, zip(*self._rows, strict=True), strict=False):
            column.extend(values)
        self._rows.clear()


def turned_away(schema: pa.Schema, source: str, reason: str, digest: Callable[[bytes], str]) -> Sifted:
    """Return a whole input that was not taken, as the one reject of a batch of ``schema``."""
    sieve = Sieve(schema, digest, Period(None, None))
    sieve.reject(source, 0, reason, b"")
    return sieve.take()


def _empty_columns(schema: pa.Schema) -> list[list[object]]:
    return [[] for _ in schema]


def _turned(rows: Sequence[tuple[object, ...]]) -> Sequence[Sequence[object]]:
    return list(zip(*rows, strict=True)) or _empty_columns(REJECT)


def _batch(columns: Sequence[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - _EPOCH).total_seconds() * 1_000_000)
