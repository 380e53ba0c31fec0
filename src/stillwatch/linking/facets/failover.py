"""failover: a pool on standby that takes over when accounts are turned away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import AccountEvent
from stillwatch.engines.compiled import compiled
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

Hours = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

WINDOW: Final = 24.0
"""Hours within which a pool on standby takes over."""

_LEAST: Final = 3
"""With fewer accounts turned away, or fewer that begin soon after, it is chance."""

_ACCOUNTS: Final = f"""
    SELECT p.account, epoch(p.first_seen) / 3600 AS began, r.refused FROM profiles p
    LEFT JOIN (
        SELECT account_id, min(epoch(timestamp)) / 3600 AS refused FROM (
            SELECT s.account_id, s.timestamp
            FROM sketches s JOIN profiles l ON l.account_id = s.account_id
            WHERE s.status IN (401, 403) AND (l.last_served IS NULL OR s.timestamp > l.last_served)
            UNION ALL
            SELECT e.account_id, e.timestamp
            FROM account_events e JOIN profiles l ON l.account_id = e.account_id
            WHERE e.event = '{AccountEvent.ACCOUNT_DISABLED.value}'
                AND (l.last_served IS NULL OR e.timestamp >= l.last_served)
                AND e.timestamp <= (SELECT max(last_seen) FROM profiles)
                AND NOT EXISTS (
                    SELECT 1 FROM account_events n WHERE n.account_id = e.account_id
                        AND n.event = '{AccountEvent.ACCOUNT_ENABLED.value}'
                        AND n.timestamp >= e.timestamp)) t
        GROUP BY account_id) r ON r.account_id = p.account_id
    ORDER BY p.account
"""
"""When each account began, and from when on it was turned away for good, in hours since 1970.

It was where all of its requests were refused, or where it was disabled and is neither enabled nor served
since: who disables an account elsewhere leaves no refusal in the gateway's log.
"""

_MEMBERS: Final = "SELECT candidate, account FROM members ORDER BY candidate, account"


@dataclass(frozen=True)
class Followed:
    """What followed the refusals in one group."""

    turned_away: int  # accounts
    accounts: int  # of the group that began within the window after a refusal
    days: int  # after the first refusal, on which accounts of the group began
    soon: int  # of these, within the window after a refusal
    chance: float  # that an ordinary account's beginning falls there

    @property
    def llr(self) -> float:
        """Return the log-likelihood ratio against ordinary beginnings, the estimated share paid for."""
        share = self.soon / self.days
        if share <= self.chance:
            return 0.0
        other = self.days - self.soon
        rest = other * math.log((1 - share) / (1 - self.chance)) if other else 0.0
        return max(self.soon * math.log(share / self.chance) + rest - math.log(self.days + 1) / 2, 0.0)


class Failover:
    """Accounts that begin soon after others of the group are refused for good."""

    card = FacetCard(
        name="failover",
        shows="accounts of the group begin within a day of others of it being turned away for good",
        honest_twin="resilience routers, which fail over on overload (5xx) and not on a refusal",
        method=(
            "k ln(q/p) + (n - k) ln((1 - q)/(1 - p)) - ln(n + 1)/2: of the n days after the first refusal on "
            "which accounts of the group begin, k lie within 24 hours of one; q = k/n, paid for by the last "
            "term (Schwarz 1978). Ordinary traffic: p, the share of all other accounts' beginnings after the "
            "first refusal that lie within 24 hours of one. By hand: the 24 hours, at least 3 accounts "
            "turned away and 3 that follow, the cap"
        ),
        side="extraction",
        cap=4.0,
        dispatch=True,
        signals=(
            FacetSignal(
                "pool-failover",
                "accounts begin within a day of others of the group being turned away (401, 403) or disabled "
                "for good",
                "a class or a launch that begins on the day on which a few keys expire",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: taking over belongs to groups, not to pairs."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of pools that took over."""
        return findings_table(
            _finding(candidate, followed)
            for candidate, followed in followed_refusals(engine).items()
            if followed.llr
        )


def _finding(candidate: int, followed: Followed) -> Finding:
    expected = followed.days * followed.chance
    return Finding(
        candidate=candidate,
        facet="failover",
        signal="pool-failover",
        side="extraction",
        llr=followed.llr,
        observed=float(followed.soon),
        expected=expected,
        accounts=followed.accounts,
        statement=(
            f"{followed.turned_away:,} accounts were turned away for good; {followed.accounts:,} others of "
            f"the group began within a day of that, on {followed.soon:,} of the {followed.days:,} days on "
            f"which any began after it; {expected:,.1f} would by chance"
        ),
    )


def followed_refusals(engine: Engine) -> dict[int, Followed]:
    """Return what followed the refusals in each candidate in which enough accounts were turned away.

    Beginnings of a group are counted by the day, since a class or a launch brings many at once. To the
    others one of either kind is added, so that the chance is never nought or one.
    """
    accounts, members = engine.table(_ACCOUNTS), engine.table(_MEMBERS)
    began = accounts["began"].to_numpy()
    everybody = np.sort(began)
    refused = accounts["refused"].to_numpy(zero_copy_only=False)
    row = pc.index_in(members["account"], accounts["account"].combine_chunks())
    present = row.is_valid().to_numpy(zero_copy_only=False)
    rows, candidate = row.drop_null().to_numpy(), members["candidate"].to_numpy()[present]
    found = {
        int(number): _followed(began, refused, group, everybody)
        for number, group in zip(*_grouped(candidate, rows), strict=True)
    }
    return {number: followed for number, followed in found.items() if followed is not None}


def _grouped(candidate: Rows, rows: Rows) -> tuple[Rows, list[Rows]]:
    """Return the candidates, which are in order, and the rows of each."""
    numbers, starts = np.unique(candidate, return_index=True)
    return numbers, np.split(rows, starts[1:]) if len(numbers) else []


def _followed(began: Hours, refused: Hours, group: Rows, everybody: Hours) -> Followed | None:
    ends = np.sort(refused[group][~np.isnan(refused[group])])
    if len(ends) < _LEAST:
        return None
    own = began[group]
    later = np.sort(own[own > ends[0]])
    soon = _soon(later, ends)
    if soon.sum() < _LEAST:
        return None
    after = everybody[np.searchsorted(everybody, ends[0], side="right") :]
    _, first = np.unique(np.floor((later - ends[0]) / 24), return_index=True)
    chance = (_count_soon(after, ends) - soon.sum() + 1) / (len(after) - len(later) + 2)
    return Followed(len(ends), int(soon.sum()), len(first), int(soon[first].sum()), float(chance))


@compiled
def _count_soon(began: Hours, ends: Hours) -> int:
    """Return how many of all accounts began as :func:`_soon` says; both are in order."""
    before, count = 0, 0
    for one in began:
        while before + 1 < len(ends) and ends[before + 1] <= one:
            before += 1
        if ends[before] <= one and one - ends[before] <= WINDOW:
            count += 1
    return count


def _soon(began: Hours, ends: Hours) -> npt.NDArray[np.bool_]:
    """Return which of the accounts began within the window after the latest refusal before it."""
    before = np.searchsorted(ends, began, side="right") - 1
    return np.asarray((before >= 0) & (began - ends[np.maximum(before, 0)] <= WINDOW))
