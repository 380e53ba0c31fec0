"""Keyed fingerprints of whole fields: identifiers, addresses, tool schemas, sampling parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.sketch.columns import bytes_of
from stillwatch.sketch.compiled import door
from stillwatch.sketch.json_scan import BROKEN, skip_space, string_end
from stillwatch.sketch.machine import fold_product
from stillwatch.sketch.siphash import Key, keyed_texts, keyed_values
from stillwatch.sketch.tokens import TOKEN_A, TOKEN_B, Bytes, Hashes, Places

_QUOTE = ord('"')


def text_fp(key: Key, texts: pa.Array) -> pa.Array:
    """Fingerprint of each text as it stands; null and empty texts have none."""
    return mapped_fp(key, texts, lambda unique: unique)


def mapped_fp(key: Key, texts: pa.Array, normalised: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Fingerprint of each text's normal form, which is made once per distinct text."""
    encoded = texts.dictionary_encode()
    forms = normalised(encoded.dictionary)
    data, offsets = bytes_of(forms)
    absent = np.diff(offsets) == 0
    values = pa.array(keyed_texts(key, data, offsets), pa.uint64(), mask=absent)
    return values.take(encoded.indices)


def each(texts: pa.Array, form: Callable[[str], str | None]) -> pa.Array:
    """The normal form of each text; nulls stay."""
    return pa.array([None if text is None else form(text) for text in texts.to_pylist()], pa.string())


def without_space(texts: pa.Array) -> pa.Array:
    """JSON texts without whitespace between tokens: how a client indents says nothing."""
    data, offsets = bytes_of(texts)
    squeezed, ends = _without_space(data, offsets)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(squeezed)]
    )


@door
def _without_space(data: Bytes, offsets: Places) -> tuple[Bytes, Places]:
    squeezed = np.empty(offsets[-1] - offsets[0], np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    place = 0
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            at = skip_space(data, at, end)
            stop = min(at + 1, end)
            if at < end and data[at] == _QUOTE:
                stop = string_end(data, at + 1, end)
                if stop == BROKEN:
                    stop = end
            size = stop - at
            squeezed[place : place + size] = data[at:stop]
            place += size
            at = stop
        ends[row + 1] = place
    return squeezed, ends


def parameters_fp(key: Key, columns: Sequence[pa.Array]) -> pa.Array:
    """One fingerprint of the sampling parameters of each row, null where none is set."""
    present = np.stack([np.asarray(column.is_valid()) for column in columns])
    numbers = np.stack([_as_words(column) for column in columns])
    values = keyed_values(key, _row_hashes(numbers, present))
    return pa.array(values, pa.uint64(), mask=~present.any(axis=0))


def _as_words(column: pa.Array) -> npt.NDArray[np.uint64]:
    """The values as bit patterns; one number has one pattern, so zero has no sign."""
    if pa.types.is_floating(column.type):
        return (np.asarray(pc.fill_null(column, 0.0)).astype(np.float64) + 0.0).view(np.uint64)
    return np.asarray(pc.fill_null(column.cast(pa.int64()), 0)).astype(np.int64).view(np.uint64)


@door
def _row_hashes(numbers: Hashes, present: npt.NDArray[np.bool_]) -> Hashes:
    columns, rows = numbers.shape
    result = np.empty(rows, np.uint64)
    for row in range(rows):
        state = np.uint64(columns)
        for column in range(columns):
            if present[column, row]:
                state = fold_product(numbers[column, row] ^ TOKEN_A, state ^ TOKEN_B)
            else:
                state = fold_product(TOKEN_B, state ^ TOKEN_A)
        result[row] = state
    return result
