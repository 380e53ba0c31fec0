"""focus: work aimed at few abilities of the model."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import Capability
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, each_candidate, findings_table, no_links

_MIN_EXCHANGES: Final = 50
_ABILITIES: Final = len(Capability)

_EVERYONE: Final = """
    SELECT day, capability, CAST(sum(exchanges) AS BIGINT) AS exchanges
    FROM kinds GROUP BY day, capability ORDER BY day, capability
"""
_GROUPS: Final = """
    SELECT w.candidate, k.day, k.capability, CAST(sum(k.exchanges) AS BIGINT) AS exchanges
    FROM work w JOIN kinds k ON k.account = w.account AND k.family = w.family
    GROUP BY w.candidate, k.day, k.capability ORDER BY w.candidate, k.day, k.capability
"""

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


class Focus:
    """A group that asks for one ability far more than others do."""

    card = FacetCard(
        name="focus",
        shows="the group's work is aimed at one ability",
        honest_twin="applications with one purpose",
        method=(
            "sum of p ln(p / q) over the abilities, relative entropy (Kullback & Leibler 1951) of the "
            "group's pooled requests: what one request is worth, however many there are; less 9 / 2n, which "
            "n ordinary requests show by chance (Miller 1955). Ordinary traffic: q, the ability's share in "
            "all requests of the same days, the group's own included. By hand: at least 50 requests, the cap"
        ),
        side="extraction",
        cap=1.0,
        template=True,
        signals=(
            FacetSignal(
                "narrow-focus",
                "the group asks for one ability more than all traffic of the same days does",
                "an application with one purpose",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: many honest accounts want the same ability."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of how far the group's abilities are from ordinary ones."""
        whole = engine.table(_EVERYONE)
        if not whole.num_rows:
            return findings_table([])
        first, last = int(whole["day"][0].as_py()), int(whole["day"][-1].as_py())
        everyone = _by_day(whole, first, last)
        found = []
        for number, rows in each_candidate(engine.stream(_GROUPS)):
            own = _by_day(rows, first, last)
            if own.sum() >= _MIN_EXCHANGES:
                found.append(_finding(number, own, everyone))
        return findings_table(found)


def _by_day(table: pa.Table, first: int, last: int) -> Counts:
    """Return requests by day and ability, shape (days, abilities)."""
    counts = np.zeros((last - first + 1, _ABILITIES), np.int64)
    counts[table["day"].to_numpy() - first, table["capability"].to_numpy()] = table["exchanges"].to_numpy()
    return counts


def same_days(own: Counts, everyone: Counts) -> Shares:
    """Return what is asked on the days on which the group asks: what all turn to that day is no focus.

    The group itself is among everyone: where there is little else, nothing is far from ordinary.
    """
    daily = everyone / np.maximum(everyone.sum(axis=1, keepdims=True), 1)
    return np.asarray(own.sum(axis=1) @ daily / own.sum())


def focus(shares: Shares, ordinary: Shares, exchanges: int) -> float:
    """Return the relative entropy in nats, less its expectation for ``exchanges`` ordinary requests."""
    asked = shares > 0
    entropy = float(np.sum(shares[asked] * np.log(shares[asked] / ordinary[asked])))
    return max(entropy - (_ABILITIES - 1) / (2 * exchanges), 0.0)


def _finding(candidate: int, own: Counts, everyone: Counts) -> Finding:
    total = int(own.sum())
    shares, ordinary = own.sum(axis=0) / total, same_days(own, everyone)
    top = int(np.argmax(shares))
    return Finding(
        candidate=candidate,
        facet="focus",
        signal="narrow-focus",
        side="extraction",
        llr=focus(shares, ordinary, total),
        observed=float(shares[top]),
        expected=float(ordinary[top]),
        exchanges=total,
        statement=(
            f"{shares[top]:.0%} of the requests ask for {list(Capability)[top].replace('_', ' ')}; "
            f"{ordinary[top]:.0%} of all requests on the same days do"
        ),
    )
