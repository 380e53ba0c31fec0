"""Workload families: requests that share a scaffold, whatever the payload inside it.

A scaffold leaves the same fingerprint (system prompt, tool schema, head, tail or a sampled shingle)
on every request that wraps a payload in it. Families are stars: the fingerprint that covers most
requests still free becomes a seed and takes them all, then the next. Chaining by co-occurrence
instead would glue campaigns, classes and templates together through payloads that they share.
"""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import FAMILIES, conform
from stillwatch.engines.engine import Engine

MIN_ACCOUNTS: Final = 5
"""Fewer accounts than this are no workload of many: nothing can be pooled over them."""

FEATURES: Final = """
    SELECT exchange_id, account_id, timestamp, 0 AS kind, 0 AS position, system_fp AS fp
    FROM sketches WHERE system_fp IS NOT NULL
    UNION ALL
    SELECT exchange_id, account_id, timestamp, 1, 0, tools_fp FROM sketches WHERE tools_fp IS NOT NULL
    UNION ALL
    SELECT exchange_id, account_id, timestamp, 2, 0, head_fp FROM sketches WHERE head_fp IS NOT NULL
    UNION ALL
    SELECT exchange_id, account_id, timestamp, 3, 0, tail_fp FROM sketches WHERE tail_fp IS NOT NULL
    UNION ALL
    SELECT exchange_id, account_id, timestamp, 4, generate_subscripts(shingles, 1), unnest(shingles)
    FROM sketches
"""
"""Every scaffold fingerprint of every exchange."""

_SHARED: Final = f"""
    SELECT fp, row_number() OVER (ORDER BY first) - 1 AS feature FROM (
        SELECT fp, min(struct_pack(at := timestamp, id := exchange_id, account := account_id,
                               kind := kind, position := position)) AS first
        FROM ({FEATURES}) f GROUP BY fp
        HAVING count(*) >= {MIN_ACCOUNTS} AND count(DISTINCT account_id) >= {MIN_ACCOUNTS}) s
    ORDER BY feature
"""
"""Fingerprints of several accounts, numbered by where they first stand: an order without the key."""

_SIGNATURES: Final = f"""
    SELECT signature, count(*) AS exchanges FROM (
        SELECT array_agg(DISTINCT s.feature ORDER BY s.feature) AS signature
        FROM ({FEATURES}) f JOIN shared s ON s.fp = f.fp
        GROUP BY f.exchange_id, f.account_id, f.timestamp) g
    GROUP BY signature ORDER BY signature
"""
"""Exchanges that carry the same shared fingerprints count together: payloads fall out here."""


def find_families(engine: Engine) -> pa.Table:
    """Return FAMILIES of the relation ``sketches``, largest first."""
    engine.bind("shared", engine.table(_SHARED))
    signatures = engine.table(_SIGNATURES)
    seeds = _stars(signatures["signature"].combine_chunks(), signatures["exchanges"].to_numpy())
    engine.bind("seeds", pa.table({"family": np.arange(len(seeds)), "feature": np.array(seeds, np.int64)}))
    return conform(engine.table(_SIZES), FAMILIES, "linking")


_SIZES: Final = f"""
    SELECT d.family, s.fp AS seed_fp, coalesce(c.accounts, 0) AS accounts,
           coalesce(c.exchanges, 0) AS exchanges
    FROM seeds d JOIN shared s ON s.feature = d.feature
    LEFT JOIN (
        SELECT family, count(DISTINCT account_id) AS accounts, count(*) AS exchanges FROM (
            SELECT f.exchange_id, f.account_id, min(d.family) AS family
            FROM ({FEATURES}) f JOIN shared s ON s.fp = f.fp JOIN seeds d ON d.feature = s.feature
            GROUP BY f.exchange_id, f.account_id, f.timestamp) m
        GROUP BY family) c ON c.family = d.family
    ORDER BY d.family
"""


def _stars(signatures: pa.ListArray, exchanges: npt.NDArray[np.int64]) -> list[int]:
    """Return the seed features in the order in which they take exchanges (greedy set cover).

    Each signature is a set of features that ``exchanges`` requests carry. The feature with the most
    free requests goes first, the lower number where two have the same; a feature with fewer than
    ``MIN_ACCOUNTS`` free requests is no seed.
    """
    offsets = signatures.offsets.to_numpy()
    features = signatures.flatten().to_numpy()
    rows = np.repeat(np.arange(len(signatures)), np.diff(offsets))
    count = int(features.max()) + 1 if len(features) else 0
    by_feature = np.argsort(features, kind="stable")
    starts = np.searchsorted(features[by_feature], np.arange(count + 1))
    free = np.bincount(features, weights=exchanges[rows], minlength=count).astype(np.int64)
    taken = np.zeros(len(signatures), bool)
    heap = [(-int(size), feature) for feature, size in enumerate(free)]
    heapq.heapify(heap)
    seeds: list[int] = []
    while heap and -heap[0][0] >= MIN_ACCOUNTS:
        size, feature = heapq.heappop(heap)
        if free[feature] != -size:  # another star took some of its requests since
            heapq.heappush(heap, (-int(free[feature]), feature))
            continue
        seeds.append(feature)
        for row in rows[by_feature[starts[feature] : starts[feature + 1]]]:
            if not taken[row]:
                taken[row] = True
                free[features[offsets[row] : offsets[row + 1]]] -= exchanges[row]
    return seeds
