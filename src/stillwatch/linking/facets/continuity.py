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

_MOST_SENDERS: Final = 5
"""A message that more accounts have sent is a figure of speech, not the state of a conversation."""

_FOREIGN: Final = """
    SELECT account, timestamp, continued_fp AS fp FROM activity c
    WHERE continued_fp IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM activity o WHERE o.account = c.account AND o.state_fp = c.continued_fp)
"""
"""Dialogues that go on from a state which this account never sent."""

_SENT: Final = """
    SELECT a.account, a.timestamp, a.state_fp AS fp FROM activity a
    WHERE a.state_fp IN (SELECT fp FROM foreign_states)
"""

_HANDOVERS: Final = f"""
    SELECT DISTINCT c.fp, c.account AS taker, s.account AS giver
    FROM foreign_states c
    JOIN sent_states s ON s.fp = c.fp AND s.timestamp < c.timestamp
        AND s.timestamp >= c.timestamp - INTERVAL 48 HOUR
    JOIN (SELECT fp FROM sent_states GROUP BY fp HAVING count(DISTINCT account) <= {_MOST_SENDERS}) rare
        ON rare.fp = c.fp
"""
"""The same where another account sent that state, within two days before."""

_HELD: Final = f"SELECT DISTINCT fp, unnest([taker, giver]) AS account FROM ({_HANDOVERS}) t"
_HOLDINGS: Final = "SELECT fp, account FROM handovers"


def _find_handovers(engine: Engine) -> None:
    for name, query in (("foreign_states", _FOREIGN), ("sent_states", _SENT), ("handovers", _HELD)):
        engine.keep(name, query)


class Continuity:
    """Conversations handed from account to account."""

    card = FacetCard(
        name="continuity",
        shows="a dialogue goes on under an account that never sent its beginning",
        honest_twin="a team that hands a session over inside one organisation",
        method=(
            "m ln(m / e) - (m - e) for m dialogues handed over inside the group where chance has e, 0 where "
            "m is at most e (Poisson log-likelihood ratio, Kulldorff 1997). Ordinary traffic: the handovers "
            "between all other accounts of the log, at any hour, as a random draw of as many would "
            "share them. By hand: within 48 hours, a message of at most 5 senders, e at least 0.5, the cap"
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
        _find_handovers(engine)
        return shared_values(engine, self.card.name, "continuity", _HOLDINGS)

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of conversations handed over inside the group."""
        _find_handovers(engine)
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
                    f"never sent their beginning; {surplus.expected:,.1f} would by chance"
                ),
            )
            for candidate, surplus in weigh_surplus(engine, Groups.read(engine), _HOLDINGS).items()
            if surplus.values
        )
