"""Arrow columns as NumPy arrays: no copy for text, whatever the offset width or slice."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_T = TypeVar("_T", bound=np.generic)


def bytes_of(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Data bytes and ``len(texts) + 1`` offsets of a string or binary column; a null reads as empty."""
    wide = texts.cast(pa.large_binary())
    if wide.null_count:
        wide = wide.fill_null(b"")
    _, offsets, data = wide.buffers()
    places = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
    content = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    return frozen(content), frozen(places.copy())


def frozen(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """The same array, read-only: compiled doors have one type for each input, and it is this one."""
    array.setflags(write=False)
    return array


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """The rows of a table as one batch, however few."""
    whole = [_one_chunk(column) for column in table.columns]
    return pa.RecordBatch.from_arrays(whole, schema=table.schema)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; ``combine_chunks`` would copy even a single one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
