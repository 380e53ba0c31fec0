"""Values that several accounts hold, as links of the account graph."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.contracts import LINKS, conform
from stillwatch.engines.engine import Engine


def shared_values(engine: Engine, facet: str, signal: str, holdings: str) -> pa.Table:
    """Return LINKS of every value that at least two accounts hold.

    ``holdings`` is a query of ``fp`` and ``account_id``. Values are numbered by the accounts that hold
    them, so that the numbers do not depend on the key: two values with the very same holders are one
    link.
    """
    table = engine.table(
        f"""
        SELECT account_id, value, holders FROM (
            SELECT unnest(accounts) AS account_id, row_number() OVER (ORDER BY accounts) - 1 AS value,
                   len(accounts) AS holders
            FROM (SELECT DISTINCT accounts FROM (
                SELECT array_agg(DISTINCT account_id ORDER BY account_id) AS accounts
                FROM ({holdings}) h GROUP BY fp HAVING count(DISTINCT account_id) >= 2) v) d) n
        ORDER BY value, account_id
        """
    )
    labels = {"facet": facet, "signal": signal}
    for name, text in labels.items():
        table = table.append_column(name, pa.array([text] * table.num_rows, pa.string()))
    return conform(table, LINKS, "linking")
