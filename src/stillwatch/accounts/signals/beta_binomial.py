"""Shares that differ from account to account: a beta-binomial fitted to the log."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Floats, Ints
from stillwatch.engines.compiled import compiled

_FEW: Final = 16
"""Factors of a rising factorial up to which multiplying them is the quickest way to it."""


@dataclass(frozen=True)
class BetaBinomial:
    """Successes out of trials where each account has a share of its own, Beta(alpha, beta)."""

    alpha: float
    beta: float

    @classmethod
    def fit(cls, successes: Ints, trials: Ints, weights: Floats | None = None) -> BetaBinomial:
        """Fit by moments of the accounts' shares (Skellam 1948), at least one trial each.

        ``weights`` says how far each account counts; all count alike without it.

        Without two accounts nothing is known: the uniform prior is returned.
        """
        chosen = trials > 0
        if chosen.sum() < 2:
            return cls(1.0, 1.0)
        share = (successes[chosen] + 0.5) / (trials[chosen] + 1.0)
        weight = np.ones(len(share)) if weights is None else weights[chosen] + 1e-9
        mean = float((share * weight).sum() / weight.sum())
        spread = max(float(((share - mean) ** 2 * weight).sum() / weight.sum()), 1e-3)
        concentration = max(mean * (1 - mean) / spread - 1, 0.2)
        return cls(max(mean * concentration, 0.05), max((1 - mean) * concentration, 0.05))

    @property
    def mean(self) -> float:
        """Return the mean share."""
        return self.alpha / (self.alpha + self.beta)

    def log_likelihood(self, successes: Ints, trials: Ints) -> Floats:
        """Return log P(successes | trials) of each account, without the binomial coefficient."""
        share = np.full(len(trials), self.mean)
        return log_beta_binomial(successes, trials, share, self.alpha + self.beta)


def log_binomial(successes: Ints, trials: Ints, share: float | Floats) -> Floats:
    """Return log P(successes | trials, share), without the binomial coefficient."""
    return np.asarray(successes * np.log(share) + (trials - successes) * np.log1p(-np.asarray(share)))


@compiled
def log_beta_binomial(successes: Ints, trials: Ints, share: Floats, concentration: float) -> Floats:
    """Return log P(successes | trials) of accounts that lie around a share each, without the coefficient.

    Their shares are Beta(share * concentration, (1 - share) * concentration).
    """
    found = np.empty(len(trials))
    for row in range(len(trials)):
        alpha, beta = share[row] * concentration, (1 - share[row]) * concentration
        ways = _log_rising(alpha, successes[row]) + _log_rising(beta, trials[row] - successes[row])
        found[row] = ways - _log_rising(concentration, trials[row])
    return found


@compiled
def _log_rising(start: float, factors: int) -> float:
    """Return the logarithm of ``start (start + 1) (start + 2) ...``, of so many factors."""
    if factors > _FEW:
        return math.lgamma(start + factors) - math.lgamma(start)
    product = 1.0
    for step in range(factors):
        product *= start + step
    return math.log(product)
