"""coverage: payloads that hardly repeat over the accounts, as when a dataset is dealt out."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

_MIN_EXCHANGES: Final = 50
_PARTITION_SHAPE: Final = 15.0
"""Beta(1, 15): a campaign repeats one payload in sixteen across accounts (retries, checks)."""

_UNKNOWN_MEAN: Final = 0.5
"""Mean of the uniform, which the share of repeated payloads has in groups that we know nothing of."""

_MESSAGES: Final = "SELECT message_fp, timestamp FROM activity"

_REPEATS: Final = """
    SELECT a.account, a.family, a.message_fp FROM activity a JOIN repeated r ON r.fp = a.message_fp
"""

_QUERY: Final = """
    SELECT w.candidate, w.messages - coalesce(r.requests, 0) + coalesce(r.payloads, 0) AS payloads,
           w.messages AS exchanges, CAST(coalesce(r.repeated, 0) AS BIGINT) AS repeated
    FROM (
        SELECT w.candidate, CAST(sum(u.messages) AS BIGINT) AS messages FROM work w
        JOIN uses u ON u.account = w.account AND u.family = w.family GROUP BY w.candidate) w
    LEFT JOIN (
        SELECT candidate, count(*) AS payloads, CAST(sum(requests) AS BIGINT) AS requests,
               CAST(sum(CASE WHEN one <> another THEN requests ELSE 0 END) AS BIGINT) AS repeated
        FROM (
            SELECT w.candidate, m.message_fp, count(*) AS requests,
                   min(m.account) AS one, max(m.account) AS another
            FROM repeats m JOIN work w ON w.account = m.account AND w.family = m.family
            GROUP BY w.candidate, m.message_fp) p
        GROUP BY candidate) r ON r.candidate = w.candidate
    WHERE w.messages > 0 ORDER BY w.candidate
"""
"""Payloads that came once in the whole log repeat in no group: only the others are counted one by one."""


class Coverage:
    """A dataset partitioned over the accounts."""

    card = FacetCard(
        name="coverage",
        shows="the same payload hardly ever comes from two accounts of the group",
        honest_twin="students repeat one another's questions: strong evidence against",
        method=(
            "ln 15 + 14 ln(1 - r) for the share r of the group's requests whose payload another account of "
            "it sent as well: Beta(1, 15) of a dealt-out dataset against the uniform, as a weight of "
            "evidence (Good 1950). Ordinary traffic: not estimated from the log; of a group that we know "
            "nothing of each share is as likely as another, half on average. By hand: both shapes, at least "
            "50 requests, cap and floor"
        ),
        side="extraction",
        cap=1.5,
        floor=-8.0,
        template=True,
        signals=(
            FacetSignal(
                "dataset-partition",
                "payloads hardly repeat over the accounts",
                "one customer's pipeline that works through its own documents",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: what is never shared draws no edge."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of payload repetition, negative where the group repeats itself."""
        engine.bind("repeated", engine.frequent(_MESSAGES, 2))
        engine.keep("repeats", _REPEATS)
        rows = engine.table(_QUERY).to_pylist()
        engine.forget("repeated")
        engine.forget("repeats")
        return findings_table(_finding(row) for row in rows if row["exchanges"] >= _MIN_EXCHANGES)


def _finding(row: dict[str, int]) -> Finding:
    repeated = row["repeated"] / row["exchanges"]
    density = np.log(_PARTITION_SHAPE) + (_PARTITION_SHAPE - 1) * np.log1p(-min(repeated, 0.999))
    return Finding(
        candidate=row["candidate"],
        facet="coverage",
        signal="dataset-partition",
        side="extraction",
        llr=float(density),
        observed=repeated,
        expected=_UNKNOWN_MEAN,
        exchanges=row["exchanges"],
        statement=(
            f"{row['payloads']:,} different payloads in {row['exchanges']:,} requests; {repeated:.1%} of the "
            "requests repeat a payload of another account"
        ),
    )
