"""scaffold: one prompt around ever-changing payloads, shared by accounts that nothing else explains."""

from __future__ import annotations

import math

import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

_QUERY = """
    SELECT w.candidate, count(DISTINCT w.family) AS families, count(DISTINCT w.account) AS accounts,
           CAST(sum(u.exchanges) AS BIGINT) AS exchanges, max(h.holders) AS holders
    FROM work w JOIN uses u ON u.account = w.account AND u.family = w.family
    JOIN (
        SELECT k.candidate, count(DISTINCT a.account) AS holders
        FROM workloads k JOIN uses a ON a.family = k.family GROUP BY k.candidate) h
    ON h.candidate = w.candidate
    WHERE w.family >= 0 GROUP BY w.candidate ORDER BY w.candidate
"""


class Scaffold:
    """Accounts that wrap their payloads in the same rare words."""

    card = FacetCard(
        name="scaffold",
        shows="the accounts' requests share a rare scaffold around changing payloads",
        honest_twin="users of a popular client, library or template",
        method=(
            "ln(N / K) for N accounts in the log of which K ever used a scaffold of the group (inverse "
            "document frequency, Spärck Jones 1972): what everybody shares says nothing. Ordinary traffic: "
            "all accounts of the log, the group's own included, at any hour. By hand: the cap"
        ),
        side="linking",
        cap=3.0,
        template=True,
        signals=(
            FacetSignal(
                "scaffold-shared",
                "requests wrap their payloads in the same rare words",
                "users of one client, library or template",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: workload families are nodes of the graph themselves."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of how rare the shared scaffold is."""
        everyone = engine.table("SELECT count(*) AS n FROM profiles ORDER BY n")["n"][0].as_py()
        rows = engine.table(_QUERY).to_pylist()
        return findings_table(
            Finding(
                candidate=row["candidate"],
                facet="scaffold",
                signal="scaffold-shared",
                side="linking",
                llr=math.log(everyone / row["holders"]),
                observed=float(row["holders"]),
                expected=float(everyone),
                accounts=row["accounts"],
                exchanges=row["exchanges"],
                statement=(
                    f"{row['exchanges']:,} requests of {row['accounts']:,} accounts wear "
                    f"{_scaffolds(row['families'])} that {row['holders']:,} of all {everyone:,} accounts "
                    "ever used"
                ),
            )
            for row in rows
        )


def _scaffolds(count: int) -> str:
    return "one scaffold" if count == 1 else f"{count:,} scaffolds"
