"""identity: cards, devices, phones and mail domains that accounts share, and sign-ups in bursts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table
from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus
from stillwatch.linking.facets.windows import SAME_TIME, Windows

SHARED: Final = {
    "payment-shared": ("payment_fp", "payment card"),
    "device-shared": ("device_fp", "device"),
    "phone-shared": ("phone_fp", "telephone number"),
    "email-pattern": ("CASE WHEN email_kind = 'own' THEN email_domain_fp END", "private mail domain"),
    "signup-network": ("signup_network_fp", "sign-up network"),
}
"""Signal -> (what is shared, as a column of the account records, and what one is called)."""


def _holdings(column: str) -> str:
    return f"""
        SELECT {column} AS fp, p.account FROM accounts a JOIN parties p ON p.account_id = a.account_id
        WHERE {column} IS NOT NULL
    """


_SIGNUPS: Final = """
    SELECT CAST(floor(epoch(a.created_at) / 3600) AS BIGINT) AS fp, p.account
    FROM accounts a JOIN parties p ON p.account_id = a.account_id WHERE a.created_at IS NOT NULL
"""
"""Hours are held as cards are: a customer that adds its seats in one go is one party, and no burst."""


class Identity:
    """Accounts that were made by one hand."""

    card = FacetCard(
        name="identity",
        shows="cards, devices, telephone numbers, mail domains, sign-up networks and sign-up hours in common",
        honest_twin="offices, families, schools and resellers",
        method=(
            "m ln(m / e) - (m - e) for m accounts that share a value with another one of the group "
            "where chance has e, 0 where m is at most e (Poisson log-likelihood ratio, Kulldorff "
            "1997), each signal by itself. Ordinary traffic: the other accounts at work in the same "
            "time of which such a value is known, as a random draw of as many would share it or the "
            "hour of their sign-up; hubs lose weight because chance expects them. "
            f"{SAME_TIME}. By hand: these figures, e at least 0.5, the cap"
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
            for signal, (column, _) in SHARED.items()
        )

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of sharing and of sign-up bursts."""
        groups = Groups.read(engine)
        windows = Windows.read(engine, groups)
        weighed = (
            (signal, what, weigh_surplus(engine, groups, windows, holdings))
            for signal, what, holdings in _weighed()
        )
        return findings_table(
            _finding(candidate, signal, what, surplus)
            for signal, what, surpluses in weighed
            for candidate, surplus in surpluses.items()
            if surplus.values
        )


def _weighed() -> Iterator[tuple[str, str, str]]:
    """Yield of each signal its id, what the accounts do, and who holds what."""
    for signal, (column, what) in SHARED.items():
        yield signal, f"accounts share {{}} {what}{{}}", _holdings(column)
    yield "signup-burst", "accounts signed up within the same hour as another", _SIGNUPS


def _finding(candidate: int, signal: str, what: str, surplus: Surplus) -> Finding:
    shared = what.format(f"{surplus.values:,}", "" if surplus.values == 1 else "s")
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
            f"{surplus.accounts:,} of {surplus.known:,} {shared}: {surplus.observed:,.0f} beyond the first "
            f"of each, {surplus.expected:,.1f} by chance among all {surplus.ordinary}"
        ),
    )
