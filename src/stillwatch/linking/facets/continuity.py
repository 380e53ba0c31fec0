"""continuity: conversations that go on under another account."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import weigh_surplus

_MOST_SENDERS: Final = 5
"""A message that more accounts have sent is a figure of speech, not the state of a conversation."""

_STATES: Final = """
    SELECT account_id, timestamp, history_fps[len(history_fps)] AS fp
    FROM sketches WHERE len(history_fps) >= 1
"""
"""What each request put last: the state that its conversation had reached."""

_CONTINUED: Final = """
    SELECT account_id, timestamp, history_fps[len(history_fps) - 2] AS fp
    FROM sketches WHERE turns >= 3 AND len(history_fps) >= 3
"""
"""The state that each dialogue goes on from: the message before the model's last answer."""

_HANDOVERS: Final = f"""
    SELECT DISTINCT c.fp, c.account_id AS taker, s.account_id AS giver
    FROM ({_CONTINUED}) c
    JOIN ({_STATES}) s ON s.fp = c.fp AND s.account_id <> c.account_id
        AND s.timestamp < c.timestamp AND s.timestamp >= c.timestamp - INTERVAL 48 HOUR
    JOIN (SELECT fp FROM ({_STATES}) a GROUP BY fp HAVING count(DISTINCT account_id) <= {_MOST_SENDERS}) rare
        ON rare.fp = c.fp
    LEFT JOIN (SELECT DISTINCT account_id, fp FROM ({_STATES}) o) own
        ON own.account_id = c.account_id AND own.fp = c.fp
    WHERE own.fp IS NULL
"""
"""Dialogues that go on from a state which this account never sent, and another did, within two days."""

_HOLDINGS: Final = f"SELECT DISTINCT fp, unnest([taker, giver]) AS account_id FROM ({_HANDOVERS}) t"


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
        return shared_values(engine, self.card.name, "continuity", _HOLDINGS)

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of conversations handed over inside the group."""
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
            for candidate, surplus in weigh_surplus(engine, _HOLDINGS).items()
            if surplus.values
        )
