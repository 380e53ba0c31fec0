"""Values that several accounts hold, as links of the account graph."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.contracts import LINKS, conform
from stillwatch.engines.engine import Engine


def shared_values(engine: Engine, facet: str, signal: str, holdings: str) -> pa.Table:
    """Return LINKS of every value that at least two accounts hold.

    ``holdings`` is a query of ``fp`` and ``account_id``. Values are numbered by the accounts that hold
    them, so that the numbers do not depend on the key: two values with the very same holders are one
    link. What one account alone holds, most values, is dropped before accounts are gathered.
    """
    table = engine.table(
        f"""
        WITH held AS (SELECT DISTINCT fp, account_id FROM ({holdings}) h),
        shared AS (SELECT fp FROM held GROUP BY fp HAVING count(*) >= 2)
        SELECT account_id, value, holders FROM (
            SELECT unnest(accounts) AS account_id, row_number() OVER (ORDER BY accounts) - 1 AS value,
                   len(accounts) AS holders
            FROM (SELECT DISTINCT accounts FROM (
                SELECT array_agg(h.account_id ORDER BY h.account_id) AS accounts
                FROM held h JOIN shared s ON s.fp = h.fp GROUP BY h.fp) v) d) n
        ORDER BY value, account_id
        """
    )
    labels = {"facet": facet, "signal": signal}
    for name, text in labels.items():
        table = table.append_column(name, pa.repeat(pa.scalar(text, pa.string()), table.num_rows))
    return conform(table, LINKS, "linking")
