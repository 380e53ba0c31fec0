"""How a facet states what it found: rows of FINDINGS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


def each_candidate(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Yield each candidate with its rows of a table that is in order of ``candidate``."""
    numbers, starts = np.unique(table["candidate"].to_numpy(), return_index=True)
    ends = [*starts, table.num_rows][1:]
    for number, start, end in zip(numbers.tolist(), starts, ends, strict=True):
        yield number, table.slice(start, end - start)


def no_links() -> pa.Table:
    """Return LINKS without a row: the facet draws nothing in the account graph."""
    return LINKS.empty_table()
