"""Counter-based randomness: a draw is a pure function of what it is drawn for.

Texts, addresses and identities must come out the same wherever and however often they are asked for (a
conversation's history is rendered again in each of its exchanges), so they are hashed from counters
instead of being taken from a stream. Mixing function: the finaliser of SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", 2014), a bijection of 64-bit integers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

Seeds = npt.NDArray[np.uint64]

GOLDEN: Final = 0x9E3779B97F4A7C15
_MULTIPLIERS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_MASK: Final = (1 << 64) - 1


def mix(values: npt.ArrayLike) -> Seeds:
    """Return the SplitMix64 finaliser of each value; distinct values stay distinct."""
    mixed = np.array(values, dtype=np.uint64, ndmin=1)
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MULTIPLIERS[0]
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MULTIPLIERS[1]
    mixed ^= mixed >> np.uint64(31)
    return mixed


def derive(seeds: npt.ArrayLike, counters: npt.ArrayLike) -> Seeds:
    """Return the seed number ``counters`` below each of ``seeds``."""
    parents = np.array(seeds, dtype=np.uint64, ndmin=1)
    steps = np.array(counters, ndmin=1).astype(np.uint64)
    return mix(parents + (steps + np.uint64(1)) * np.uint64(GOLDEN))


def name_seed(*names: object) -> np.uint64:
    """Return the seed that belongs to a name, the same on every machine."""
    text = "\x1f".join(str(name) for name in names)
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def below(seeds: Seeds, limit: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return an integer in [0, limit) from each seed."""
    return (mix(seeds) % np.asarray(limit).astype(np.uint64)).astype(np.int64)


def unit(seeds: Seeds) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) from each seed."""
    return (mix(seeds) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose(seeds: Seeds, weights: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the index that each seed picks among alternatives of these weights."""
    borders = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(borders[:-1] / borders[-1], unit(seeds), side="right").astype(np.int64)


def generator(seed: int, *names: object) -> np.random.Generator:
    """Return a stream of its own for one named part of the world."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed & _MASK, int(name_seed(*names))]))
    )
