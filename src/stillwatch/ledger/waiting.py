"""Rows in memory until they are written: as a run when there are enough, or hour by hour.

Most logs come in order of time. An hour that no row has come for while many others came is then likely
whole, and can be written as the part that it will be. That is a guess about cost and about nothing else:
sealing finds out whether an hour was whole, and merges what was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from stillwatch.ledger.parts import cut, hours_in

RUN_ROWS: Final = 65_536
"""Rows of a run."""

_QUIET: Final = 2
"""An hour is over when ``RUN_ROWS`` / this many rows came and none for it: further than threads get ahead."""

_TOGETHER: Final = 4
"""Hours that are over are written at ``RUN_ROWS`` / this many rows: a disk waits once for all of them."""

_MOST_RETURNS: Final = 4
"""Rows of a batch for each one that returns to an earlier hour, if its hours are in any order."""

_FEW_HOURS: Final = 8
_DENSE: Final = 4
"""Runs that may wait where a few hours hold all of them: the busiest hours are longer than a run."""

_BYTES: Final = 128 * 2**20
"""Of what waits, however few rows: names may be long."""

Batches = list[pa.RecordBatch]


class Taken(NamedTuple):
    """What is to be written now."""

    hours: list[Batches]  # likely whole, one by one
    others: Batches


NOTHING: Final = Taken([], [])


class Waiting(Protocol):
    """Holds rows back, and says when some are to be written."""

    def add(self, batch: pa.RecordBatch) -> Taken:
        """Take ``batch``, and give what is now due."""

    def rest(self) -> Taken:
        """Give what is left."""


class Pile:
    """Rows in the order they came, up to a run."""

    def __init__(self) -> None:
        self._batches: Batches = []
        self.rows = self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> Taken:
        """Take ``batch``; a run is due at ``RUN_ROWS``."""
        self.put(batch)
        return self.rest() if self.rows >= RUN_ROWS else NOTHING

    def rest(self) -> Taken:
        """Give everything as a run."""
        return Taken([], self.take())

    def put(self, batch: pa.RecordBatch) -> None:
        """Take ``batch``."""
        self._batches.append(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def take(self) -> Batches:
        """Give everything."""
        taken, self._batches = self._batches, []
        self.rows = self.bytes = 0
        return taken


class _Hour(Pile):
    """The rows of an hour that may still get some."""

    last: int = 0  # rows of all hours that had come when the last of this one came


class Hours:
    """Rows by the hour; those of an hour that was written before, and of logs in no order, as a pile.

    Memory holds a run's rows, or four runs' where a few hours hold all that waits.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Hour] = {}  # the one longest without a row first
        self._closed: set[int] = set()  # written, whole or not: it would be in vain to make them whole now
        self._pile = Pile()
        self._arrived = self._whole = self._spoilt = 0

    def add(self, batch: pa.RecordBatch) -> Taken:
        """Take ``batch``, and give the hours that are over, or a run where too much waits."""
        self._arrived += batch.num_rows
        for hour, piece in [(None, batch)] if self._is_in_no_order else _pieces(batch):
            self._put(hour, piece)
        return Taken(self._over(), self._too_many())

    def rest(self) -> Taken:
        """Give every hour, and the pile."""
        return Taken(self._closing(list(self._open)), self._pile.take())

    @property
    def _is_in_no_order(self) -> bool:
        """Whether hours are not worth making: what comes is often of hours that were written before."""
        return self._spoilt * 2 > self._whole + RUN_ROWS

    def _put(self, hour: int | None, piece: pa.RecordBatch) -> None:
        if hour is None or hour in self._closed:
            self._spoilt += piece.num_rows
            self._pile.put(piece)
            return
        own = self._open[hour] = self._open.pop(hour) if hour in self._open else _Hour()
        own.put(piece)
        own.last = self._arrived

    def _over(self) -> list[Batches]:
        quiet = self._arrived - RUN_ROWS // _QUIET
        over = [hour for hour, own in self._open.items() if own.last <= quiet]
        rows = sum(self._open[hour].rows for hour in over)
        if not over or rows < RUN_ROWS // _TOGETHER:
            return []
        self._whole += rows
        return self._closing(over)

    def _too_many(self) -> Batches:
        """Give a run where memory holds enough: of the pile if that helps, else of all that waits."""
        rows = self._pile.rows + sum(own.rows for own in self._open.values())
        size = self._pile.bytes + sum(own.bytes for own in self._open.values())
        most = RUN_ROWS * (_DENSE if len(self._open) <= _FEW_HOURS else 1)
        if self._pile.rows < RUN_ROWS and rows < most and size < _BYTES:
            return []
        if self._pile.rows * _TOGETHER >= RUN_ROWS:
            return self._pile.take()
        self._spoilt += rows - self._pile.rows
        return [*self._pile.take(), *chain(*self._closing(list(self._open)))]

    def _closing(self, hours: list[int]) -> list[Batches]:
        self._closed.update(hours)
        return [self._open.pop(hour).take() for hour in hours]


def _pieces(batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    """Cut ``batch`` by the hour; None for the hour where its rows are in no order."""
    hours = hours_in(batch)
    steps = np.diff(hours)
    returns = np.count_nonzero(steps) + 1 - len(np.unique(hours))  # to an hour after rows of another
    if returns * _MOST_RETURNS > len(hours):
        yield None, batch
        return
    if np.any(steps < 0):
        order = np.argsort(hours, kind="stable")
        hours, batch = hours[order], batch.take(pa.array(order))
    for hour, piece in cut(batch, hours):
        yield hour, piece if piece.num_rows * 2 > batch.num_rows else _copied(piece)


def _copied(piece: pa.RecordBatch) -> pa.RecordBatch:
    """Return a copy: a few rows that wait long would keep the whole batch that they came in."""
    return pa.concat_batches([piece, piece.slice(0, 0)])
