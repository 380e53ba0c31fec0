"""Shares that differ from account to account: a beta-binomial fitted to the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from stillwatch.accounts.behaviour import Floats, Ints


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
        mean = float(np.average(share, weights=weight))
        spread = max(float(np.average((share - mean) ** 2, weights=weight)), 1e-3)
        concentration = max(mean * (1 - mean) / spread - 1, 0.2)
        return cls(max(mean * concentration, 0.05), max((1 - mean) * concentration, 0.05))

    @property
    def mean(self) -> float:
        """Return the mean share."""
        return self.alpha / (self.alpha + self.beta)

    def log_likelihood(self, successes: Ints, trials: Ints) -> Floats:
        """Return log P(successes | trials) of each account, without the binomial coefficient."""
        failures = trials - successes
        joint = betaln(successes + self.alpha, failures + self.beta)
        return np.asarray(joint - betaln(self.alpha, self.beta))


def log_binomial(successes: Ints, trials: Ints, share: float | Floats) -> Floats:
    """Return log P(successes | trials, share), without the binomial coefficient."""
    return np.asarray(successes * np.log(share) + (trials - successes) * np.log1p(-np.asarray(share)))
