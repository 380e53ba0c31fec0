"""focus: work aimed at few abilities of the model."""

from __future__ import annotations

import math
from typing import Final

import pyarrow as pa

from stillwatch.contracts import Capability
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

_MIN_EXCHANGES: Final = 50
_QUERY: Final = (
    "SELECT {candidate} capability, count(*) AS exchanges FROM {relation} GROUP BY {candidate} capability"
)


class Focus:
    """A group that asks for one ability far more than others do."""

    card = FacetCard(
        name="focus",
        shows="the group's work is aimed at one ability",
        honest_twin="applications with one purpose",
        method=(
            "sum of p ln(p / q) over the abilities, relative entropy (Kullback & Leibler 1951): what one "
            "request is worth, however many there are. Ordinary traffic: q, the ability's share in all "
            "requests of the log, the group's own included, of any hour, where p is its share in the group's "
            "work. By hand: at least 50 requests, the cap"
        ),
        side="extraction",
        cap=1.0,
        signals=(
            FacetSignal(
                "narrow-focus",
                "the group asks for one ability more than all traffic does",
                "an application with one purpose",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: many honest accounts want the same ability."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of how far the group's abilities are from ordinary ones."""
        ordinary = _shares(engine.table(_QUERY.format(candidate="", relation="activity") + " ORDER BY 1"))
        rows = engine.table(_QUERY.format(candidate="candidate,", relation="work") + " ORDER BY 1, 2")
        groups: dict[int, list[dict[str, int]]] = {}
        for row in rows.to_pylist():
            groups.setdefault(row["candidate"], []).append(row)
        sized = {number: group for number, group in groups.items() if _total(group) >= _MIN_EXCHANGES}
        return findings_table(_finding(number, group, ordinary) for number, group in sized.items())


def _total(group: list[dict[str, int]]) -> int:
    return sum(row["exchanges"] for row in group)


def _shares(table: pa.Table) -> dict[int, float]:
    rows = table.to_pylist()
    total = _total(rows)
    return {row["capability"]: row["exchanges"] / total for row in rows}


def _finding(candidate: int, group: list[dict[str, int]], ordinary: dict[int, float]) -> Finding:
    total = _total(group)
    shares = {row["capability"]: row["exchanges"] / total for row in group}
    entropy = sum(share * math.log(share / ordinary[ability]) for ability, share in sorted(shares.items()))
    top = max(sorted(shares), key=lambda ability: shares[ability])
    return Finding(
        candidate=candidate,
        facet="focus",
        signal="narrow-focus",
        side="extraction",
        llr=entropy,
        observed=shares[top],
        expected=ordinary[top],
        exchanges=total,
        statement=(
            f"{shares[top]:.0%} of the requests ask for {list(Capability)[top].replace('_', ' ')}; "
            f"{ordinary[top]:.0%} of all requests do"
        ),
    )
