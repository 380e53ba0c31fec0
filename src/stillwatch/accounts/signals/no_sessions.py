"""no-sessions: requests spread out by a dispatcher, where people come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.beta_binomial import BetaBinomial, log_beta_binomial, log_binomial
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher
from stillwatch.accounts.signals.stretches import own_time

SESSION_GAP_SECONDS: Final = 1800
_MICROSECONDS: Final = 1_000_000

_RUSH: Final = (1.0, 1.5, 2.5)
"""How much busier than on average it is when a queue deals a request out: hours differ, nights may rest."""

_CONCENTRATION: Final = 50.0
"""How alike the accounts of one queue are in this, as the two parameters of a beta distribution together."""


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


@dataclass(frozen=True)
class _Weigher(Weigher):
    ordinary: BetaBinomial

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        trials, resumed = group.standalone, group.resumed
        # Busy accounts begin soon after their last however evenly they are fed: it excuses, and accuses not.
        own = group.total * trials / np.maximum(group.exchanges, 1) / own_time(group, core)
        busy = [log_beta_binomial(resumed, trials, _share(own * rush), _CONCENTRATION) for rush in _RUSH]
        likeliest = max(busy, key=lambda likelihood: float((np.maximum(likelihood, -20.0) * core).sum()))
        excuse = np.minimum(likeliest - self.ordinary.log_likelihood(resumed, trials), 0.0)
        return np.asarray(np.maximum(self._even(group, core), excuse))

    def evidence(self, group: Behaviour, core: Floats, ratio: Floats) -> Floats:
        """See :class:`Weigher`."""
        return self._even(group, core)

    def _even(self, group: Behaviour, core: Floats) -> Floats:
        """Return the ratio of accounts that one queue feeds at the group's pace."""
        trials, resumed = group.standalone, group.resumed
        even = log_binomial(resumed, trials, _share(_pace(group, core)))
        return np.asarray(even - self.ordinary.log_likelihood(resumed, trials))

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


def _pace(group: Behaviour, core: Floats) -> float:
    """Return the group's median requests for each microsecond of its time."""
    span = max(int(group.last_seen.max() - group.first_seen.min()), _MICROSECONDS)
    return _weighted_median(group.total.astype(np.float64), core + 1e-9) / span


def _share(rate: float | Floats) -> Floats:
    """Return how many begin within the gap after another, of requests at this rate in a microsecond."""
    return np.asarray(
        np.minimum(-np.expm1(-np.asarray(rate) * SESSION_GAP_SECONDS * _MICROSECONDS) + 0.02, 0.9)
    )


class NoSessions:
    """Requests that follow one another no closer than an even spread would make them."""

    card = SignalCard(
        id="no-sessions",
        shows="requests do not come in sittings: they lie as far apart as a queue spreads them",
        honest_twin="people who ask one thing now and then",
        method=(
            "max(e - o, min(b - o, 0)) for the log-probability of the dialogues that begin within half an "
            "hour of the account's last, and e - o alone for the group: e binomial, at the share that a "
            "Poisson process of the group's median rate gives; b, which excuses busy accounts, beta-binomial "
            "(Skellam 1948) around the share of the account's own rate in its time there, at 1, 1.5 or 2.5 "
            "times that rate, whichever fits the members best; o of an ordinary account. Ordinary traffic: a "
            "beta-binomial of the same share of all accounts of the log, whatever they do and when, fitted "
            "by moments. By hand: the half hour, 0.02 added to the share and 0.9 at most, the three factors, "
            "alpha + beta of 50, caps and floors"
        ),
        facet="sampling",
        side="extraction",
        cap=2.0,
        floor=-6.0,
        group_cap=3.0,
        group_floor=-4.0,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit how often ordinary accounts go on within half an hour."""
        return _Weigher(BetaBinomial.fit(ordinary.whole.resumed, ordinary.whole.standalone))
