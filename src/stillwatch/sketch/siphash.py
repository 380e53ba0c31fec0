"""SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed function behind every stored fingerprint."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.compiled import door, part
from stillwatch.sketch.machine import load64
from stillwatch.sketch.tokens import Bytes, Hashes, Places

Key = npt.NDArray[np.uint64]
"""128 bits as two little-endian numbers."""

_V0 = np.uint64(0x736F6D6570736575)
_V1 = np.uint64(0x646F72616E646F6D)
_V2 = np.uint64(0x6C7967656E657261)
_V3 = np.uint64(0x7465646279746573)
_FINAL = np.uint64(0xFF)
_EIGHT_BYTES = np.uint64(8 << 56)

_State = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@part
def _rotated(value: np.uint64, by: int) -> np.uint64:
    return value << np.uint64(by) | value >> np.uint64(64 - by)


@part
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> _State:
    v0 += v1
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 += v3
    v3 = _rotated(v3, 16) ^ v2
    v0 += v3
    v3 = _rotated(v3, 21) ^ v0
    v2 += v1
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


@part
def _absorb(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64, word: np.uint64) -> _State:
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ word, v1, v2, v3


@part
def _finish(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> np.uint64:
    v2 ^= _FINAL
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@part
def keyed(key: Key, value: np.uint64) -> np.uint64:
    """Keyed fingerprint of one 64-bit hash."""
    v0, v1, v2, v3 = _absorb(_V0 ^ key[0], _V1 ^ key[1], _V2 ^ key[0], _V3 ^ key[1], value)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, _EIGHT_BYTES)
    return _finish(v0, v1, v2, v3)


@part
def keyed_bytes(key: Key, data: Bytes, start: int, end: int) -> np.uint64:
    """Keyed fingerprint of ``data[start:end]``."""
    v0, v1, v2, v3 = _V0 ^ key[0], _V1 ^ key[1], _V2 ^ key[0], _V3 ^ key[1]
    at = start
    while at + 8 <= end:
        v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, load64(data, at))
        at += 8
    word = np.uint64((end - start) & 0xFF) << np.uint64(56)
    for i in range(end - at):
        word |= np.uint64(data[at + i]) << np.uint64(8 * i)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, word)
    return _finish(v0, v1, v2, v3)


@door
def keyed_texts(key: Key, data: Bytes, offsets: Places) -> Hashes:
    """Keyed fingerprint of each text ``data[offsets[i]:offsets[i + 1]]``."""
    result = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(result)):
        result[i] = keyed_bytes(key, data, offsets[i], offsets[i + 1])
    return result


@door
def keyed_values(key: Key, values: Hashes) -> Hashes:
    """Keyed fingerprint of each number."""
    result = np.empty(len(values), np.uint64)
    for i in range(len(values)):
        result[i] = keyed(key, values[i])
    return result
