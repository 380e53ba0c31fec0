"""What each account did: one profile over the log, one behaviour per candidate that it is in."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import BEHAVIOUR, PROFILES, conform
from stillwatch.engines.engine import Engine

WHOLE_TRAFFIC: Final = -1
"""The candidate number under which an account's whole traffic stands."""


def profile_accounts(engine: Engine) -> pa.Table:
    """Return PROFILES over the relation ``sketches``: one row for each account, by account id."""
    table = engine.table(
        """
        SELECT account_id, count(*) AS exchanges, min(timestamp) AS first_seen, max(timestamp) AS last_seen
        FROM sketches GROUP BY account_id ORDER BY account_id
        """
    )
    return conform(table, PROFILES, "accounts")


def profile_behaviour(engine: Engine) -> pa.Table:
    """Return BEHAVIOUR: of every account over its whole traffic, then inside each candidate's work.

    Reads the relations ``activity`` (ACTIVITY), ``inside`` (INSIDE), ``candidates`` (CANDIDATES),
    ``workloads`` (WORKLOADS), ``links`` (LINKS) and ``parties`` (``account_id``, ``party``).
    """
    whole = f"SELECT CAST({WHOLE_TRAFFIC} AS BIGINT) AS candidate, a.* FROM activity a"
    everything, inside = _behaviour(engine, f"({whole})", _NO_TIES), _behaviour(engine, "inside", _TIES)
    own = pc.index_in(inside["account_id"], everything["account_id"].combine_chunks()).to_numpy()
    other = _cells(everything)[own] - _cells(inside)
    tables = [
        everything.append_column("elsewhere", _lists(np.zeros((everything.num_rows, 24), np.int64))),
        inside.append_column("elsewhere", _lists(other)),
    ]
    return conform(pa.concat_tables(tables), BEHAVIOUR, "accounts")


_NO_TIES: Final = (
    f"SELECT CAST({WHOLE_TRAFFIC} AS BIGINT) AS candidate, '' AS account_id, 0 AS tied, 0 AS tied_holders"
)

_TIES: Final = """
    SELECT candidate, account_id, count(*) AS tied, min(everywhere) AS tied_holders FROM (
        SELECT c.candidate, c.account_id, l.holders AS everywhere,
               count(*) OVER (PARTITION BY c.candidate, l.facet, l.signal, l.value) AS holders
        FROM candidates c JOIN links l ON l.account_id = c.account_id
        WHERE l.facet = 'continuity' OR c.candidate IN (SELECT candidate FROM workloads)) h
    WHERE holders >= 2 GROUP BY candidate, account_id
"""
"""How many values each account of a candidate shares with another one of it.

Where a candidate has no work of its own its accounts were brought together by what their records share: that
tells nobody apart there. Conversations that they hand to one another do.
"""


def _behaviour(engine: Engine, relation: str, ties: str) -> pa.Table:
    counts = engine.table(
        f"""
        SELECT b.*, CAST(coalesce(t.tied, 0) AS BIGINT) AS tied,
               CAST(coalesce(t.tied_holders, 0) AS BIGINT) AS tied_holders, a.total,
               count(*) OVER (PARTITION BY b.candidate, p.party) AS colleagues FROM (
            SELECT candidate, account_id, count(*) AS exchanges,
                   CAST(sum(CASE WHEN resumed THEN 1 ELSE 0 END) AS BIGINT) AS resumed,
                   CAST(sum(CASE WHEN turns <= 1 THEN 1 ELSE 0 END) AS BIGINT) AS standalone,
                   min(timestamp) AS first_seen, max(timestamp) AS last_seen
            FROM {relation} r GROUP BY candidate, account_id) b
        JOIN (SELECT account_id, count(*) AS total FROM activity GROUP BY account_id) a
            ON a.account_id = b.account_id
        JOIN parties p ON p.account_id = b.account_id
        LEFT JOIN ({ties}) t ON t.candidate = b.candidate AND t.account_id = b.account_id
        ORDER BY b.candidate, b.account_id
        """
    )
    cells = engine.table(
        f"""
        SELECT candidate, account_id, hour, count(*) AS days FROM (
            SELECT DISTINCT candidate, account_id, CAST(timestamp AS DATE) AS day,
                   extract(hour FROM timestamp) AS hour FROM {relation} r) c
        GROUP BY candidate, account_id, hour ORDER BY candidate, account_id, hour
        """
    )
    return counts.append_column("hours", _hours_of_day(counts, cells))


def _hours_of_day(counts: pa.Table, cells: pa.Table) -> pa.Array:
    """Pivot ``cells`` (candidate, account_id, hour, days) to one list of 24 counts per row of ``counts``.

    Both tables are in the same order and hold the same accounts, so a running number joins them.
    """
    row = np.zeros(cells.num_rows, np.int64)
    if cells.num_rows:
        account = cells["account_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        candidate = cells["candidate"].to_numpy()
        row[1:] = np.cumsum((np.diff(account) != 0) | (np.diff(candidate) != 0))
    hours = np.zeros((counts.num_rows, 24), np.int64)
    hours[row, cells["hour"].to_numpy()] = cells["days"].to_numpy()
    return _lists(hours)


def _cells(table: pa.Table) -> npt.NDArray[np.int64]:
    """Return the hours of a table, of shape (rows, 24)."""
    return np.asarray(pc.list_flatten(table["hours"]).to_numpy().reshape(-1, 24))


def _lists(hours: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.arange(0, 24 * len(hours) + 1, 24, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, hours.ravel(), type=BEHAVIOUR.field("hours").type)
