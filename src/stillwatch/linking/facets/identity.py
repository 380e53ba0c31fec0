"""identity: cards, devices, phones and mail domains that accounts share, and sign-ups in bursts."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, each_candidate, findings_table
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus

_SHARED: Final = {
    "payment-shared": ("payment_fp", "payment card"),
    "device-shared": ("device_fp", "device"),
    "phone-shared": ("phone_fp", "telephone number"),
    "email-pattern": ("CASE WHEN email_kind = 'own' THEN email_domain_fp END", "private mail domain"),
    "signup-network": ("signup_network_fp", "sign-up network"),
}
"""Signal -> (what is shared, as a column of the account records, and what one is called)."""

_BURST_HOUR: Final = 3_600_000_000  # microseconds

Ints = npt.NDArray[np.int64]


def _holdings(column: str) -> str:
    return f"""
        SELECT {column} AS fp, p.account FROM accounts a JOIN parties p ON p.account_id = a.account_id
        WHERE {column} IS NOT NULL
    """


class Identity:
    """Accounts that were made by one hand."""

    card = FacetCard(
        name="identity",
        shows="cards, devices, telephone numbers, mail domains, sign-up networks and sign-up hours in common",
        honest_twin="offices, families, schools and resellers",
        method=(
            "m ln(m / e) - (m - e) for m accounts that share a value with another one of the group where "
            "chance has e, 0 where m is at most e (Poisson log-likelihood ratio, Kulldorff 1997), each "
            "signal by itself. Ordinary traffic: what all other accounts of the log hold, and in which hours "
            "they signed up, as a random draw of as many of them would share it; hubs lose weight because "
            "chance expects them. By hand: e at least 0.5, the cap"
        ),
        side="linking",
        cap=6.0,
        signals=(
            FacetSignal(
                "payment-shared",
                "accounts pay with the same card",
                "a company or family on one card; resellers",
            ),
            FacetSignal(
                "device-shared",
                "accounts carry the same device fingerprint",
                "families, schools, shared computers",
            ),
            FacetSignal("phone-shared", "accounts gave the same telephone number", "offices and families"),
            FacetSignal(
                "email-pattern",
                "accounts have addresses under one mail domain of their own",
                "staff of one company under its domain",
            ),
            FacetSignal(
                "signup-network",
                "accounts signed up from one address range",
                "campuses, offices, carriers, VPN exits",
            ),
            FacetSignal(
                "signup-burst",
                "accounts signed up within the same hour",
                "a class, a launch, a customer that adds its seats",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return LINKS of every shared card, device, telephone number, own mail domain and network."""
        return pa.concat_tables(
            shared_values(engine, self.card.name, signal, _holdings(column))
            for signal, (column, _) in _SHARED.items()
        )

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of sharing and of sign-up bursts."""
        found = [
            _finding(candidate, signal, words, surplus)
            for signal, (column, words) in _SHARED.items()
            for candidate, surplus in weigh_surplus(engine, _holdings(column)).items()
            if surplus.values
        ]
        return findings_table([*found, *_bursts(engine)])


def _finding(candidate: int, signal: str, words: str, surplus: Surplus) -> Finding:
    return Finding(
        candidate=candidate,
        facet="identity",
        signal=signal,
        side="linking",
        llr=surplus.llr,
        observed=surplus.observed,
        expected=surplus.expected,
        accounts=surplus.accounts,
        statement=(
            f"{surplus.accounts:,} of {surplus.known:,} accounts share {surplus.values:,} {words}"
            f"{'' if surplus.values == 1 else 's'}: {surplus.observed:,.0f} beyond the first of each, "
            f"{surplus.expected:,.1f} by chance"
        ),
    )


_SIGNUPS: Final = """
    SELECT p.party, min(a.created_at) AS created_at FROM accounts a
    JOIN parties p ON p.account_id = a.account_id
    WHERE a.created_at IS NOT NULL GROUP BY p.party ORDER BY created_at, party
"""
_SIGNUPS_OF_GROUPS: Final = """
    SELECT m.candidate, p.party, min(a.created_at) AS created_at FROM accounts a
    JOIN members m ON m.account_id = a.account_id JOIN parties p ON p.account_id = a.account_id
    WHERE a.created_at IS NOT NULL GROUP BY m.candidate, p.party ORDER BY m.candidate, created_at, party
"""
"""The first sign-up of each party; a customer that adds its seats in one go is no burst."""


def _bursts(engine: Engine) -> list[Finding]:
    """Weigh sign-ups in the same hour: the surplus over hours drawn from all other sign-ups."""
    rows, everyone = engine.table(_SIGNUPS_OF_GROUPS), engine.table(_SIGNUPS)
    hours = everyone["created_at"].cast(pa.int64()).to_numpy() // _BURST_HOUR
    every_hour, sizes = np.unique(hours, return_counts=True)
    return [
        _burst(number, own["created_at"].cast(pa.int64()).to_numpy() // _BURST_HOUR, every_hour, sizes)
        for number, own in each_candidate(rows)
    ]


def _burst(candidate: int, made: Ints, every_hour: Ints, sizes: Ints) -> Finding:
    """Weigh the hours of a group's sign-ups, where ``sizes`` of all fall into ``every_hour``."""
    hours, counts = np.unique(made, return_counts=True)
    others = sizes.copy()
    others[np.searchsorted(every_hour, hours)] -= counts
    others = others[others > 0]
    share = min(len(made) / max(int(others.sum()), 1), 1.0)
    surplus = Surplus(
        observed=float(len(made) - len(hours)),
        expected=float((others * share - 1 + (1 - share) ** others).sum()),
        accounts=int(counts[counts > 1].sum()),
        values=int((counts > 1).sum()),
        known=len(made),
    )
    return Finding(
        candidate=candidate,
        facet="identity",
        signal="signup-burst",
        side="linking",
        llr=surplus.llr,
        observed=surplus.observed,
        expected=surplus.expected,
        accounts=surplus.accounts,
        statement=(
            f"{surplus.accounts:,} of {surplus.known:,} accounts signed up within the same hour as another: "
            f"{surplus.observed:,.0f} beyond the first of each hour, {surplus.expected:,.1f} by chance"
        ),
    )
