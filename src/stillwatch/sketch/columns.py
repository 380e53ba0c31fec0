"""Arrow columns as NumPy arrays: no copy for text, whatever the offset width or slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def bytes_of(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Data bytes and ``len(texts) + 1`` offsets of a string or binary column; a null reads as empty."""
    wide = texts.cast(pa.large_binary())
    if wide.null_count:
        wide = wide.fill_null(b"")
    _, offsets, data = wide.buffers()
    places = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
    return _frozen(data), places.copy()


def _frozen(buffer: pa.Buffer | None) -> npt.NDArray[np.uint8]:
    array = np.frombuffer(buffer, np.uint8) if buffer else np.zeros(0, np.uint8)
    array.setflags(write=False)
    return array
