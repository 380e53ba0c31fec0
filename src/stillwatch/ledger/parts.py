"""Parts: the rows of an hour in files named by their content; how one is made, and which there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import SKETCH, conform
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger.journal import Journal
from stillwatch.ledger.layout import HOUR, Layout

_HOUR_MICROSECONDS: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    pieces = (piece for batch in conformed(batches, SKETCH) for piece in cut(batch, hours_in(batch)))
    for hour, group in groupby(pieces, key=itemgetter(0)):
        yield _EPOCH + int(hour) * HOUR, (batch for _, batch in group)


def hour_at(moment: datetime) -> datetime:
    """Return the start of the hour that ``moment`` lies in."""
    return _EPOCH + (moment - _EPOCH) // HOUR * HOUR


def hours_in(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return the hour since 1970 of each row."""
    microseconds: npt.NDArray[np.int64] = batch["timestamp"].cast(pa.int64()).to_numpy()
    return microseconds // _HOUR_MICROSECONDS


def cut(batch: pa.RecordBatch, hours: npt.NDArray[np.int64]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut ``batch``, whose rows are of ``hours`` in ascending order: each hour with its rows."""
    values, starts = np.unique(hours, return_index=True)
    for hour, start, end in zip(values, starts, [*starts[1:], len(hours)], strict=True):
        yield int(hour), batch.slice(start, end - start)


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
        return hashlib.file_digest(file, _new_digest).hexdigest()


def digest_of(content: pa.Buffer) -> str:
    """Return what :func:`digest` does, of a part that is in no file yet."""
    return _new_digest(content).hexdigest()


_new_digest = partial(hashlib.blake2b, digest_size=12)
