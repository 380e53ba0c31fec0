"""Values that several accounts hold, as links of the account graph."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stillwatch.contracts import LINKS, conform
from stillwatch.engines.engine import Engine

MOST_EACH: Final = 64
"""Links of one account by one signal: a pool that changes its address with each request shares thousands.

Which of its values an account is linked by does not depend on the account, so that accounts with many values
in common keep many of the same (bottom-k sketch, Cohen & Kaplan 2007).
"""

_SPREAD: Final = 2_654_435_761  # of multiplicative hashing (Knuth 1973)


def shared_values(engine: Engine, facet: str, signal: str, holdings: str) -> pa.Table:
    """Return LINKS of the values that at least two accounts hold.

    ``holdings`` is a query of ``fp`` and ``account``, each pair once. Values are numbered by the accounts
    that hold them, so that the numbers do not depend on the key: two values with the very same holders are
    one link. What one account alone holds, most values, is dropped before accounts are gathered.
    """
    engine.keep("shared_values", _SHARED.format(holdings=holdings))
    table = engine.table(_LINKS)
    engine.forget("shared_values")
    labels = {"facet": facet, "signal": signal}
    for name, text in labels.items():
        table = table.append_column(name, pa.repeat(pa.scalar(text, pa.string()), table.num_rows))
    return conform(table, LINKS, "linking")


_SHARED: Final = """
    WITH held AS ({holdings}),
    shared AS (SELECT fp FROM held GROUP BY fp HAVING count(*) >= 2),
    gathered AS (
        SELECT array_agg(h.account ORDER BY h.account) AS accounts
        FROM held h JOIN shared s ON s.fp = h.fp GROUP BY h.fp),
    numbered AS (
        SELECT accounts, row_number() OVER (ORDER BY accounts) - 1 AS value
        FROM (SELECT DISTINCT accounts FROM gathered) d)
    SELECT unnest(accounts) AS account, value, len(accounts) AS holders FROM numbered
"""
"""Kept, and then ranked: in one query a single thread would rank the holders of so few values."""

_LINKS: Final = f"""
    SELECT p.account_id, r.value, r.holders FROM (
        SELECT *, row_number() OVER (PARTITION BY account ORDER BY (value * {_SPREAD}) % 4294967296) AS rank
        FROM shared_values) r
    JOIN parties p ON p.account = r.account
    WHERE r.rank <= {MOST_EACH} ORDER BY r.value, r.account
"""
