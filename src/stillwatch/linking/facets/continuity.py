"""continuity: conversations, and sealed reasoning, that go on under another account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from stillwatch.contracts import AccountEvent
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table
from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus
from stillwatch.linking.facets.windows import SAME_TIME, Windows

_HOLDINGS: Final = "SELECT fp, account FROM handovers"

_SEALS: Final = f"""
    SELECT DISTINCT giver AS fp, unnest([taker, giver]) AS account FROM (
        SELECT DISTINCT CAST(t.account AS BIGINT) AS taker, CAST(g.account AS BIGINT) AS giver
        FROM account_events e
        JOIN parties t ON t.account_id = e.account_id
        JOIN parties g ON g.account_id = e.other_account_id
        WHERE e.event = '{AccountEvent.SEAL_FOREIGN.value}' AND t.account <> g.account
            AND e.timestamp >= (SELECT min(first_seen) FROM profiles)
            AND e.timestamp <= (SELECT max(last_seen) FROM profiles)) s
"""
"""Who handed back whose sealed reasoning in the log's time, once however often it was tried.

Those who handed back the reasoning of one account share that account: one whose tokens leaked to many is a
common thing, and weighs little.
"""


class Continuity:
    """Conversations and sealed reasoning handed from account to account."""

    card = FacetCard(
        name="continuity",
        shows="a dialogue, or sealed reasoning, goes on under an account that it did not begin with",
        honest_twin="a team that hands a session over inside one organisation",
        method=(
            "m ln(m / e) - (m - e) for m dialogues handed over inside the group, or accounts whose sealed "
            "reasoning was handed back, where chance has e, 0 where m is at most e (Poisson log-likelihood "
            "ratio, Kulldorff 1997). Ordinary traffic: the handovers between the other accounts at work in "
            "the same time, as a random draw of as many would share them. "
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
            FacetSignal(
                "seal-foreign",
                "reasoning that was sealed for one account is handed back under another (account events)",
                "colleagues who share a transcript; one client with two logins; a leaked transcript",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return LINKS of every conversation, and of all sealed reasoning, that changed its account."""
        handed = shared_values(engine, self.card.name, "continuity", _HOLDINGS)
        if not _is_told_of_seals(engine):
            return handed
        return pa.concat_tables([handed, shared_values(engine, self.card.name, "seal-foreign", _SEALS)])

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of what was handed over inside the group."""
        groups = Groups.read(engine)
        windows = Windows.read(engine, groups)
        findings = _conversations(weigh_surplus(engine, groups, windows, _HOLDINGS))
        if _is_told_of_seals(engine):
            findings += _seals(weigh_surplus(engine, groups, windows, _SEALS))
        return findings_table(findings)


def _is_told_of_seals(engine: Engine) -> bool:
    """Whether there is any such event: most providers seal nothing."""
    return bool(engine.table(f"SELECT count(*) AS n FROM ({_SEALS}) h")["n"][0].as_py())


def _conversations(found: Mapping[int, Surplus]) -> list[Finding]:
    return [
        _finding(
            candidate,
            "continuity",
            surplus,
            f"{surplus.values:,} conversations go on under another account of the group, which never sent "
            f"their beginning",
        )
        for candidate, surplus in found.items()
        if surplus.values
    ]


def _seals(found: Mapping[int, Surplus]) -> list[Finding]:
    return [
        _finding(
            candidate,
            "seal-foreign",
            surplus,
            f"reasoning sealed for {surplus.values:,} accounts was handed back under others of the group",
        )
        for candidate, surplus in found.items()
        if surplus.values
    ]


def _finding(candidate: int, signal: str, surplus: Surplus, told: str) -> Finding:
    return Finding(
        candidate=candidate,
        facet="continuity",
        signal=signal,
        side="extraction",
        llr=surplus.llr,
        observed=surplus.observed,
        expected=surplus.expected,
        accounts=surplus.accounts,
        statement=f"{told}; {surplus.expected:,.1f} would by chance among all {surplus.ordinary}",
    )
