"""The queries of a seal, as text.

Tables: ``staged`` and ``held`` (SKETCH rows of the runs, and of the hours concerned), ``contested``
(see :func:`contested`), ``staged_accounts`` and ``held_accounts`` (ACCOUNT_SKETCH rows).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH


def hours() -> str:
    """Return the UTC hours that have staged exchanges: ``hour``, ``exchanges``."""
    return """
        SELECT date_trunc('hour', timestamp) AS hour, count(*) AS exchanges
        FROM staged GROUP BY 1 ORDER BY hour NULLS LAST
    """


def contested() -> str:
    """Return where ids that occur more than once were staged: ``timestamp``, ``exchange_id``, ``wins``.

    An id that the ledger holds wins nowhere; otherwise its earliest staged rows do, and
    :func:`kept` chooses among those. Only ids and times are read, and the engine may spill.
    """
    return """
        WITH seen AS (
            SELECT exchange_id, timestamp, FALSE AS held FROM staged
            UNION ALL
            SELECT exchange_id, timestamp, TRUE AS held FROM held
        ),
        repeated AS (
            SELECT exchange_id, bool_or(held) AS held, min(timestamp) AS earliest
            FROM seen GROUP BY exchange_id HAVING count(*) > 1
        )
        SELECT DISTINCT staged.timestamp, staged.exchange_id,
            NOT repeated.held AND staged.timestamp = repeated.earliest AS wins
        FROM staged JOIN repeated ON staged.exchange_id = repeated.exchange_id
        ORDER BY staged.timestamp NULLS LAST, staged.exchange_id NULLS LAST
    """


def kept(since: datetime, until: datetime) -> str:
    """Return the staged exchanges in [since, until) that the ledger takes, each id once, in canonical order.

    Where one id came with different content, the first row in the order of all columns is taken.
    """
    during = f"timestamp >= {_instant(since)} AND timestamp < {_instant(until)}"
    columns = ", ".join(SKETCH.names)
    contest = "contest.exchange_id = arrived.exchange_id AND contest.timestamp = arrived.timestamp"
    return f"""
        WITH arrived AS (SELECT * FROM staged WHERE {during}),
        contest AS (SELECT * FROM contested WHERE {during}),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY exchange_id ORDER BY {_order(SKETCH.names)}) AS place
            FROM arrived WHERE EXISTS (SELECT 1 FROM contest WHERE {contest} AND contest.wins)
        ),
        taken AS (
            SELECT {columns} FROM arrived WHERE NOT EXISTS (SELECT 1 FROM contest WHERE {contest})
            UNION ALL
            SELECT {columns} FROM ranked WHERE place = 1
        )
        SELECT {columns} FROM taken ORDER BY {_order(["timestamp", "exchange_id", "account_id"])}
    """


def accounts() -> str:
    """Return one row for each account, staged or held: the fullest, then the first by all columns."""
    columns = ", ".join(ACCOUNT_SKETCH.names)
    filled = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END" for name in ACCOUNT_SKETCH.names)
    order = _order(ACCOUNT_SKETCH.names)
    return f"""
        WITH known AS (
            SELECT {columns} FROM staged_accounts UNION ALL SELECT {columns} FROM held_accounts
        ),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY {filled} DESC, {order}) AS place
            FROM known
        )
        SELECT {columns} FROM ranked WHERE place = 1 ORDER BY account_id NULLS LAST
    """


def account_counts() -> str:
    """Return one row: ``staged`` records and ``held`` accounts."""
    return """
        SELECT (SELECT count(*) FROM staged_accounts) AS staged, (SELECT count(*) FROM held_accounts) AS held
        ORDER BY 1
    """


def _order(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} NULLS LAST" for column in columns)


def _instant(moment: datetime) -> str:
    return f"CAST('{moment.isoformat()}' AS TIMESTAMPTZ)"
