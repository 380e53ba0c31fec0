"""What every tempo takes and gives, and the arithmetic of ragged sequences that they share.

Times are microseconds since 1970 in UTC. A family's exchanges are given out by budget: the world knows
how many there are, a tempo says how they spread over the days (``weights``) and where the ones of one
day fall (``plan``), so that totals come out exactly.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.dice import Seeds

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR


class Day(NamedTuple):
    """One UTC day of the window."""

    number: int
    start: int
    window_end: int

    @property
    def weekday(self) -> int:
        """Monday is 0."""
        return (self.start // DAY + 3) % 7


class Crew(NamedTuple):
    """What a tempo knows of a family's accounts, one item an account."""

    seed: Seeds
    group: Integers
    weight: Floats  # activity
    active_from: Integers
    active_until: Integers
    offset: Integers  # hours ahead of UTC


class Pace(NamedTuple):
    """How conversations run: mean turns, at most ``longest``, median seconds between, chance to move."""

    turns: float
    longest: int
    think: float
    handover: float


class Plan(NamedTuple):
    """Exchanges to come, one item each; ``seed`` is the conversation's."""

    time: Integers
    account: Integers  # index into the crew
    seed: Seeds
    turn: Integers


class Tempo(Protocol):
    """A way for requests to arrive."""

    def weights(self, crew: Crew, days: list[Day]) -> Floats:
        """Return the share of each day, in any unit; all zero is read as all equal."""

    def plan(self, count: int, crew: Crew, day: Day, pace: Pace, rng: np.random.Generator) -> Plan:
        """Return exactly ``count`` exchanges of conversations that begin on ``day``, in any order."""


def conversation_seeds(count: int, rng: np.random.Generator) -> Seeds:
    """Return seeds that do not repeat in practice (64 random bits)."""
    return rng.integers(0, 1 << 64, size=count, dtype=np.uint64)


def turn_counts(count: int, pace: Pace, rng: np.random.Generator) -> Integers:
    """Return the turns of each conversation."""
    if pace.turns <= 1.0:
        return np.ones(count, dtype=np.int64)
    return np.minimum(rng.geometric(1.0 / pace.turns, size=count), pace.longest).astype(np.int64)


def cut(lengths: Integers, total: int) -> Integers:
    """Return the first of ``lengths`` that make exactly ``total``, the last one shortened."""
    ends = np.cumsum(lengths)
    last = int(np.searchsorted(ends, total))
    kept = lengths[: last + 1].copy()
    kept[last] -= ends[last] - total
    return kept


def position(lengths: Integers) -> Integers:
    """Return 0, 1, ... within each run of these lengths."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def running_sum(values: Integers, lengths: Integers) -> Integers:
    """Return the cumulative sum that starts anew with each run, its first value counted."""
    sums = np.cumsum(values)
    first = np.cumsum(lengths) - lengths
    within: Integers = sums - np.repeat(sums[first] - values[first], lengths)
    return within


def waits(count: int, median_seconds: float, sigma: float, rng: np.random.Generator) -> Integers:
    """Return log-normal pauses in microseconds."""
    return (np.exp(rng.normal(np.log(median_seconds), sigma, size=count)) * SECOND).astype(np.int64)


def hold_back(times: Integers, lengths: Integers, end: int, rng: np.random.Generator) -> Integers:
    """Return ``times`` with each run moved earlier as a whole where it would pass ``end``."""
    last = np.cumsum(lengths) - 1
    latest = end - 1 - (rng.random(len(lengths)) * HOUR / 4).astype(np.int64)
    moved: Integers = times - np.repeat(np.maximum(times[last] - latest, 0), lengths)
    return moved


def weighted(weight: Floats, count: int, rng: np.random.Generator) -> Integers:
    """Return indices drawn in proportion to ``weight``."""
    borders = np.cumsum(weight)
    found = np.searchsorted(borders, rng.random(count) * borders[-1], side="right")
    index: Integers = np.minimum(found, len(weight) - 1).astype(np.int64)
    return index


def present(crew: Crew, day: Day) -> Floats:
    """Return each account's weight, zero where it does not exist for the whole day."""
    alive = (crew.active_from <= day.start) & (crew.active_until >= day.start + DAY)
    return np.where(alive, crew.weight, 0.0)
