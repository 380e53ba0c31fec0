"""Parts: the rows of an hour in files named by their content; how one is made, and which there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.contracts import SKETCH, conform
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger.journal import Journal
from stillwatch.ledger.layout import HOUR, Layout

_HOUR_MICROSECONDS: Final = 3_600_000_000


def present(layout: Layout) -> dict[Path, Path]:
    """Return every part in order of its place: the path it belongs at, and the one it lies at.

    The two differ only where a process died over a change that takes parts away: until somebody carries
    the rest of it out, the ledger reads as if that were done, so that no exchange is missing or there twice.
    """
    parts = {part: part for part in layout.sketches.glob("date=*/hour=*/part-*.parquet")}
    journal = Journal.pending(layout)
    if journal is not None and journal.takes_parts_away:
        for removal in journal.removals:
            parts.pop(layout.root / removal, None)
        for source, target in journal.moves.items():
            if (layout.root / source).exists() and (layout.root / target).is_relative_to(layout.sketches):
                parts[layout.root / target] = layout.root / source
    return dict(sorted(parts.items()))


def by_hour(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[datetime, Iterator[pa.RecordBatch]]]:
    """Cut SKETCH batches in order of time at the full hours: each hour's start with its batches."""
    pieces = (piece for batch in conformed(batches, SKETCH) for piece in _pieces(batch))
    for hour, group in groupby(pieces, key=itemgetter(0)):
        start = datetime(1970, 1, 1, tzinfo=UTC) + int(hour) * HOUR
        yield start, (batch for _, batch in group)


def conformed(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Give each batch exactly the columns of ``schema``."""
    for batch in batches:
        yield from conform(pa.Table.from_batches([batch]), schema, "ledger").to_batches()


def write_part(layout: Layout, start: datetime, batches: Iterable[pa.RecordBatch]) -> tuple[Path, int]:
    """Write an hour's part aside, named by the hour and by its content's digest; return it with its rows."""
    unnamed = layout.sealing / f"{start:%Y%m%dT%H}.parquet"
    rows = encode_parquet(batches, SKETCH, unnamed)
    return unnamed.rename(layout.sealing / f"{start:%Y%m%dT%H}.part-{digest(unnamed)}.parquet"), rows


def place(layout: Layout, start: datetime, part: Path) -> Path:
    """Return where a part that was written aside belongs."""
    return layout.hour(start) / part.name.partition(".")[2]


def digest(part: Path) -> str:
    """Return what a part's content calls for as its name: BLAKE2b of 12 bytes, hexadecimal."""
    with part.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()


def _pieces(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    hours = batch["timestamp"].cast(pa.int64()).to_numpy() // _HOUR_MICROSECONDS
    values, starts = np.unique(hours, return_index=True)
    for hour, start, end in zip(values, starts, [*starts[1:], len(hours)], strict=True):
        yield int(hour), batch.slice(start, end - start)
