"""network: address ranges that accounts share."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table
from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import weigh_surplus
from stillwatch.linking.facets.windows import SAME_TIME, Windows

_NETWORKS: Final = "SELECT fp, account FROM networks"


class Network:
    """Accounts that come from the same few address ranges."""

    card = FacetCard(
        name="network",
        shows="the accounts send from address ranges (/24, /48) in common",
        honest_twin="offices, campuses, carriers' shared addresses and VPN exits",
        method=(
            "m ln(m / e) - (m - e) for m holders of a range beyond the first in the group where "
            "chance has e, 0 where m is at most e (Poisson log-likelihood ratio, Kulldorff 1997). "
            "Ordinary traffic: the ranges of the other accounts at work in the same time, as a random "
            "draw of as many would share them. "
            f"{SAME_TIME}. By hand: these figures, e at least 0.5, the cap"
        ),
        side="linking",
        cap=4.0,
        signals=(
            FacetSignal(
                "network-shared",
                "accounts send from the same address ranges",
                "offices, campuses, carriers' shared addresses and VPN exits",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return LINKS of every shared address range."""
        return shared_values(engine, self.card.name, "network-shared", _NETWORKS)

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of shared address ranges."""
        groups = Groups.read(engine)
        found = weigh_surplus(engine, groups, Windows.read(engine, groups), _NETWORKS)
        return findings_table(
            Finding(
                candidate=candidate,
                facet="network",
                signal="network-shared",
                side="linking",
                llr=surplus.llr,
                observed=surplus.observed,
                expected=surplus.expected,
                statement=(
                    f"{surplus.accounts:,} of {surplus.known:,} pairs of account and address range are in "
                    f"{surplus.values:,} ranges that others of the group use: {surplus.observed:,.0f} beyond "
                    f"the first of each, {surplus.expected:,.1f} by chance among all {surplus.ordinary}"
                ),
            )
            for candidate, surplus in found.items()
            if surplus.values
        )
