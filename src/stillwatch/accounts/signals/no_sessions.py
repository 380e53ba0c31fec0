"""no-sessions: requests spread out by a dispatcher, where people come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.signals.beta_binomial import BetaBinomial, log_binomial
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

SESSION_GAP_SECONDS: Final = 1800
_MICROSECONDS: Final = 1_000_000


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


@dataclass(frozen=True)
class _Weigher:
    ordinary: BetaBinomial

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        trials, resumed = group.standalone, group.resumed
        span = max(int(group.last_seen.max() - group.first_seen.min()) / _MICROSECONDS, 1.0)
        rate = _weighted_median(group.total.astype(np.float64), core + 1e-9) / span
        expected = min(-np.expm1(-rate * SESSION_GAP_SECONDS) + 0.02, 0.9)
        spread = log_binomial(resumed, trials, expected)
        return np.asarray(spread - self.ordinary.log_likelihood(resumed, trials))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share = float(members.resumed.sum() / max(members.standalone.sum(), 1))
        return Observation(
            observed=share,
            expected=self.ordinary.mean,
            statement=(
                f"{share:.0%} of the dialogues begin within half an hour of the account's last; "
                f"{self.ordinary.mean:.0%} for an ordinary account"
            ),
        )


class NoSessions:
    """Requests that follow one another no closer than an even spread would make them."""

    card = SignalCard(
        id="no-sessions",
        shows="requests do not come in sittings: they lie as far apart as a queue spreads them",
        honest_twin="people who ask one thing now and then",
        method=(
            "binomial log-likelihood of the dialogues that begin within half an hour of the account's last, "
            "at the share that a Poisson process of the group's median rate gives, 0.02 added, 0.9 at most, "
            "against a beta-binomial (Skellam 1948). Ordinary traffic: the same share of all accounts of the "
            "log, whatever they do and when, fitted by moments. By hand: the half hour, the 0.02 and 0.9, "
            "caps and floors"
        ),
        facet="sampling",
        side="extraction",
        cap=2.0,
        floor=-6.0,
        group_cap=3.0,
        group_floor=-4.0,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Fit how often ordinary accounts go on within half an hour."""
        return _Weigher(BetaBinomial.fit(ordinary.resumed, ordinary.standalone))
