"""How a facet states what it found: rows of FINDINGS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def no_links() -> pa.Table:
    """Return LINKS without a row: the facet draws nothing in the account graph."""
    return LINKS.empty_table()
