"""continuity: conversations that go on under another account."""

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

_HOLDINGS: Final = "SELECT fp, account FROM handovers"


class Continuity:
    """Conversations handed from account to account."""

    card = FacetCard(
        name="continuity",
        shows="a dialogue goes on under an account that never sent its beginning",
        honest_twin="a team that hands a session over inside one organisation",
        method=(
            "m ln(m / e) - (m - e) for m dialogues handed over inside the group where chance has e, 0 "
            "where m is at most e (Poisson log-likelihood ratio, Kulldorff 1997). Ordinary traffic: "
            "the handovers between the other accounts at work in the same time, as a random draw of "
            "as many would share them. "
            f"{SAME_TIME}. By hand: these figures, within 48 hours, a message of at most 5 senders, "
            "e at least 0.5, the cap"
        ),
        side="extraction",
        cap=6.0,
        dispatch=True,
        signals=(
            FacetSignal(
                "continuity",
                "a dialogue goes on, within two days, under an account that never sent its beginning",
                "a team that hands a session over; a client that restores a conversation under another login",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return LINKS of every conversation that changed its account."""
        return shared_values(engine, self.card.name, "continuity", _HOLDINGS)

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of conversations handed over inside the group."""
        groups = Groups.read(engine)
        found = weigh_surplus(engine, groups, Windows.read(engine, groups), _HOLDINGS)
        return findings_table(
            Finding(
                candidate=candidate,
                facet="continuity",
                signal="continuity",
                side="extraction",
                llr=surplus.llr,
                observed=surplus.observed,
                expected=surplus.expected,
                accounts=surplus.accounts,
                statement=(
                    f"{surplus.values:,} conversations go on under another account of the group, which "
                    f"never sent their beginning; {surplus.expected:,.1f} would by chance among all "
                    f"{surplus.ordinary}"
                ),
            )
            for candidate, surplus in found.items()
            if surplus.values
        )
