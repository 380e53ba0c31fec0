"""scaffold: one prompt around ever-changing payloads, shared by accounts that nothing else explains."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links
from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.windows import SAME_TIME, WINDOWS, Windows

_QUERY: Final = """
    SELECT w.candidate, count(DISTINCT w.family) AS families, count(DISTINCT w.account) AS accounts,
           CAST(sum(u.exchanges) AS BIGINT) AS exchanges, max(h.holders) AS holders,
           max(h.everyone) AS everyone, max(h.place) AS place
    FROM work w JOIN uses u ON u.account = w.account AND u.family = w.family
    JOIN (
        SELECT k.candidate, s.everyone, s.place, count(DISTINCT a.account) AS holders
        FROM workloads k JOIN spans s ON s.candidate = k.candidate JOIN uses a ON a.family = k.family
        WHERE epoch(a.first_seen) < s.until AND epoch(a.last_seen) >= s.since
        GROUP BY k.candidate, s.everyone, s.place) h
    ON h.candidate = w.candidate
    WHERE w.family >= 0 GROUP BY w.candidate ORDER BY w.candidate
"""

_HOUR: Final = 3600


class Scaffold:
    """Accounts that wrap their payloads in the same rare words."""

    card = FacetCard(
        name="scaffold",
        shows="the accounts' requests share a rare scaffold around changing payloads",
        honest_twin="users of a popular client, library or template",
        method=(
            "ln(N / K) for N accounts of which K used a scaffold of the group (inverse document "
            "frequency, Spärck Jones 1972): what everybody shares says nothing. Ordinary traffic: all "
            "accounts at work in the same time, the group's own included, and what they used in it. "
            f"{SAME_TIME}. By hand: these figures, the cap"
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
        groups = Groups.read(engine)
        windows = Windows.read(engine, groups)
        engine.bind("spans", _spans(groups, windows))
        rows = engine.table(_QUERY).to_pylist()
        engine.forget("spans")
        return findings_table(_finding(row, windows.told(row["place"])) for row in rows)


def _spans(groups: Groups, windows: Windows) -> pa.Table:
    """Return each candidate's window in seconds since the epoch, and how many accounts were there."""
    seen = windows.last >= 0
    chosen = windows.choose(groups, seen)
    edges = np.array([windows.edges(place) for place in range(len(WINDOWS))], np.int64) * _HOUR
    sizes = [np.count_nonzero(windows.there(place) & seen) for place in range(len(WINDOWS))]
    return pa.table(
        {
            "candidate": groups.candidates,
            "place": chosen,
            "everyone": np.array(sizes, np.int64)[chosen],
            "since": edges[chosen, 0],
            "until": edges[chosen, 1],
        }
    )


def _finding(row: dict[str, int], ordinary: str) -> Finding:
    return Finding(
        candidate=row["candidate"],
        facet="scaffold",
        signal="scaffold-shared",
        side="linking",
        llr=math.log(row["everyone"] / row["holders"]),
        observed=float(row["holders"]),
        expected=float(row["everyone"]),
        accounts=row["accounts"],
        exchanges=row["exchanges"],
        statement=(
            f"{row['exchanges']:,} requests of {row['accounts']:,} accounts wear "
            f"{_scaffolds(row['families'])} that {row['holders']:,} of {row['everyone']:,} {ordinary} used"
        ),
    )


def _scaffolds(count: int) -> str:
    return "one scaffold" if count == 1 else f"{count:,} scaffolds"
