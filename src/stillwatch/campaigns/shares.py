"""Shares: how much of each member's traffic is the campaign's.

Requests in the campaign's families are its work. Of the member's other requests as many are as look like
that work rather than like ordinary traffic: scaffolds that are written anew each time leave no family, and
an account that also serves ordinary users sends what they ask. A mixture of both kinds of request gives the
share of the first, fitted to each account by expectation maximisation (Dempster et al. 1977).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import MEMBERS, Capability, conform
from stillwatch.engines.engine import Engine

_KIND: Final = (
    "k.capability * 4 + CASE WHEN k.standalone THEN 2 ELSE 0 END + CASE WHEN k.cues <> 0 THEN 1 ELSE 0 END"
)
"""What a request asks for, whether it stands alone, and whether it bears a cue: 4 kinds for each ability."""

_KINDS: Final = 4 * len(Capability)
_ROUNDS: Final = 100
_HALF: Final = 0.5
"""A request of each kind is taken for half seen, and half an account's request for either side's."""

_MEMBERS: Final = """
    SELECT campaign_id, account_id, strength FROM belongs ORDER BY campaign_id, account_id
"""
_COUNT: Final = f"{_KIND} AS kind, CAST(sum(k.exchanges) AS BIGINT) AS exchanges"
_EVERYBODY: Final = f"SELECT {_COUNT} FROM kinds k GROUP BY kind ORDER BY kind"
_TOTAL: Final = f"""
    SELECT b.campaign_id, b.account_id, {_COUNT}
    FROM kinds k JOIN profiles p ON p.account = k.account JOIN belongs b ON b.account_id = p.account_id
    GROUP BY b.campaign_id, b.account_id, kind ORDER BY b.campaign_id, b.account_id, kind
"""
_WORK: Final = f"""
    SELECT w.campaign_id, w.account_id, {_COUNT}
    FROM campaign_work w JOIN kinds k ON k.account = w.account AND k.family = w.family
    GROUP BY w.campaign_id, w.account_id, kind ORDER BY w.campaign_id, w.account_id, kind
"""

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def member_shares(engine: Engine) -> pa.Table:
    """Return MEMBERS over the relations ``kinds``, ``profiles``, ``belongs`` and ``campaign_work``."""
    members = engine.table(_MEMBERS)
    everybody = np.zeros(_KINDS, np.int64)
    rows = engine.table(_EVERYBODY)
    everybody[rows["kind"].to_numpy()] = rows["exchanges"].to_numpy()
    total, work = (_by_kind(engine.table(query), members) for query in (_TOTAL, _WORK))
    share = np.zeros(members.num_rows)
    campaign = members["campaign_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    for number in np.unique(campaign):
        own = campaign == number
        share[own] = campaign_share(work[own], total[own], everybody)
    return conform(members.append_column("share", pa.array(share)), MEMBERS, "campaigns")


def campaign_share(work: Counts, total: Counts, everybody: Counts) -> Shares:
    """Return the share of each member's requests that is the campaign's.

    Args:
        work: requests in the campaign's families, shape (members, kinds).
        total: all requests of the same accounts, shape (members, kinds).
        everybody: requests of all accounts of the log, shape (kinds,).
    """
    likeness = _relative(work.sum(axis=0)) / _relative(everybody - total.sum(axis=0))
    rest = total - work
    part = np.full(len(rest), _HALF)
    for _ in range(_ROUNDS):
        alike = part[:, None] * likeness
        alike = (rest * alike / (1 - part[:, None] + alike)).sum(axis=1)
        part = (alike + _HALF) / (rest.sum(axis=1) + 2 * _HALF)
    return np.asarray((work.sum(axis=1) + part * rest.sum(axis=1)) / total.sum(axis=1))


def _relative(counts: Counts) -> Shares:
    seen = np.maximum(counts, 0) + _HALF
    return np.asarray(seen / seen.sum())


def _by_kind(table: pa.Table, members: pa.Table) -> Counts:
    """Return requests by member and kind, shape (members, kinds)."""
    key = _key(members)
    counts = np.zeros((members.num_rows, _KINDS), np.int64)
    row = pc.index_in(_key(table), key).to_numpy()
    counts[row, table["kind"].to_numpy()] = table["exchanges"].to_numpy()
    return counts


def _key(table: pa.Table) -> pa.Array:
    joined = pc.binary_join_element_wise(table["campaign_id"], table["account_id"], "\n")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
