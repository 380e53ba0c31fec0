"""Opaque identifiers: hexadecimal digits of a seed behind a prefix."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.simulate.dice import Seeds

_DIGITS: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def hexadecimal(
    seeds: Seeds, digits: int, prefix: str = "", absent: npt.NDArray[np.bool_] | None = None
) -> pa.LargeStringArray:
    """Return ``prefix`` and the last ``digits`` hexadecimal digits of each seed; null where ``absent``."""
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    width = len(head) + digits
    data = np.empty((len(seeds), width), dtype=np.uint8)
    data[:, : len(head)] = head
    octets = seeds.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - (digits + 1) // 2 :]
    pairs = np.stack([_DIGITS[octets >> 4], _DIGITS[octets & 15]], axis=2).reshape(len(seeds), -1)
    data[:, len(head) :] = pairs[:, -digits:]
    offsets = np.arange(len(seeds) + 1, dtype=np.int64) * width
    valid = None if absent is None else pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.LargeStringArray.from_buffers(len(seeds), pa.py_buffer(offsets), pa.py_buffer(data), valid)


def bijective48(numbers: npt.NDArray[np.uint64]) -> Seeds:
    """Return a scrambled 48-bit number for each number below 2**48; distinct ones stay distinct."""
    mask = np.uint64((1 << 48) - 1)
    scrambled = (numbers * np.uint64(0x9E3779B97F4B)) & mask
    scrambled ^= scrambled >> np.uint64(23)
    scrambled = (scrambled * np.uint64(0xC2B2AE3D27D5)) & mask
    return scrambled ^ (scrambled >> np.uint64(25))
