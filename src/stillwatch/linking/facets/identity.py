"""identity: cards, devices, phones and mail domains that accounts share, and sign-ups in bursts."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.engines.compiled import compiled
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table
from stillwatch.linking.facets.groups import Groups, Ints
from stillwatch.linking.facets.holdings import shared_values
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus

SHARED: Final = {
    "payment-shared": ("payment_fp", "payment card"),
    "device-shared": ("device_fp", "device"),
    "phone-shared": ("phone_fp", "telephone number"),
    "email-pattern": ("CASE WHEN email_kind = 'own' THEN email_domain_fp END", "private mail domain"),
    "signup-network": ("signup_network_fp", "sign-up network"),
}
"""Signal -> (what is shared, as a column of the account records, and what one is called)."""

_BURST_HOUR: Final = 3_600_000_000  # microseconds


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
            for signal, (column, _) in SHARED.items()
        )

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of sharing and of sign-up bursts."""
        groups = Groups.read(engine)
        found = [
            _finding(candidate, signal, words, surplus)
            for signal, (column, words) in SHARED.items()
            for candidate, surplus in weigh_surplus(engine, groups, _holdings(column)).items()
            if surplus.values
        ]
        return findings_table([*found, *_bursts(engine, groups)])


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
    SELECT p.account, a.created_at FROM accounts a JOIN parties p ON p.account_id = a.account_id
    WHERE a.created_at IS NOT NULL ORDER BY p.account
"""
_NEVER: Final = 1 << 62


def _bursts(engine: Engine, groups: Groups) -> list[Finding]:
    """Weigh sign-ups in the same hour: the surplus over hours drawn from all other sign-ups.

    Of each party its first counts: a customer that adds its seats in one go is no burst.
    """
    signups, made = engine.table(_SIGNUPS), np.full(len(groups.party), _NEVER)
    made[signups["account"].to_numpy()] = signups["created_at"].cast(pa.int64()).to_numpy() // _BURST_HOUR
    first = np.full(groups.party.max(initial=-1) + 1, _NEVER)
    np.minimum.at(first, groups.party, made)
    every_hour, sizes = np.unique(first[first < _NEVER], return_counts=True)
    hours, ends = _first_hours(groups.ends, groups.accounts, groups.party, made)
    return [
        _burst(candidate, hours[start:end], every_hour, sizes)
        for candidate, (start, end) in zip(groups.candidates.tolist(), pairwise(ends.tolist()), strict=True)
        if start < end
    ]


@compiled
def _first_hours(ends: Ints, accounts: Ints, party: Ints, made: Ints) -> tuple[Ints, Ints]:
    """Return the hour of each candidate's parties in which the first of its accounts there was made.

    Then where each candidate's end, after a 0.
    """
    hours, where, found = np.empty(len(accounts), np.int64), np.zeros(len(ends), np.int64), 0
    for number in range(len(ends) - 1):
        last = -1
        for account in accounts[ends[number] : ends[number + 1]]:
            if made[account] < _NEVER and party[account] == last:
                hours[found - 1] = min(hours[found - 1], made[account])
            elif made[account] < _NEVER:
                hours[found], last, found = made[account], party[account], found + 1
        where[number + 1] = found
    return hours[:found], where


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
