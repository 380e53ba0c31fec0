"""Working room of one thread: a text is folded, cut into tokens and hashed here, and then the next one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stillwatch.sketch.classifier import SCORES, Buckets, Scores, feature_room
from stillwatch.sketch.compiled import maker, part
from stillwatch.sketch.cue_matcher import Spots
from stillwatch.sketch.fingerprints import SAMPLED
from stillwatch.sketch.tokens import (
    Bytes,
    Hashes,
    Places,
    edge_room,
    find_tokens,
    folded_room,
    hash_pairs,
    hash_tokens,
    hash_tokens_both,
    pad,
)


class Desk(NamedTuple):
    """Room for the longest text of a batch."""

    folded: Bytes
    edges: Spots
    exact: Hashes
    scaffold: Hashes
    pairs: Hashes
    sample: Hashes
    features: Buckets
    scores: Scores


@maker
def desk_for(longest: int) -> Desk:
    """Room for texts of ``longest`` bytes."""
    folded = folded_room(longest)
    tokens = folded // 2 + 1
    return Desk(
        np.empty(folded, np.uint8),
        np.empty(edge_room(folded), np.int32),
        np.empty(tokens, np.uint64),
        np.empty(tokens, np.uint64),
        np.empty(tokens, np.uint64),
        np.empty(SAMPLED, np.uint64),
        np.empty(feature_room(), np.int32),
        np.empty(SCORES, np.int32),
    )


@part
def longest_of(ends: Places) -> int:
    """Length of the longest text."""
    longest = 0
    for i in range(len(ends) - 1):
        longest = max(longest, ends[i + 1] - ends[i])
    return longest


@part
def read_exact(folded: Bytes, length: int, edges: Spots, exact: Hashes) -> int:
    """Hash the tokens of a folded text exactly; returns how many there are."""
    pad(folded, length)
    count = find_tokens(folded, length, edges)
    hash_tokens(folded, edges, count, exact)
    return count


@part
def read_fully(
    folded: Bytes, length: int, edges: Spots, exact: Hashes, scaffold: Hashes, pairs: Hashes
) -> int:
    """Hash the tokens of a folded text exactly, as scaffold, and in pairs; returns how many there are."""
    pad(folded, length)
    count = find_tokens(folded, length, edges)
    hash_tokens_both(folded, edges, count, exact, scaffold)
    hash_pairs(exact, count, pairs)
    return count
