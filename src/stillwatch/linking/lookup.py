"""Lookup: which of many known fingerprints a request carries, for batches of requests."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.compiled import compiled

LEADING: Final = 6
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_NOBODY: Final = -1

Fingerprints = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int32]


class Lookup:
    """Knows fingerprints by their place in a list, where what comes first goes before the rest."""

    def __init__(self, fps: Fingerprints) -> None:
        """Know ``fps``, each of which stands there once."""
        size = 1 << max(2 * len(fps), 8).bit_length()
        self._keys, self._places = np.zeros(size, np.uint64), np.full(size, _NOBODY, np.int32)
        _fill(self._keys, self._places, fps)

    def leading(self, *columns: pa.Array) -> pa.Array:
        """Return the places of the first six of them that a request carries.

        Args:
            columns: fingerprints, one to a request or null, and last a list of them for each request.

        Returns:
            For each request six little-endian 32-bit numbers in ascending order, then -1.
        """
        found = np.full((len(columns[-1]), LEADING), _NOBODY, np.int32)
        _lead(self._keys, self._places, *_laid_out(columns), found)
        ends = np.arange(len(found) + 1, dtype=np.int32) * np.int32(found.itemsize * LEADING)
        return pa.Array.from_buffers(
            pa.binary(), len(found), [None, pa.py_buffer(ends), pa.py_buffer(found.astype("<i4"))]
        )

    def first(self, *columns: pa.Array) -> pa.Array:
        """Return the place of the first of them that a request carries, null where it carries none."""
        found = np.full((len(columns[-1]), 1), _NOBODY, np.int32)
        _lead(self._keys, self._places, *_laid_out(columns), found)
        return pa.array(found[:, 0].astype(np.int64), mask=found[:, 0] == _NOBODY)


def _laid_out(
    columns: tuple[pa.Array, ...],
) -> tuple[Fingerprints, npt.NDArray[np.bool_], npt.NDArray[np.int32], Fingerprints]:
    """Return single fingerprints and which are there, then where each request's list ends, and the lists."""
    *single, lists = columns
    values = [column.fill_null(0).to_numpy(zero_copy_only=False) for column in single]
    there = [column.is_valid().to_numpy(zero_copy_only=False) for column in single]
    fps = lists.values.to_numpy(zero_copy_only=False)
    return np.stack(values), np.stack(there), lists.offsets.to_numpy(), fps


@compiled
def _fill(keys: Fingerprints, places: Numbers, fps: Fingerprints) -> None:
    mask = np.uint64(len(keys) - 1)
    for place in range(len(fps)):
        slot = ((fps[place] * _SPREAD) >> np.uint64(20)) & mask
        while places[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        keys[slot], places[slot] = fps[place], place


@compiled
def _place(keys: Fingerprints, places: Numbers, fp: np.uint64) -> int:
    mask = np.uint64(len(keys) - 1)
    slot = ((fp * _SPREAD) >> np.uint64(20)) & mask
    while places[slot] >= 0 and keys[slot] != fp:
        slot = (slot + np.uint64(1)) & mask
    return int(places[slot])


@compiled
def _keep(best: Numbers, place: int) -> None:
    """Insert a place into the ascending row ``best``, which ends in -1, unless it is there or no better."""
    for at in range(len(best)):
        if place == best[at]:
            return
        if best[at] < 0 or place < best[at]:
            for later in range(len(best) - 1, at, -1):
                best[later] = best[later - 1]
            best[at] = place
            return


@compiled
def _lead(
    keys: Fingerprints,
    places: Numbers,
    single: Fingerprints,
    there: npt.NDArray[np.bool_],
    ends: Numbers,
    lists: Fingerprints,
    found: Numbers,
) -> None:
    for row in range(len(found)):
        for column in range(len(single)):
            if there[column, row]:
                place = _place(keys, places, single[column, row])
                if place >= 0:
                    _keep(found[row], place)
        for item in range(ends[row], ends[row + 1]):
            place = _place(keys, places, lists[item])
            if place >= 0:
                _keep(found[row], place)
