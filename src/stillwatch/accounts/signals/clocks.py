"""Hours of the day: what ordinary accounts' clocks look like, fitted to the log."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self, cast
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import logsumexp

from stillwatch.accounts.behaviour import Behaviour, Floats, Hours, Ints
from stillwatch.engines.compiled import compiled

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


_LOG_DAYS: Final = np.ascontiguousarray(_human_days().transpose(2, 0, 1).reshape(24, -1))


def log_clock(hours: Floats) -> Floats:
    """Return the log-probabilities of a smoothed clock that shows these hours, along the last axis."""
    smoothed = hours + _SMOOTHING / 24
    return np.asarray(np.log(smoothed / smoothed.sum(axis=-1, keepdims=True)))


def busiest_hours(hours: Hours) -> Ints:
    """Return the eight hours of the day in which the accounts together are most active."""
    return np.asarray(np.argsort(hours.sum(axis=0), kind="stable")[-8:])


def share_in(chosen: Ints, hours: Hours) -> float:
    """Return the share of the accounts' active hours that lie in the chosen ones."""
    together = hours.sum(axis=0)
    return float(together[chosen].sum() / max(together.sum(), 1))


@compiled
def _ordinary_likelihoods(hours: Hours, common_clock: Floats, days: Floats) -> Floats:
    """Return log-likelihoods of each account's hours under the kinds of ordinary account.

    Column 0: no day at all; 1: hours drawn from everybody's clock; then a day of its own, one column
    for each concentration. The phase of a day is unknown (time zones), so it is averaged out.
    ``days`` has the log-probabilities of the hours, shape (24 hours, concentrations * 24 phases).
    """
    kinds = days.shape[1] // 24
    found, phases = np.zeros((len(hours), 2 + kinds)), np.empty(days.shape[1])
    for row in range(len(hours)):
        phases[:] = 0.0
        for hour in range(24):
            times = hours[row, hour]
            if times:
                found[row, 0] -= times * math.log(24.0)
                found[row, 1] += times * common_clock[hour]
                for phase in range(len(phases)):
                    phases[phase] += times * days[hour, phase]
        for kind in range(kinds):
            found[row, 2 + kind] = _log_sum(phases[24 * kind : 24 * kind + 24]) - math.log(24.0)
    return found


@compiled
def _log_sum(logs: Floats) -> float:
    """Return log(sum(exp(logs))), of which the largest is finite."""
    most, total = logs.max(), 0.0
    for one in logs:
        total += math.exp(one - most)
    return float(most + math.log(total))


@compiled
def _mixed(likelihoods: Floats, log_weights: Floats) -> Floats:
    """Return each account's log-likelihood under the mixture of the kinds."""
    found = np.empty(len(likelihoods))
    for row in range(len(likelihoods)):
        found[row] = _log_sum(likelihoods[row] + log_weights)
    return found


@compiled
def _fit_weights(likelihoods: Floats) -> Floats:
    """Return the log-weights of the components by expectation maximisation (Dempster et al. 1977)."""
    accounts, kinds = likelihoods.shape
    weights, share = np.full(kinds, 1 / kinds), np.empty(kinds)
    for _ in range(_ROUNDS if accounts else 0):
        total = np.zeros(kinds)
        for row in range(accounts):
            most = likelihoods[row].max()
            for kind in range(kinds):
                share[kind] = weights[kind] * math.exp(likelihoods[row, kind] - most)
            total += share / share.sum()
        weights = np.maximum(total / accounts, 1e-6)
        weights /= weights.sum()
    weights[0] = max(weights[0], _FLAT_FLOOR)
    found: Floats = np.log(weights / weights.sum())
    return found


class Ordinary(NamedTuple):
    """Log-likelihoods of each account's hours that no clock of the group plays a part in."""

    work: Floats  # of ordinary accounts
    elsewhere: Floats
    work_evenly: Floats  # where no hour is likelier than another
    elsewhere_evenly: Floats


class SharedClock(NamedTuple):
    """How far each account keeps the clock of the group's other accounts, in nats."""

    evenly: Floats  # log P(hours of the work) where none is likelier than another
    ordinary: Floats  # the same of an ordinary account
    common: Floats  # the same by the clock of the group's other accounts
    work: Floats  # log-likelihood ratio of the hours of the account's work
    apart: Floats  # as much of it as the account's other traffic keeps other hours


@dataclass(frozen=True, eq=False)
class OrdinaryClock:
    """Ordinary accounts as a mixture of days of their own, everybody's clock and no day at all."""

    log_weights: Floats
    common_clock: Floats
    _ordinary: WeakKeyDictionary[Behaviour, Ordinary] = field(default_factory=WeakKeyDictionary)
    _shared: WeakKeyDictionary[Behaviour, tuple[Floats, SharedClock]] = field(
        default_factory=WeakKeyDictionary
    )

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
        return cls(_fit_weights(_ordinary_likelihoods(telling.hours, clock, _LOG_DAYS)), clock)

    def shared_by(self, group: Behaviour, core: Floats) -> SharedClock:
        """Return how far each account keeps the clock of those whom ``core`` trusts, and only at its work.

        Several signals ask the same, one after the other.
        """
        known = self._shared.get(group)
        if known is None or known[0] is not core:
            known = self._shared[group] = core, _shared_clock(group, core, self._of(group))
        return known[1]

    def _of(self, group: Behaviour) -> Ordinary:
        """Return what ordinary traffic makes of each account; every round asks the same."""
        if group not in self._ordinary:
            work, elsewhere = (
                _ordinary_likelihoods(hours, self.common_clock, _LOG_DAYS)
                for hours in (group.hours, group.elsewhere)
            )
            self._ordinary[group] = Ordinary(
                _mixed(work, self.log_weights),
                _mixed(elsewhere, self.log_weights),
                work_evenly=work[:, 0],
                elsewhere_evenly=elsewhere[:, 0],
            )
        return self._ordinary[group]


_FITTED: Final[WeakKeyDictionary[Behaviour, OrdinaryClock]] = WeakKeyDictionary()
"""The clocks by the accounts that they were fitted to, as long as these are looked at."""


def _shared_clock(group: Behaviour, core: Floats, ordinary: Ordinary) -> SharedClock:
    """Strangers of one time zone keep one clock in all that they do."""
    trust = core / max(float(core.max()), 1e-12)
    common, common_elsewhere = _by_the_others(group.hours, group.elsewhere, trust)
    # By nobody's clock: no rhythm at all is another signal's business.
    work = np.maximum(common, ordinary.work_evenly) - np.maximum(ordinary.work, ordinary.work_evenly)
    away = np.maximum(ordinary.elsewhere, ordinary.elsewhere_evenly) - common_elsewhere
    apart = np.minimum(np.maximum(away, 0.0), np.maximum(work, 0.0))
    return SharedClock(ordinary.work_evenly, ordinary.work, common, work, apart)


@compiled
def _by_the_others(hours: Hours, elsewhere: Hours, trust: Floats) -> tuple[Floats, Floats]:
    """Return log P(hours) at the work and elsewhere: nobody is measured by a clock that it set itself."""
    total, others = np.full(24, _SMOOTHING / 24), np.empty(24)
    for row in range(len(hours)):
        for hour in range(24):
            total[hour] += trust[row] * hours[row, hour]
    work, away = np.zeros(len(hours)), np.zeros(len(hours))
    for row in range(len(hours)):
        others[:] = total - trust[row] * hours[row]
        together = math.log(others.sum())
        for hour in range(24):
            if hours[row, hour] or elsewhere[row, hour]:
                likely = math.log(others[hour]) - together
                work[row] += hours[row, hour] * likely
                away[row] += elsewhere[row, hour] * likely
    return work, away
