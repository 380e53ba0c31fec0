"""Fingerprints of token sequences: whole texts, heads and tails, sampled shingles; all unkeyed here.

A sequence hashes to ``state = number of tokens; for h in hashes: state = fold_product(state ^ h, SEQUENCE)``.

A shingle is ``SHINGLE_WORDS`` scaffold tokens in a row. Its hash is a Rabin-Karp polynomial over their
hashes, mixed once. Of the distinct shingles of a text the smallest few are kept (bottom-k sampling,
Broder 1997), so that texts which share a passage tend to keep the same shingles of it. Sample and order
come from the unkeyed hash; only the keyed one leaves the stage.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.sketch.compiled import part
from stillwatch.sketch.machine import SMALLEST, fold_product, keep_smallest
from stillwatch.sketch.tokens import Hashes

HEAD_WORDS: Final = 8
"""Tokens in the fingerprint of a message's head, and of its tail."""

SHINGLE_WORDS: Final = 6
SHINGLES_USER: Final = 8
SHINGLES_SYSTEM: Final = 4
SAMPLED: Final = SMALLEST
"""Shingles that are sampled, of which the smallest are kept."""

SEQUENCE = np.uint64(0x1D8E4E27C47D124F)
SHINGLE_BASE = np.uint64(0xD6E8FEB86659FD93)
SHINGLE_A = np.uint64(0xEB44ACCAB455D165)
SHINGLE_B = np.uint64(0x9C6E6877736C46E3)

_LEAVING = np.uint64(pow(int(SHINGLE_BASE), SHINGLE_WORDS, 1 << 64))
_LARGEST = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE, _NOTHING = np.uint64(1), np.uint64(0)


@part
def sequence_hash(hashes: Hashes, first: int, last: int) -> np.uint64:
    """Hash of ``hashes[first:last]`` in order."""
    state = np.uint64(last - first)
    for i in range(first, last):
        state = fold_product(state ^ hashes[i], SEQUENCE)
    return state


@part
def sample_shingles(scaffold: Hashes, count: int, most: int, sample: Hashes) -> int:
    """Write the ``most`` smallest distinct shingle hashes in ascending order; returns how many.

    ``sample`` is working room for ``SAMPLED`` of them.
    """
    kept = 0
    sample[:SAMPLED] = _LARGEST
    rolling = np.uint64(0)
    for i in range(count):
        rolling = rolling * SHINGLE_BASE + scaffold[i]
        if i >= SHINGLE_WORDS:
            rolling -= scaffold[i - SHINGLE_WORDS] * _LEAVING
        value = fold_product(rolling ^ SHINGLE_A, SHINGLE_B)
        if value <= sample[SAMPLED - 1] and i >= SHINGLE_WORDS - 1:
            known = keep_smallest(sample, value) & ((_ONE << np.uint64(kept)) - _ONE)
            kept = min(kept + (known == _NOTHING), SAMPLED)
    return min(kept, most)
