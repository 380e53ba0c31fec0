"""even-load: accounts that all do the same share of the work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammaln, xlog1py

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.ordinary import Ordinary, Uses
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher
from stillwatch.accounts.signals.stretches import Stretches

_QUEUE_DISPERSIONS: Final = (0.05, 0.1, 0.2, 0.4)
"""Squared coefficients of variation, beyond Poisson, of rates that one dispatcher evens out.

The likeliest of them speaks: some operators deal out evenly, others by what an account may carry.
"""

_ORDINARY_DISPERSIONS: Final = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""The same of accounts that use one scaffold and are not fed; campaigns are in the log too: at least 0.5."""

_UNKNOWN_DISPERSION: Final = 1.0
_UNKNOWN_ACCOUNTS: Final = 50
"""Where little is known: rates spread as an exponential, with doubt worth fifty accounts."""


def _mean_behind(truncated_mean: float) -> float:
    """Return the Poisson mean whose zero-truncated mean is given (fixed point of m/(1-exp(-m)))."""
    mean = max(truncated_mean, 1.0 + 1e-3)
    for _ in range(60):
        mean = truncated_mean * -math.expm1(-mean)
    return max(mean, 1e-3)


def _typical(counts: Ints, weights: Floats) -> float:
    """Return the weighted mean of the counts, those beyond three times the median pulled in."""
    order = np.argsort(counts, kind="stable")
    total = np.cumsum(weights[order])
    median = counts[order][np.searchsorted(total, total[-1] / 2)]
    return float((np.minimum(counts, 3 * median + 2) * weights).sum() / weights.sum())


def ordinary_dispersion(uses: Uses) -> float:
    """Return the dispersion that fits the scaffold of the median account best.

    Zero-truncated negative binomial, around each scaffold's own pace, by maximum likelihood. The median
    over accounts: a scaffold with one who makes thousands of requests has no say for all others.
    """
    found = [(_UNKNOWN_DISPERSION, _UNKNOWN_ACCOUNTS)]
    found += [(_likeliest(counts), len(counts)) for counts in uses.by_scaffold()]
    dispersions, accounts = np.array(sorted(found)).T
    total = np.cumsum(accounts)
    return float(dispersions[np.searchsorted(total, total[-1] / 2)])


def _likeliest(counts: Ints) -> float:
    pace = _mean_behind(_typical(counts, np.ones(len(counts))))
    size = 1 / np.array(_ORDINARY_DISPERSIONS)[:, None]
    part = size / (size + pace)
    seen = -np.expm1(size * np.log(part))
    sums = (_log_probability(counts, size, part) - np.log(seen)).sum(axis=1)
    return _ORDINARY_DISPERSIONS[int(np.argmax(sums))]


def _log_probability(counts: Ints, size: Floats, part: Floats) -> Floats:
    """Return the negative binomial log-probability of ``counts``, without the half second of scipy.stats."""
    ways = gammaln(size + counts) - gammaln(counts + 1) - gammaln(size)
    return np.asarray(ways + size * np.log(part) + xlog1py(counts, -part))


@dataclass(frozen=True)
class _Weigher(Weigher):
    ordinary: float

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        pace = _mean_behind(_typical(group.exchanges, core + 1e-9))
        stretches = Stretches.of(group, core)
        *dealt, ordinary = stretches.log_likelihoods(pace, (*_QUEUE_DISPERSIONS, self.ordinary))
        even = max(dealt, key=lambda likelihood: float((np.maximum(likelihood, -20.0) * core).sum()))
        return np.asarray(even - ordinary)

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        mean, spread = float(members.exchanges.mean()), float(members.exchanges.std())
        return Observation(
            observed=spread / mean,
            expected=float(np.sqrt(self.ordinary + 1 / mean)),
            statement=(
                f"the accounts made {mean:,.0f} requests each, give or take {spread:,.0f}; unrelated "
                f"accounts would differ by {mean * np.sqrt(self.ordinary + 1 / mean):,.0f}"
            ),
        )


class EvenLoad:
    """Volumes as alike as only a dispatcher makes them."""

    card = SignalCard(
        id="load-balanced",
        shows="the accounts of the group do nearly the same number of requests each",
        honest_twin="a class that works through one sheet; one customer's worker pool on several keys",
        method=(
            "zero-truncated negative binomial log-likelihood (Greenwood & Yule 1920) of the account's "
            "volume, around the pace of the group: at the dispersion of 0.05, 0.1, 0.2 and 0.4 that fits the "
            "members best, as one queue deals out, against that of ordinary traffic. Who joined late "
            "or left early is measured by its time there: the sum over the whole time (weight 1/2) and over "
            "all later beginnings and earlier ends (1/4 each), on both sides alike. Ordinary traffic: the "
            "dispersion of 0.5 to 4 that is likeliest for those who use the same scaffold, the median of all "
            "accounts' scaffolds of at least 8 users, with doubt worth 50 accounts at 1. By hand: these "
            "dispersions, weights and the doubt, at least 3 requests for a part of the time, counts pulled "
            "in beyond three times the median, caps and floors"
        ),
        facet="tempo",
        side="either",
        cap=2.0,
        floor=-4.0,
        group_cap=5.0,
        group_floor=-0.7,  # every other operator deals out unevenly
        lean=0.5,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Estimate how much accounts differ that use one scaffold."""
        return _Weigher(ordinary_dispersion(ordinary.uses))
