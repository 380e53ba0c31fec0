"""failover: a pool on standby that takes over when accounts are turned away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

Hours = npt.NDArray[np.float64]

WINDOW: Final = 24.0
"""Hours within which a pool on standby takes over."""

_LEAST: Final = 3
"""With fewer accounts turned away, or fewer hours in which others begin, it is chance."""

_SERVED: Final = """
    SELECT account_id, max(timestamp) AS last FROM sketches
    WHERE status IS NULL OR status NOT IN (401, 403) GROUP BY account_id
"""
_ACCOUNTS: Final = f"""
    SELECT s.account_id, min(epoch(s.timestamp)) / 3600 AS began,
           min(CASE WHEN s.status IN (401, 403) AND (l.last IS NULL OR s.timestamp > l.last)
               THEN epoch(s.timestamp) END) / 3600 AS refused
    FROM sketches s LEFT JOIN ({_SERVED}) l ON l.account_id = s.account_id
    GROUP BY s.account_id ORDER BY s.account_id
"""
"""When each account began, and from when on all of its requests were refused, in hours since 1970."""

_MEMBERS: Final = "SELECT candidate, account_id FROM members ORDER BY candidate, account_id"


@dataclass(frozen=True)
class Followed:
    """What followed the refusals in one group."""

    turned_away: int  # accounts
    began: int  # distinct hours after the first refusal in which an account of the group began
    soon: int  # of these, within the window after a refusal
    chance: float  # that an ordinary account's beginning falls there

    @property
    def llr(self) -> float:
        """Return the log-likelihood ratio against ordinary beginnings, the estimated share paid for."""
        share = self.soon / self.began
        if share <= self.chance:
            return 0.0
        other = self.began - self.soon
        rest = other * math.log((1 - share) / (1 - self.chance)) if other else 0.0
        return max(self.soon * math.log(share / self.chance) + rest - 0.5 * math.log(self.began), 0.0)


class Failover:
    """Accounts that begin soon after others of the group are refused for good."""

    card = FacetCard(
        name="failover",
        shows="accounts of the group begin within a day of others of it being turned away for good",
        honest_twin="resilience routers, which fail over on overload (5xx) and not on a refusal",
        method=(
            "k ln(q/p) + (n - k) ln((1 - q)/(1 - p)) - ln(n)/2: of the n hours after the first refusal in "
            "which accounts of the group begin, k lie within a day of one; q = k/n, paid for by ln(n)/2 "
            "(Schwarz 1978), and p is the same share of all other accounts' beginnings"
        ),
        side="extraction",
        cap=4.0,
        dispatch=True,
        signals=(
            FacetSignal(
                "pool-failover",
                "accounts begin within a day of others of the group being turned away (401, 403) for good",
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
    expected = followed.began * followed.chance
    return Finding(
        candidate=candidate,
        facet="failover",
        signal="pool-failover",
        side="extraction",
        llr=followed.llr,
        observed=float(followed.soon),
        expected=expected,
        accounts=followed.turned_away,
        statement=(
            f"{followed.turned_away:,} accounts were turned away for good; of the {followed.began:,} hours "
            f"after that in which others of the group began {followed.soon:,} lie within a day of a refusal, "
            f"{expected:,.1f} would by chance"
        ),
    )


def followed_refusals(engine: Engine) -> dict[int, Followed]:
    """Return what followed the refusals in each candidate in which enough accounts were turned away.

    Beginnings are counted by the hour, since a class or a launch brings many at once. The chance is the
    part of all other accounts' beginnings after the group's first refusal that falls within the same
    window (one more of either kind added, so that it is never nought or one).
    """
    accounts = engine.table(_ACCOUNTS)
    began = accounts["began"].to_numpy()
    refused = accounts["refused"].to_numpy(zero_copy_only=False)
    row = {name: number for number, name in enumerate(accounts["account_id"].to_pylist())}
    found = {}
    for candidate, members in _members(engine, row).items():
        ends = np.sort(refused[members][~np.isnan(refused[members])])
        if len(ends) < _LEAST:
            continue
        own = np.unique(np.floor(_after(began[members], ends[0])))
        if len(own) < _LEAST:
            continue
        others = _after(np.delete(began, members), ends[0])
        chance = (_soon(others, ends) + 1) / (len(others) + 2)
        found[candidate] = Followed(len(ends), len(own), _soon(own + 1, ends), chance)
    return found


def _members(engine: Engine, row: dict[str, int]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for entry in engine.table(_MEMBERS).to_pylist():
        if entry["account_id"] in row:
            members.setdefault(entry["candidate"], []).append(row[entry["account_id"]])
    return members


def _after(began: Hours, first: float) -> Hours:
    return began[began > first]


def _soon(began: Hours, ends: Hours) -> int:
    """Count what begins within the window after the latest refusal before it."""
    before = np.searchsorted(ends, began, side="right") - 1
    return int(np.sum((before >= 0) & (began - ends[np.maximum(before, 0)] <= WINDOW)))
