"""Runs: what was staged, in files of bounded size, each sorted by time."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.engines.parquet import PASSING, write_parquet
from stillwatch.ledger.ordering import ordered

RUN_ROWS: Final = 65_536
ROW_GROUP: Final = 4_096
"""Rows in a row group of a run."""


class Runs:
    """Takes batches from any number of threads and writes them as sorted runs.

    A run's small row groups each span a short time even when the log came in no order at all, so that
    sealing an hour reads little more than that hour (the sorted runs of an external merge sort).
    """

    def __init__(self, folder: Path, schema: pa.Schema, sorted_by: str) -> None:
        """Write to ``folder`` batches of ``schema``; memory holds ``RUN_ROWS`` rows and one batch more."""
        self._folder, self._schema, self._sorted_by = folder, schema, sorted_by
        self._lock = threading.Lock()
        self._waiting: list[pa.RecordBatch] = []

    def append(self, batch: pa.RecordBatch) -> None:
        """Take ``batch``; every ``RUN_ROWS`` rows the thread that brings the last one writes a run."""
        if not batch.num_rows:
            return
        with self._lock:
            self._waiting.append(batch)
            full = self._take() if sum(part.num_rows for part in self._waiting) >= RUN_ROWS else []
        self._write(full)

    def flush(self) -> None:
        """Write what is in memory."""
        with self._lock:
            rest = self._take()
        self._write(rest)

    def files(self) -> list[Path]:
        """Return the runs on disk, sorted by name."""
        return sorted(self._folder.glob("run-*.parquet"))

    def _take(self) -> list[pa.RecordBatch]:
        taken, self._waiting = self._waiting, []
        return taken

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        if not batches:
            return
        run = ordered(pa.Table.from_batches(batches, self._schema), [self._sorted_by])
        path = self._folder / f"run-{uuid.uuid4().hex}.parquet"
        write_parquet(run.to_batches(), self._schema, path, row_group=ROW_GROUP, encoding=PASSING)
