"""Runs: what was staged, in files of bounded size, each sorted by time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.engines.parquet import PASSING, encode_parquet, write_files, write_parquet
from stillwatch.ledger.ordering import ordered
from stillwatch.ledger.parts import digest_of
from stillwatch.ledger.queries import IDENTITY
from stillwatch.ledger.repeats import has_repeats
from stillwatch.ledger.waiting import Batches, Taken, Waiting

ROW_GROUP: Final = 4_096
"""Rows in a row group of a run."""


class Runs:
    """Takes batches from any number of threads and writes them as sorted runs.

    A run's small row groups each span a short time even when the log came in no order at all, so that
    sealing an hour reads little more than that hour (the sorted runs of an external merge sort). An hour that
    is likely whole becomes a run of its own, in the bytes of the part that it will be if it was.
    """

    def __init__(self, folder: Path, schema: pa.Schema, sorted_by: str, waiting: Waiting) -> None:
        """Write to ``folder`` batches of ``schema``; memory holds what is ``waiting`` and one batch more."""
        self._folder, self._schema, self._sorted_by = folder, schema, sorted_by
        self._lock = threading.Lock()
        self._waiting = waiting

    def append(self, batch: pa.RecordBatch) -> None:
        """Take ``batch``; the thread that brings the last row of a run writes it."""
        if not batch.num_rows:
            return
        with self._lock:
            due = self._waiting.add(batch)
        self._write(due)

    def flush(self) -> None:
        """Write what is in memory."""
        with self._lock:
            rest = self._waiting.rest()
        self._write(rest)

    def files(self) -> list[Path]:
        """Return the runs on disk, sorted by name."""
        return sorted(self._folder.glob("run-*.parquet"))

    def _write(self, due: Taken) -> None:
        again = self._write_hours(due.hours)
        batches = [*again, *due.others]
        if not batches:
            return
        run = ordered(pa.Table.from_batches(batches, self._schema), [self._sorted_by])
        path = self._folder / f"{_new_name()}.parquet"
        write_parquet(run.to_batches(), self._schema, path, row_group=ROW_GROUP, encoding=PASSING)

    def _write_hours(self, hours: Iterable[Batches]) -> Batches:
        """Write hours as parts, and return those that no part can be, as an exchange came twice."""
        parts: dict[Path, pa.Buffer] = {}
        again: Batches = []
        for hour in hours:
            rows = ordered(pa.Table.from_batches(hour, self._schema), IDENTITY)
            if has_repeats(rows):
                again.extend(hour)
                continue
            part = pa.BufferOutputStream()
            encode_parquet(rows.to_batches(), self._schema, part)
            content = part.getvalue()
            parts[self._folder / f"{_new_name()}.part-{digest_of(content)}.parquet"] = content
        write_files(parts)
        return again


def is_part(run: Path) -> bool:
    """Whether a run is an hour's part already, if the hour has no other rows."""
    return ".part-" in run.name


def name_changed(run: Path) -> Path:
    """Return the path for ``run`` with other rows than it was made of: it is nobody's part any more."""
    return run.with_name(f"{run.name.partition('.')[0]}.parquet")


def _new_name() -> str:
    return f"run-{uuid.uuid4().hex}"
