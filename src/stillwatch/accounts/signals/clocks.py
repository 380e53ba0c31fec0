"""Hours of the day: what ordinary accounts' clocks look like, fitted to the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self, cast
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import logsumexp

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.signals.log_sum import log_sum

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


def log_clock(hours: Floats) -> Floats:
    """Return the log-probabilities of a smoothed clock that shows these hours, along the last axis."""
    smoothed = hours + _SMOOTHING / 24
    return np.asarray(np.log(smoothed / smoothed.sum(axis=-1, keepdims=True)))


def busiest_hours(hours: Ints) -> Ints:
    """Return the eight hours of the day in which the accounts together are most active."""
    return np.asarray(np.argsort(hours.sum(axis=0), kind="stable")[-8:])


def share_in(chosen: Ints, hours: Ints) -> float:
    """Return the share of the accounts' active hours that lie in the chosen ones."""
    together = hours.sum(axis=0)
    return float(together[chosen].sum() / max(together.sum(), 1))


def flat(hours: Floats) -> Floats:
    """Return the log-likelihood of each account's hours where none is likelier than another."""
    return np.asarray(hours.sum(axis=1) * -np.log(24))


def _ordinary_likelihoods(hours: Floats, common_clock: Floats) -> Floats:
    """Return log-likelihoods of each account's hours under the kinds of ordinary account.

    Column 0: no day at all; 1: hours drawn from everybody's clock; then a day of its own, one column
    for each concentration. The phase of a day is unknown (time zones), so it is averaged out.
    """
    days = [log_sum(hours @ days.T) - np.log(24) for days in _LOG_DAYS]
    return np.stack([flat(hours), hours @ common_clock, *days], axis=1)


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


class ByOrdinary(NamedTuple):
    """Log-likelihoods of each account's hours under ordinary traffic."""

    work: Floats
    elsewhere: Floats


@dataclass(frozen=True, eq=False)
class OrdinaryClock:
    """Ordinary accounts as a mixture of days of their own, everybody's clock and no day at all."""

    log_weights: Floats
    common_clock: Floats
    _known: WeakKeyDictionary[Behaviour, ByOrdinary] = field(default_factory=WeakKeyDictionary)

    @classmethod
    def fit(cls, ordinary: Behaviour) -> Self:
        """Fit the mixture to the accounts that have hours enough to show one; once to the same accounts."""
        if ordinary not in _FITTED:
            _FITTED[ordinary] = cls._fit(ordinary)
        return cast(Self, _FITTED[ordinary])

    @classmethod
    def _fit(cls, ordinary: Behaviour) -> Self:
        telling = ordinary.where(ordinary.hours.sum(axis=1) >= _MIN_CELLS)
        clock = log_clock(ordinary.hours.sum(axis=0).astype(np.float64))
        return cls(_fit_weights(_ordinary_likelihoods(telling.hours.astype(np.float64), clock)), clock)

    def of(self, group: Behaviour) -> ByOrdinary:
        """Return log P(hours) of each account at its work and elsewhere; several signals ask, many times."""
        if group not in self._known:
            self._known[group] = ByOrdinary(*map(self._log_likelihood, (group.hours, group.elsewhere)))
        return self._known[group]

    def _log_likelihood(self, counts: Ints) -> Floats:
        hours = counts.astype(np.float64)
        return log_sum(_ordinary_likelihoods(hours, self.common_clock) + self.log_weights)


_FITTED: Final[WeakKeyDictionary[Behaviour, OrdinaryClock]] = WeakKeyDictionary()
"""The clocks by the accounts that they were fitted to, as long as these are looked at."""


@dataclass(frozen=True)
class SharedClock:
    """Log-likelihood ratios of the clock of a group against ordinary traffic, by account."""

    work: Floats  # of the hours of the account's work
    apart: Floats  # as much of it as the account's other traffic keeps other hours


def shared_clock(group: Behaviour, core: Floats, ordinary: OrdinaryClock) -> SharedClock:
    """Return how far each account keeps the clock of the group's other accounts, and only at its work.

    Strangers of one time zone keep one clock in all that they do.
    """
    weighed = group.hours * (core / max(float(core.max()), 1e-12))[:, None]
    clock = log_clock(weighed.sum(axis=0) - weighed)  # nobody is measured by a clock that it set itself
    hours, elsewhere = group.hours.astype(np.float64), group.elsewhere.astype(np.float64)
    by_ordinary = ordinary.of(group)
    # By nobody's clock: no rhythm at all is another signal's business.
    work = np.maximum((hours * clock).sum(axis=1), flat(hours)) - np.maximum(by_ordinary.work, flat(hours))
    away = np.maximum(by_ordinary.elsewhere, flat(elsewhere)) - (elsewhere * clock).sum(axis=1)
    return SharedClock(np.asarray(work), np.clip(away, 0.0, np.maximum(work, 0.0)))
