"""Jobs: at a fixed hour or around the clock, evenly, on the days that the job runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.simulate.dice import below, derive, unit
from stillwatch.simulate.tempo.arrivals import (
    DAY,
    HOUR,
    Crew,
    Day,
    Floats,
    Pace,
    Plan,
    conversation_seeds,
    present,
    weighted,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Each account runs for ``hours``, from its own hour in ``start``, on ``runs`` of the days."""

    hours: float = 2.0
    start: tuple[int, int] = (0, 24)  # local
    runs: float = 1.0

    def weights(self, crew: Crew, days: list[Day]) -> Floats:
        """Return what the accounts that run on each day do together."""
        return np.array([self._running(crew, day).sum() for day in days])

    def _running(self, crew: Crew, day: Day) -> Floats:
        return np.where(unit(derive(crew.seed, day.number)) < self.runs, present(crew, day), 0.0)

    def plan(self, count: int, crew: Crew, day: Day, pace: Pace, rng: np.random.Generator) -> Plan:
        """Return single requests, spread evenly over each account's run."""
        running = self._running(crew, day)
        account = weighted(running if running.any() else present(crew, day), count, rng)
        low, high = self.start
        hour = low + below(derive(crew.seed, 1 << 32), high - low) - crew.offset
        within = (rng.random(count) * self.hours * HOUR).astype(np.int64)
        time = day.start + (hour[account] * HOUR + within) % DAY
        return Plan(time, account, conversation_seeds(count, rng), np.zeros(count, dtype=np.int64))
