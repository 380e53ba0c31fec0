"""What each account did: one profile over the log, one behaviour per candidate that it is in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.behaviour import Hours
from stillwatch.contracts import BEHAVIOUR, PROFILES, conform
from stillwatch.engines.engine import Engine

WHOLE_TRAFFIC: Final = -1
"""The candidate number under which an account's whole traffic stands."""


def profile_accounts(engine: Engine) -> pa.Table:
    """Return PROFILES over the relation ``sketches``: one row for each account, by account id."""
    return _numbered(engine.table(f"{_PROFILES.format(counted='TRUE')} ORDER BY account_id"))


def grow_profiles(engine: Engine, counted: str) -> pa.Table:
    """Return PROFILES of ``known_profiles`` and of the exchanges in ``sketches`` of which this is true.

    Known accounts keep their numbers, new ones come after them.
    """
    return _numbered(engine.table(_GROWN.format(came=_PROFILES.format(counted=counted))))


def _numbered(profiles: pa.Table) -> pa.Table:
    numbers = pa.array(np.arange(profiles.num_rows, dtype=np.int32))
    return conform(profiles.append_column("account", numbers), PROFILES, "accounts")


_PROFILES: Final = """
    SELECT account_id, count(*) AS exchanges, min(timestamp) AS first_seen, max(timestamp) AS last_seen,
           max(CASE WHEN status IS NULL OR status NOT IN (401, 403) THEN timestamp END) AS last_served,
           min(organization_fp) AS organization_fp
    FROM sketches WHERE {counted} GROUP BY account_id
"""
_GROWN: Final = """
    SELECT account_id, CAST(sum(exchanges) AS BIGINT) AS exchanges, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen, max(last_served) AS last_served,
           min(organization_fp) AS organization_fp
    FROM (
        SELECT account AS known, account_id, exchanges, first_seen, last_seen, last_served, organization_fp
        FROM known_profiles
        UNION ALL
        SELECT NULL, account_id, exchanges, first_seen, last_seen, last_served, organization_fp
        FROM ({came}) c) together
    GROUP BY account_id ORDER BY min(known) NULLS LAST, account_id
"""


def profile_behaviour(engine: Engine) -> Iterator[pa.Table]:
    """Yield BEHAVIOUR in parts: of every account over its whole traffic, then inside each candidate's work.

    An account is in as many candidates as it has families, so that all of it would fill the memory.
    Reads the relations ``profiles`` (PROFILES), ``uses`` (USES), ``hours`` (HOURS), ``inside`` (INSIDE),
    ``seats`` (``candidate``, ``account``, and whether the candidate is ``at_work``), ``links`` (LINKS) and
    ``parties`` (``account_id``, ``party``).
    """
    kept = {"clocks": _CLOCKS, "held_values": _HELD}
    for name, query in kept.items():
        engine.keep(name, query)
    everything = _behaviour(engine, _WHOLE, _NO_TIES)
    nowhere_else = _lists(np.zeros((everything.num_rows, 24), np.int16))
    yield _conformed(everything.append_column("elsewhere", nowhere_else))
    account, days = everything["account"].to_numpy(), _cells(everything)
    for first, last in _ranges(engine.table(_SIZES)):
        chosen = f"candidate >= {first} AND candidate < {last}"
        inside = _behaviour(engine, f"(SELECT * FROM inside WHERE {chosen})", _TIES.format(chosen=chosen))
        other = days[np.searchsorted(account, inside["account"].to_numpy())] - _cells(inside)
        yield _conformed(inside.append_column("elsewhere", _lists(other)))
    for name in kept:
        engine.forget(name)


def _conformed(behaviour: pa.Table) -> pa.Table:
    return conform(behaviour.drop_columns("account"), BEHAVIOUR, "accounts")


def _ranges(sizes: pa.Table) -> Iterator[tuple[int, int]]:
    """Yield the first candidate and the one after the last of each part, which has rows enough."""
    candidates, ends = sizes["candidate"].to_numpy(), np.cumsum(sizes["uses"].to_numpy())
    parts = ends // _PART_ROWS
    starts = np.flatnonzero(np.diff(parts, prepend=-1))
    for start, end in pairwise([*starts.tolist(), len(candidates)]):
        yield int(candidates[start]), int(candidates[end - 1]) + 1


_PART_ROWS: Final = 1 << 20
"""Uses of families in a part: each is another look at all counts, and more are held at once."""

_SIZES: Final = "SELECT candidate, count(*) AS uses FROM inside GROUP BY candidate ORDER BY candidate"

_WHOLE: Final = f"(SELECT CAST({WHOLE_TRAFFIC} AS BIGINT) AS candidate, account, family FROM uses)"

_CLOCKS: Final = """
    SELECT account, family, hour % 24 AS hour, count(*) AS days FROM hours GROUP BY account, family, hour % 24
"""
"""On how many days each account used each family in each hour of the day."""

_NO_TIES: Final = (
    f"SELECT CAST({WHOLE_TRAFFIC} AS BIGINT) AS candidate, CAST(-1 AS INTEGER) AS account, 0 AS tied,"
    " 0 AS tied_holders"
)

_KINDS: Final = "SELECT DISTINCT facet, signal FROM links"
_HELD: Final = f"""
    SELECT p.account, k.kind, l.value, l.holders, l.facet = 'continuity' AS handed_over
    FROM links l JOIN profiles p ON p.account_id = l.account_id
    JOIN (
        SELECT a.facet, a.signal, count(*) AS kind FROM ({_KINDS}) a JOIN ({_KINDS}) b
        ON b.facet < a.facet OR (b.facet = a.facet AND b.signal <= a.signal)
        GROUP BY a.facet, a.signal) k ON k.facet = l.facet AND k.signal = l.signal
"""
"""LINKS in numbers, which are compared and grouped in a third of the time that text takes."""

_TIES: Final = """
    WITH holdings AS (
        SELECT c.candidate, c.account, l.kind, l.value, l.holders
        FROM (SELECT * FROM seats WHERE {chosen}) c JOIN held_values l ON l.account = c.account
        WHERE l.handed_over OR c.at_work)
    SELECT h.candidate, h.account, count(*) AS tied, min(h.holders) AS tied_holders
    FROM holdings h
    JOIN (
        SELECT candidate, kind, value FROM holdings
        GROUP BY candidate, kind, value HAVING count(*) >= 2) s
    ON s.candidate = h.candidate AND s.kind = h.kind AND s.value = h.value
    GROUP BY h.candidate, h.account
"""
"""How many values each account of a candidate shares with another one of it.

Where a candidate has no work of its own its accounts were brought together by what their records share: that
tells nobody apart there. Conversations that they hand to one another do.
"""


def _behaviour(engine: Engine, relation: str, ties: str) -> pa.Table:
    counts = engine.table(
        f"""
        SELECT b.*, n.account_id, CAST(coalesce(t.tied, 0) AS BIGINT) AS tied,
               CAST(coalesce(t.tied_holders, 0) AS BIGINT) AS tied_holders, n.exchanges AS total,
               count(*) OVER (PARTITION BY b.candidate, p.party) AS colleagues FROM (
            SELECT r.candidate, r.account, CAST(sum(u.exchanges) AS BIGINT) AS exchanges,
                   CAST(sum(u.resumed) AS BIGINT) AS resumed, CAST(sum(u.standalone) AS BIGINT) AS standalone,
                   min(u.first_seen) AS first_seen, max(u.last_seen) AS last_seen
            FROM {relation} r JOIN uses u ON u.account = r.account AND u.family = r.family
            GROUP BY r.candidate, r.account) b
        JOIN profiles n ON n.account = b.account
        JOIN parties p ON p.account = b.account
        LEFT JOIN ({ties}) t ON t.candidate = b.candidate AND t.account = b.account
        ORDER BY b.candidate, b.account
        """
    )
    return counts.append_column("hours", _hours_of_day(counts, engine.table(_cells_of(relation))))


def _cells_of(relation: str) -> str:
    """Return the query of how many days have traffic in which hour of the day.

    An hour in which an account uses two of a candidate's families is one hour; where there is one family
    its clock is known already.
    """
    placed = f"SELECT r.*, count(*) OVER (PARTITION BY candidate, account) AS families FROM {relation} r"
    return f"""
        WITH placed AS ({placed})
        SELECT p.candidate, p.account, c.hour, c.days FROM placed p
        JOIN clocks c ON c.account = p.account AND c.family = p.family WHERE p.families = 1
        UNION ALL
        SELECT candidate, account, hour % 24 AS hour, count(*) AS days FROM (
            SELECT DISTINCT p.candidate, p.account, h.hour FROM placed p
            JOIN hours h ON h.account = p.account AND h.family = p.family WHERE p.families > 1) d
        GROUP BY candidate, account, hour % 24
        ORDER BY candidate, account, hour
    """


def _hours_of_day(counts: pa.Table, cells: pa.Table) -> pa.Array:
    """Pivot ``cells`` (candidate, account, hour, days) to one list of 24 counts per row of ``counts``.

    Both tables are in the same order and hold the same accounts, so a running number joins them.
    """
    row = np.zeros(cells.num_rows, np.int64)
    if cells.num_rows:
        account = cells["account"].to_numpy()
        candidate = cells["candidate"].to_numpy()
        row[1:] = np.cumsum((np.diff(account) != 0) | (np.diff(candidate) != 0))
    hours = np.zeros((counts.num_rows, 24), np.int16)
    hours[row, cells["hour"].to_numpy()] = cells["days"].to_numpy()
    return _lists(hours)


def _cells(table: pa.Table) -> Hours:
    """Return the hours of a table, of shape (rows, 24)."""
    return np.asarray(pc.list_flatten(table["hours"]).to_numpy().reshape(-1, 24))


def _lists(hours: Hours) -> pa.Array:
    offsets = np.arange(0, 24 * len(hours) + 1, 24, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, hours.ravel(), type=BEHAVIOUR.field("hours").type)
