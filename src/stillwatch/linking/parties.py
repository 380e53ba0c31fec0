"""Parties: accounts that belong together openly count as one.

Colleagues under one declared organisation share a card, an office and a mail domain because they say so;
only sharing between parties is hidden, and only hidden sharing links.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.contracts import PARTIES, conform

PARTIES_QUERY: Final = """
    SELECT s.account, s.account_id,
           coalesce(CAST(coalesce(a.organization_fp, s.organization_fp) AS VARCHAR), s.account_id) AS party
    FROM profiles s LEFT JOIN accounts a ON a.account_id = s.account_id
    UNION ALL
    SELECT NULL, a.account_id, coalesce(CAST(a.organization_fp AS VARCHAR), a.account_id)
    FROM accounts a LEFT JOIN profiles s ON s.account_id = a.account_id
    WHERE s.account_id IS NULL
    ORDER BY account NULLS LAST, account_id
"""
"""Account and party, over ``profiles`` and ``accounts``: the declared organisation, else itself.

Accounts that the log shows come first, by their numbers.
"""


def join_parties(parties: pa.Table, declared: Iterable[tuple[str, str]]) -> pa.Table:
    """Return PARTIES, where declared parties count as one with all whom they touch.

    Belonging together is mutual and passes on: an account that is declared to belong to a party brings
    the organisation that its record names along.

    Args:
        parties: the rows of PARTIES_QUERY.
        declared: account and the name of a party; accounts that ``parties`` lacks say nothing.
    """
    parties, links = parties.combine_chunks(), list(declared)
    names = _joined(parties, links) if links else parties["party"]
    table = {
        "account": pa.array(np.arange(parties.num_rows, dtype=np.int32)),
        "account_id": parties["account_id"],
        "party": names.dictionary_encode().combine_chunks().indices.cast(pa.int64()),
    }
    return conform(pa.table(table), PARTIES, "linking")


def _joined(parties: pa.Table, declared: list[tuple[str, str]]) -> pa.ChunkedArray:
    """Return what stands for each account's party."""
    own = dict(zip(parties["account_id"].to_pylist(), parties["party"].to_pylist(), strict=True))
    parent: dict[str, str] = {}
    for account, name in declared:
        if account in own:
            left, right = sorted((_root(parent, own[account]), _root(parent, f"declared party {name}")))
            parent[right] = left
    return pa.chunked_array([pa.array([_root(parent, party) for party in own.values()], pa.string())])


def _root(parent: dict[str, str], party: str) -> str:
    """Return what stands for the parties that were joined with this one (union-find)."""
    while parent.get(party, party) != party:
        party = parent[party]
    return party
