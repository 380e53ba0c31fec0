"""An operator's queue: one load curve, dealt out over whichever accounts are alive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.simulate.tempo.arrivals import (
    HOUR,
    Crew,
    Day,
    Floats,
    Integers,
    Pace,
    Plan,
    conversation_seeds,
    cut,
    hold_back,
    position,
    running_sum,
    turn_counts,
    waits,
)
from stillwatch.simulate.tempo.human import HOURS, WEEKEND


@dataclass(frozen=True, slots=True)
class Queue:
    """``noise`` is the standard deviation of the logarithm of the hourly load, common to all accounts."""

    noise: float = 0.45
    profile: str | None = None  # a human day of the operator's office, none where None
    offset: int = 0

    def weights(self, crew: Crew, days: list[Day]) -> Floats:
        """Return a slow swell; weekends count only for operators who keep office hours."""
        swell: Floats = 1.0 + 0.25 * np.sin(np.arange(len(days)) * 0.9)
        if self.profile is not None:
            swell *= np.array([WEEKEND[self.profile] if day.weekday >= 5 else 1.0 for day in days])
        return swell

    def plan(self, count: int, crew: Crew, day: Day, pace: Pace, rng: np.random.Generator) -> Plan:
        """Return the day's share of the queue."""
        turns = _conversations(count, pace, rng)
        hourly = rng.multinomial(len(turns), self._load(rng))
        hour = np.repeat(np.arange(24), hourly)
        start = day.start + hour * HOUR + np.sort(rng.random(len(turns)) + hour) * HOUR % HOUR
        turn = position(turns)
        gaps = waits(count, pace.think, 0.6, rng)
        gaps[np.cumsum(turns) - turns] = start.astype(np.int64)
        time = hold_back(running_sum(gaps, turns), turns, day.window_end, rng)
        moved = (turn == 0) | (rng.random(count) < pace.handover)
        worker = self._deal(hour[np.repeat(np.arange(len(turns)), turns)[moved]], crew, day, rng)
        account = worker[np.cumsum(moved) - 1]
        seed = np.repeat(conversation_seeds(len(turns), rng), turns)
        return Plan(time, account, seed, turn)

    def _load(self, rng: np.random.Generator) -> Floats:
        load = np.exp(rng.normal(0.0, self.noise, size=24))
        if self.profile is not None:
            load *= np.roll(np.array(HOURS[self.profile]), -self.offset)
        return np.asarray(load / load.sum(), dtype=np.float64)

    def _deal(self, hour: Integers, crew: Crew, day: Day, rng: np.random.Generator) -> Integers:
        """Return an account for each item, in turn over those that are alive in its hour."""
        dealt = np.zeros(len(hour), dtype=np.int64)
        order = rng.permutation(len(crew.seed))
        for number in np.unique(hour):
            items = np.flatnonzero(hour == number)
            at = day.start + int(number) * HOUR
            alive = order[(crew.active_from[order] <= at) & (crew.active_until[order] > at)]
            hands = alive if len(alive) else order
            dealt[items] = hands[items % len(hands)]
        return dealt


def _conversations(count: int, pace: Pace, rng: np.random.Generator) -> Integers:
    turns = turn_counts(int(count / max(pace.turns, 1.0) * 1.3) + 16, pace, rng)
    while turns.sum() < count:
        turns = np.concatenate([turns, turn_counts(len(turns), pace, rng)])
    return cut(turns, count)
