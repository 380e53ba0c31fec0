"""round-the-clock: an account without a day of its own."""

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

_SMOOTHING: Final = 24.0
"""Hours of evenly spread traffic that a group's own clock starts from."""


def _human_days() -> Floats:
    """Return log-probabilities of hours, shape (concentrations, 24 phases, 24 hours)."""
    angle = 2 * np.pi * (np.arange(24)[None, :] - np.arange(24)[:, None]) / 24
    shapes = np.array([kappa * np.cos(angle) for kappa in _CONCENTRATIONS])
    return np.asarray(shapes - logsumexp(shapes, axis=2, keepdims=True))


_LOG_DAYS: Final = _human_days()


def _log_clock(hours: Floats) -> Floats:
    """Return the log-probabilities of a smoothed clock that shows these hours, along the last axis."""
    smoothed = hours + _SMOOTHING / 24
    return np.asarray(np.log(smoothed / smoothed.sum(axis=-1, keepdims=True)))


def _flat(hours: Floats) -> Floats:
    return np.asarray(hours.sum(axis=1) * -np.log(24))


def _ordinary_likelihoods(hours: Floats, common_clock: Floats) -> Floats:
    """Return log-likelihoods of each account's hours under the kinds of ordinary account.

    Column 0: no day at all; 1: hours drawn from everybody's clock; then a day of its own, one column
    for each concentration. The phase of a day is unknown (time zones), so it is averaged out.
    """
    days = [logsumexp(hours @ days.T, axis=1) - np.log(24) for days in _LOG_DAYS]
    return np.stack([_flat(hours), hours @ common_clock, *days], axis=1)


def _fit_weights(likelihoods: Floats) -> Floats:
    """Return the log-weights of the components by expectation maximisation (Dempster et al. 1977)."""
    weights = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    for _ in range(_ROUNDS if len(likelihoods) else 0):
        joint = likelihoods + np.log(weights)
        weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).mean(axis=0)
        weights = np.maximum(weights, 1e-6)
        weights /= weights.sum()
    weights[0] = max(weights[0], _FLAT_FLOOR)
    return np.asarray(np.log(weights / weights.sum()))


@dataclass(frozen=True)
class _Weigher:
    log_weights: Floats
    common_clock: Floats
    quiet: float  # share of an ordinary account's quietest eight hours

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        hours = group.hours.astype(np.float64)
        weighed = hours * (core / max(float(core.max()), 1e-12))[:, None]
        others = weighed.sum(axis=0) - weighed  # an account is not measured by a clock that it set itself
        one_clock = (hours * _log_clock(others)).sum(axis=1)
        ordinary = logsumexp(_ordinary_likelihoods(hours, self.common_clock) + self.log_weights, axis=1)
        # Operators keep office hours, and so do offices: one clock for all excuses, it does not accuse.
        return np.asarray(np.maximum(_flat(hours) - ordinary, np.minimum(one_clock - ordinary, 0.0)))

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
    """Return the mean share of the quietest eight hours in a row, accounts weighted by active hours."""
    around = np.concatenate([hours, hours[:, :7]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(around, 8, axis=1).sum(axis=2)
    total = hours.sum()
    return float(windows.min(axis=1).sum() / total) if total else 0.0


class RoundTheClock:
    """Hours of the day spread as no person's are: evenly, or by one clock for all accounts."""

    card = SignalCard(
        id="round-the-clock",
        shows="the account has no day of its own: no quiet time, or just the hours of the whole group",
        honest_twin="scheduled jobs and evaluation runs; colleagues of one office keep the same hours",
        method=(
            "log P(hours | uniform) - log P(hours | ordinary mixture), nothing where the clock of the "
            "group's other accounts explains the hours; ordinary accounts are a mixture of von Mises days "
            "of unknown phase (Mardia & Jupp, Directional Statistics), of everybody's clock and of uniform "
            "hours, its weights fitted to the log by expectation maximisation"
        ),
        facet="sampling",
        side="extraction",
        cap=3.0,
        floor=-3.0,
        group_cap=5.0,
        group_floor=-8.0,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Fit the mixture of days to the accounts that have hours enough to show one."""
        telling = ordinary.where(ordinary.hours.sum(axis=1) >= _MIN_CELLS)
        clock = _log_clock(ordinary.hours.sum(axis=0).astype(np.float64))
        likelihoods = _ordinary_likelihoods(telling.hours.astype(np.float64), clock)
        return _Weigher(_fit_weights(likelihoods), clock, _quiet_share(telling.hours))
