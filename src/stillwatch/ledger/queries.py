"""The queries of a seal and of a compaction, as text.

Tables: ``staged`` and ``held`` (SKETCH rows of the runs, and of the hours concerned), ``contested``
(see :func:`contested`), ``staged_accounts`` and ``held_accounts`` (ACCOUNT_SKETCH rows), ``parts`` (SKETCH
rows of hours to be compacted).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH

IDENTITY: Final = ("timestamp", "exchange_id", "account_id")
"""What two rows of one exchange have in common, in the order of an hour's rows."""


def hours() -> str:
    """Return the UTC hours that have staged exchanges: ``hour``, ``exchanges``."""
    return """
        SELECT date_trunc('hour', timestamp) AS hour, count(*) AS exchanges
        FROM staged GROUP BY 1 ORDER BY hour NULLS LAST
    """


def contested(since: datetime, until: datetime) -> str:
    """Return :data:`IDENTITY` of staged exchanges in [since, until) that occur more than once, and ``wins``.

    An exchange is known by its id, account and time together: gateways take the id from the client, who
    may send one id with every request, and another account may send it too. What the ledger holds wins
    nowhere; otherwise :func:`kept` chooses. Only these columns are read, and the engine may spill.
    """
    during = _during(since, until)
    return f"""
        WITH seen AS (
            SELECT timestamp, exchange_id, account_id, FALSE AS held FROM staged WHERE {during}
            UNION ALL
            SELECT timestamp, exchange_id, account_id, TRUE AS held FROM held WHERE {during}
        )
        SELECT timestamp, exchange_id, account_id, NOT bool_or(held) AS wins
        FROM seen GROUP BY timestamp, exchange_id, account_id
        HAVING count(*) > 1 AND NOT bool_and(held)
        ORDER BY timestamp NULLS LAST, exchange_id NULLS LAST, account_id NULLS LAST
    """


def kept(since: datetime, until: datetime) -> str:
    """Return the staged exchanges in [since, until) that the ledger takes, each once, in canonical order.

    Where one exchange came with different content, the first row in the order of all columns is taken.
    """
    during = _during(since, until)
    columns, same = ", ".join(SKETCH.names), ", ".join(IDENTITY)
    contest = " AND ".join(f"contest.{name} = arrived.{name}" for name in IDENTITY)
    return f"""
        WITH arrived AS (SELECT * FROM staged WHERE {during}),
        contest AS (SELECT * FROM contested WHERE {during}),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY {same} ORDER BY {_order(SKETCH.names)}) AS place
            FROM arrived WHERE EXISTS (SELECT 1 FROM contest WHERE {contest} AND contest.wins)
        ),
        taken AS (
            SELECT {columns} FROM arrived WHERE NOT EXISTS (SELECT 1 FROM contest WHERE {contest})
            UNION ALL
            SELECT {columns} FROM ranked WHERE place = 1
        )
        SELECT {columns} FROM taken ORDER BY {_order(IDENTITY)}
    """


def in_order() -> str:
    """Return the exchanges of ``parts`` in canonical order; a seal saw to it that each is there once."""
    return f"SELECT {', '.join(SKETCH.names)} FROM parts ORDER BY {_order(IDENTITY)}"


def accounts() -> str:
    """Return one row for each account, staged or held: the fullest, then the best verified.

    A level of verification is gained, so that the record with the higher one is the newer. Of what is equal
    in both the first by all columns counts.
    """
    columns = ", ".join(ACCOUNT_SKETCH.names)
    filled = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END" for name in ACCOUNT_SKETCH.names)
    order = f"verification_level DESC NULLS LAST, {_order(ACCOUNT_SKETCH.names)}"
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


def _during(since: datetime, until: datetime) -> str:
    return f"timestamp >= {_instant(since)} AND timestamp < {_instant(until)}"


def _instant(moment: datetime) -> str:
    return f"CAST('{moment.isoformat()}' AS TIMESTAMPTZ)"
