"""Workload families: requests that share a scaffold, whatever the payload inside it.

A scaffold leaves the same fingerprint (system prompt, tool schema, head, tail or a sampled shingle)
on every request that wraps a payload in it. Families are stars: the fingerprint that covers most
requests still free becomes a seed and takes them all, then the next. Chaining by co-occurrence
instead would glue campaigns, classes and templates together through payloads that they share.
"""

from __future__ import annotations

import heapq
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import FAMILIES, SEEDS, conform
from stillwatch.engines.compiled import compiled
from stillwatch.engines.engine import Engine
from stillwatch.linking.lookup import LEADING, Lookup

MIN_ACCOUNTS: Final = 5
"""Fewer accounts than this are no workload of many: nothing can be pooled over them."""

MIN_EXCHANGES: Final = 50
"""A fingerprint of fewer requests is no seed: less work than this leaves every statistic silent."""

CARRIED: Final = ("system_fp", "tools_fp", "head_fp", "tail_fp", "shingles")
"""The columns of SKETCH that a scaffold leaves its fingerprints in."""

_OCCURRENCES: Final = f"SELECT timestamp, {', '.join(CARRIED)} FROM sketches"
_CARRIED: Final = f"SELECT {', '.join(CARRIED)} FROM sketches"
_LEADING: Final = pa.schema([pa.field("signature", pa.binary()), pa.field("exchanges", pa.int64())])
_SIGNATURES: Final = """
    SELECT signature, CAST(sum(exchanges) AS BIGINT) AS exchanges FROM signatures
    GROUP BY signature ORDER BY signature
"""
"""Exchanges that lead with the same fingerprints count together: payloads fall out here."""

_SIZES: Final = """
    SELECT family, count(*) AS accounts, CAST(sum(exchanges) AS BIGINT) AS exchanges
    FROM uses WHERE family >= 0 GROUP BY family ORDER BY family
"""

Ints = npt.NDArray[np.int64]


def find_seeds(engine: Engine) -> pa.Table:
    """Return SEEDS of the relation ``sketches``: family 0's first, which takes most.

    A request is looked at by its six most frequent fingerprints: what is rarer takes it, if ever, where
    all of these were taken with others.
    """
    frequent = engine.frequent(_OCCURRENCES, MIN_EXCHANGES)
    # Ties are broken by when a fingerprint first stood: an order without the key.
    order = [("occurrences", "descending"), ("first", "ascending"), ("fp", "ascending")]
    fps = frequent.sort_by(order)["fp"].combine_chunks()
    engine.map("signatures", _CARRIED, partial(_leading, Lookup(fps.to_numpy())), _LEADING)
    table = engine.table(_SIGNATURES)
    engine.forget("signatures")
    held = table["signature"].combine_chunks()
    signatures = np.frombuffer(held.buffers()[2] or b"", np.int32, count=LEADING * len(held))
    seeds = _stars(signatures.reshape(-1, LEADING), table["exchanges"].to_numpy())
    columns = {"family": pa.array(range(len(seeds)), pa.int64()), "fp": fps.take(pa.array(seeds, pa.int64()))}
    return conform(pa.table(columns), SEEDS, "linking")


def _leading(known: Lookup, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return what the requests of a batch lead with, and how many of them lead with the same."""
    counted = known.leading(*(batch[name] for name in CARRIED)).value_counts()
    return pa.record_batch(counted.flatten(), schema=_LEADING)


def family_of(seeds: pa.Table, batch: pa.RecordBatch) -> pa.Array:
    """Return the family of each row of :data:`CARRIED`: the first of ``seeds`` that it carries, else null."""
    return Lookup(seeds["fp"].to_numpy()).first(*(batch[name] for name in CARRIED))


def size_families(engine: Engine, seeds: pa.Table) -> pa.Table:
    """Return FAMILIES of the relation ``uses``: those that many accounts share, largest first."""
    sizes = engine.table(_SIZES)
    seed = seeds["fp"].take(sizes["family"])
    many = sizes.append_column("seed_fp", seed).filter(
        pa.compute.greater_equal(sizes["accounts"], MIN_ACCOUNTS)
    )
    return conform(many.select(FAMILIES.names), FAMILIES, "linking")


def _stars(signatures: npt.NDArray[np.int32], exchanges: Ints) -> list[int]:
    """Return the seed features in the order in which they take exchanges (greedy set cover).

    Each row of ``signatures`` is a set of features that ``exchanges`` requests carry, filled up with -1.
    The feature with the most free requests goes first, the lower number where two have the same; a feature
    with fewer than ``MIN_EXCHANGES`` free requests is no seed.
    """
    free, starts, by_feature = _by_feature(signatures, exchanges)
    taken = np.zeros(len(signatures), np.bool_)
    heap = [(-int(size), feature) for feature, size in enumerate(free)]
    heapq.heapify(heap)
    seeds: list[int] = []
    while heap and -heap[0][0] >= MIN_EXCHANGES:
        size, feature = heapq.heappop(heap)
        if free[feature] != -size:  # another star took some of its requests since
            heapq.heappush(heap, (-int(free[feature]), feature))
            continue
        seeds.append(feature)
        _take(by_feature[starts[feature] : starts[feature + 1]], signatures, exchanges, taken, free)
    return seeds


@compiled
def _by_feature(signatures: npt.NDArray[np.int32], exchanges: Ints) -> tuple[Ints, Ints, Ints]:
    """Return how many requests carry each feature, where its rows begin, and the rows of one after the other.

    Counted twice instead of sorted once: there are many times more rows than features.
    """
    count = int(signatures.max()) + 1 if signatures.size else 0
    carried, starts = np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
    for row in range(len(signatures)):
        for feature in signatures[row]:
            if feature >= 0:
                carried[feature] += exchanges[row]
                starts[feature + 1] += 1
    starts = np.cumsum(starts)
    ends, rows = starts[:-1].copy(), np.empty(starts[-1], np.int64)
    for row in range(len(signatures)):
        for feature in signatures[row]:
            if feature >= 0:
                rows[ends[feature]] = row
                ends[feature] += 1
    return carried, starts, rows


@compiled
def _take(
    rows: Ints, signatures: npt.NDArray[np.int32], exchanges: Ints, taken: npt.NDArray[np.bool_], free: Ints
) -> None:
    """Take what is free of these rows, and from the free requests of every feature in them."""
    for row in rows:
        if not taken[row]:
            taken[row] = True
            for feature in signatures[row]:
                if feature >= 0:
                    free[feature] -= exchanges[row]
