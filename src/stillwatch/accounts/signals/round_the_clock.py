"""round-the-clock: an account without a human day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logsumexp

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

_CONCENTRATIONS: Final = (0.7, 1.5, 3.0)
"""Von Mises concentrations of human days: loose, ordinary, strict office hours."""

_MIN_CELLS: Final = 4
"""Hours with traffic below which an account says nothing of the ordinary."""

_ROUNDS: Final = 30
_FLAT_FLOOR: Final = 0.02
"""However human a log looks, one account in fifty may be a machine that we have not seen."""


def _human_days() -> Floats:
    """Return log-probabilities of hours, shape (concentrations, 24 phases, 24 hours)."""
    angle = 2 * np.pi * (np.arange(24)[None, :] - np.arange(24)[:, None]) / 24
    shapes = np.array([kappa * np.cos(angle) for kappa in _CONCENTRATIONS])
    return np.asarray(shapes - logsumexp(shapes, axis=2, keepdims=True))


_LOG_DAYS: Final = _human_days()


def _log_likelihoods(hours: Floats) -> Floats:
    """Return log-likelihoods of each account's hours: column 0 no day, then one a concentration.

    The phase of a human day is unknown (time zones), so it is averaged out.
    """
    flat = hours.sum(axis=1) * -np.log(24)
    days = [logsumexp(hours @ days.T, axis=1) - np.log(24) for days in _LOG_DAYS]
    return np.stack([flat, *days], axis=1)


def _fit_weights(likelihoods: Floats) -> Floats:
    """Return the log-weights of the components by expectation maximisation (Dempster et al. 1977)."""
    weights = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    for _ in range(_ROUNDS):
        joint = likelihoods + np.log(weights)
        weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).mean(axis=0)
        weights = np.maximum(weights, 1e-6)
        weights /= weights.sum()
    weights[0] = max(weights[0], _FLAT_FLOOR)
    return np.asarray(np.log(weights / weights.sum()))


@dataclass(frozen=True)
class _Weigher:
    log_weights: Floats
    quiet: float  # share of an ordinary account's quietest eight hours

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        likelihoods = _log_likelihoods(group.hours.astype(np.float64))
        return np.asarray(likelihoods[:, 0] - logsumexp(likelihoods + self.log_weights, axis=1))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        quiet = _quiet_share(members.hours)
        return Observation(
            observed=quiet,
            expected=self.quiet,
            statement=(
                f"each account's quietest eight hours of the day hold {quiet:.0%} of its active hours; "
                f"{self.quiet:.0%} for an ordinary account, 33% if it never rests"
            ),
        )


def _quiet_share(hours: Ints) -> float:
    """Return the mean share of the quietest eight hours in a row, accounts weighted by active hours.

    With few active hours some eight hours are quiet by chance, so each account's share is compared to
    others with it only in the mean.
    """
    around = np.concatenate([hours, hours[:, :7]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(around, 8, axis=1).sum(axis=2)
    total = hours.sum()
    return float(windows.min(axis=1).sum() / total) if total else 0.0


class RoundTheClock:
    """Hours of the day spread as no person's are."""

    card = SignalCard(
        id="round-the-clock",
        shows="the account's hours of the day have no quiet time, whatever the time zone",
        honest_twin="scheduled jobs and evaluation runs",
        method=(
            "log P(hours | uniform) - log P(hours | ordinary mixture); ordinary accounts are a mixture of "
            "von Mises days of unknown phase (Mardia & Jupp, Directional Statistics) and of uniform ones, "
            "its weights fitted to the log by expectation maximisation"
        ),
        facet="sampling",
        cap=3.0,
        floor=-3.0,
        group_cap=5.0,
        group_floor=-4.0,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Fit the mixture of days to the accounts that have hours enough to show one."""
        telling = ordinary.where(ordinary.hours.sum(axis=1) >= _MIN_CELLS)
        likelihoods = _log_likelihoods(telling.hours.astype(np.float64))
        if not len(telling):
            return _Weigher(np.log(np.full(1 + len(_CONCENTRATIONS), 1 / (1 + len(_CONCENTRATIONS)))), 0.0)
        return _Weigher(_fit_weights(likelihoods), _quiet_share(telling.hours))
