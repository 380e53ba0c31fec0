"""Stretches: how long each account of a group may have been at work, and how much it did in that time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.engines.compiled import compiled

_HALF: Final = 0.5
"""Share of accounts, on both sides, that are at work from the group's first request to its last."""

_TRIED: Final = 16
_LEAST_PART: Final = 1e-6
_LEAST_SEEN: Final = 3
"""With fewer requests nothing tells a short stretch from a chance visit."""


@dataclass(frozen=True)
class Stretches:
    """How long each account may have been at work, as parts of the group's own time.

    An account may have joined late or left early: then it was at work from some time before its first
    request to the end, or from the beginning to some time after its last.
    """

    counts: Ints
    late: Floats  # the least part that one who joined late was there
    early: Floats  # the least part that one who left early was there

    @classmethod
    def of(cls, group: Behaviour, core: Floats) -> Stretches:
        """Return the stretches that fit each account; whom ``core`` trusts sets the group's own time."""
        begin, end = _time_of(group, core)
        time = float(end - begin)
        late, early = (end - group.first_seen) / time, (group.last_seen - begin) / time
        return cls(group.exchanges, np.clip(late, _LEAST_PART, 1.0), np.clip(early, _LEAST_PART, 1.0))

    def log_likelihoods(self, pace: float, dispersions: Sequence[float]) -> list[Floats]:
        """Return log P(count, and when it was | at least one), at ``pace`` requests in the whole time.

        One array of shape (accounts,) for each of the ``dispersions``.
        """
        each = _log_likelihoods(self.counts, self.late, self.early, pace, 1 / np.array(dispersions))
        seen = [-math.expm1(-math.log1p(pace * dispersion) / dispersion) for dispersion in dispersions]
        return [likelihood - math.log(one) for likelihood, one in zip(each, seen, strict=True)]


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


@compiled
def _log_likelihoods(counts: Ints, late: Floats, early: Floats, pace: float, sizes: Floats) -> Floats:
    """Return log P(count, and when it was) of negative binomials with this mean, shape (sizes, accounts).

    A count in a part of the time has that part of the mean, and each request fell into it by chance
    ``1 / part``, so that of the mean only ``(1 + mean / size)^-(size + count)`` is left to add up over parts.
    """
    found = np.empty((len(sizes), len(counts)))
    parts, weights = np.ones(2 * _TRIED + 1), np.full(2 * _TRIED + 1, _HALF)
    falls, raised = np.empty(len(parts)), np.empty(len(parts))
    for row in range(len(counts)):
        count, tried = counts[row], 1
        if count >= _LEAST_SEEN:
            _divide(late[row], parts[1 : 1 + _TRIED], weights[1 : 1 + _TRIED])
            _divide(early[row], parts[1 + _TRIED :], weights[1 + _TRIED :])
            tried = len(parts)
        least = min(parts[0], parts[1], parts[1 + _TRIED]) if tried > 1 else 1.0
        ways = math.lgamma(count + 1.0)
        for number, size in enumerate(sizes):
            mean, power = pace / size, size + count
            most = 1.0 + mean * least
            for part in range(tried):
                raised[part], falls[part] = weights[part], most / (1.0 + mean * parts[part])
            _raise(falls, power, raised, tried)
            whole = math.lgamma(power) - math.lgamma(size) - ways + count * math.log(mean)
            found[number, row] = whole - power * math.log(most) + math.log(raised[:tried].sum())
    return found


@compiled
def _divide(least: float, parts: Floats, weights: Floats) -> None:
    """Write parts from the least one to all of the time, even in their logarithm, and their probabilities."""
    step = -math.log(least) / _TRIED
    growth, middle, width = math.exp(step), math.exp(step / 2), math.expm1(step) * _HALF / 2
    for number in range(_TRIED):
        parts[number], weights[number] = least * middle, least * width
        least *= growth


@compiled
def _raise(bases: Floats, power: float, into: Floats, many: int) -> None:
    """Multiply ``into`` by the first bases raised to the power: by squares, which computes many at once."""
    whole = int(power)
    if power > whole:
        for part in range(many):
            into[part] *= bases[part] ** (power - whole)
    while whole:
        if whole & 1:
            for part in range(many):
                into[part] *= bases[part]
        for part in range(many):
            bases[part] *= bases[part]
        whole >>= 1
