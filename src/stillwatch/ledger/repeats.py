"""Exchanges that are there twice."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ledger.queries import IDENTITY


def has_repeats(table: pa.Table) -> bool:
    """Whether neighbours are one exchange; ``table`` is in the order of ``IDENTITY``."""
    size = table.num_rows - 1
    same = None
    for name in IDENTITY:
        column = table[name]
        equal = pc.equal(column.slice(1), column.slice(0, max(size, 0)))
        same = equal if same is None else pc.and_(same, equal)
    return bool(pc.any(same).as_py())
