"""Stretches: how long each account of a group may have been at work, and how much it did in that time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammaln

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.signals.log_sum import log_sum

_HALF: Final = 0.5
"""Share of accounts, on both sides, that are at work from the group's first request to its last."""

_TRIED: Final = 16
_LEAST_SEEN: Final = 3
"""With fewer requests nothing tells a short stretch from a chance visit."""


@dataclass(frozen=True)
class Stretches:
    """How long each account may have been at work, as parts of the group's own time.

    An account may have joined late or left early: then it was at work from some time before its first
    request to the end, or from the beginning to some time after its last.
    """

    counts: Ints  # of shape (accounts,)
    length: Floats  # of shape (accounts, stretches)
    log_weight: Floats  # log-probability of each stretch, and that all requests fell where they did

    @classmethod
    def of(cls, group: Behaviour, core: Floats) -> Stretches:
        """Return the stretches that fit each account; whom ``core`` trusts sets the group's own time."""
        begin, end = _time_of(group, core)
        time = float(end - begin)
        late = _between(np.clip((end - group.first_seen) / time, 1e-6, 1.0))
        early = _between(np.clip((group.last_seen - begin) / time, 1e-6, 1.0))
        length = np.concatenate([np.ones((len(group), 1)), late[0], early[0]], axis=1)
        whole = np.full((len(group), 1), _HALF)
        weight = np.concatenate([whole, late[1] * _HALF / 2, early[1] * _HALF / 2], axis=1)
        weight[group.exchanges < _LEAST_SEEN, 1:] = 0.0
        with np.errstate(divide="ignore"):
            return cls(group.exchanges, length, np.log(weight) - group.exchanges[:, None] * np.log(length))

    def log_likelihoods(self, pace: float, dispersions: Sequence[float]) -> list[Floats]:
        """Return log P(count, and when it was | at least one), at ``pace`` requests in the whole time.

        One array of shape (accounts,) for each of the ``dispersions``.
        """
        mean = pace * self.length
        seen = np.array([log_chance_of_any(pace, dispersion) for dispersion in dispersions])
        each = [log_mass(self.counts[:, None], mean, dispersion) for dispersion in dispersions]
        together = log_sum(np.stack(each) + self.log_weight)
        return list(together - seen[:, None])


def own_time(group: Behaviour, core: Floats) -> Floats:
    """Return the microseconds that each account was there: to the group's end, or from its beginning.

    The longer of both: a visit in the midst is no stay.
    """
    begin, end = _time_of(group, core)
    longer = np.maximum(end - group.first_seen, group.last_seen - begin)
    return np.clip(longer, 1, end - begin).astype(np.float64)


def _time_of(group: Behaviour, core: Floats) -> tuple[int, int]:
    """Return when the accounts that ``core`` trusts began and ended, in microseconds."""
    trusted = core >= float(core.max()) / 2
    begin, end = int(group.first_seen[trusted].min()), int(group.last_seen[trusted].max())
    return begin, max(end, begin + 1)


def log_chance_of_any(mean: float, dispersion: float) -> float:
    """Return log P(at least one) of a negative binomial with this mean and dispersion."""
    return float(np.log(-np.expm1(-np.log1p(mean * dispersion) / dispersion)))


def log_mass(counts: Ints, mean: Floats, dispersion: float) -> Floats:
    """Return log P(count) of a negative binomial with this mean and dispersion."""
    size = 1 / dispersion
    ways = gammaln(counts + size) - gammaln(size) - gammaln(counts + 1)
    return np.asarray(ways - size * np.log1p(mean / size) + counts * np.log(mean / (size + mean)))


def _between(least: Floats) -> tuple[Floats, Floats]:
    """Return lengths from ``least`` to 1, even in their logarithm, and the width that each stands for."""
    ends = least[:, None] ** np.linspace(1, 0, _TRIED + 1)
    return np.sqrt(ends[:, 1:] * ends[:, :-1]), np.diff(ends, axis=1)
