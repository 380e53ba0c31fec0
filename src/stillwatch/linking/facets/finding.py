"""How a facet states what it found: rows of FINDINGS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from stillwatch.contracts import FINDINGS, LINKS


@dataclass(frozen=True)
class Finding:
    """One row of FINDINGS; see the contract for the fields."""

    candidate: int
    facet: str
    signal: str
    side: str
    llr: float
    statement: str
    observed: float | None = None
    expected: float | None = None
    accounts: int | None = None
    exchanges: int | None = None


def findings_table(findings: Iterable[Finding]) -> pa.Table:
    """Return FINDINGS in canonical order: candidate, facet, signal."""
    rows = sorted(findings, key=lambda finding: (finding.candidate, finding.facet, finding.signal))
    return pa.Table.from_pylist([vars(row) for row in rows], schema=FINDINGS)


def each_candidate(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Yield each candidate with its rows, of batches that together are in order of ``candidate``."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        numbers = batch["candidate"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1])).tolist()
        for start, end in pairwise([0, *starts, len(numbers)]):
            if held and start < end and held[0]["candidate"][0].as_py() != numbers[start]:
                yield _first(held)
                held = []
            if start < end:
                held.append(batch.slice(start, end - start))
    if held:
        yield _first(held)


def _first(rows: list[pa.RecordBatch]) -> tuple[int, pa.Table]:
    return rows[0]["candidate"][0].as_py(), pa.Table.from_batches(rows)


def no_links() -> pa.Table:
    """Return LINKS without a row: the facet draws nothing in the account graph."""
    return LINKS.empty_table()
