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

_QUERY: Final = """
    SELECT candidate, count(*) AS payloads, CAST(sum(exchanges) AS BIGINT) AS exchanges,
           CAST(sum(CASE WHEN accounts > 1 THEN exchanges ELSE 0 END) AS BIGINT) AS repeated
    FROM (
        SELECT candidate, message_fp, count(*) AS exchanges, count(DISTINCT account_id) AS accounts
        FROM work WHERE message_fp IS NOT NULL GROUP BY candidate, message_fp) p
    GROUP BY candidate ORDER BY candidate
"""


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
        rows = engine.table(_QUERY).to_pylist()
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
