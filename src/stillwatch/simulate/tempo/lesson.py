"""Classes: two lessons a week, everybody at once; some finish at home in the evening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.simulate.dice import below, derive
from stillwatch.simulate.tempo.arrivals import (
    DAY,
    HOUR,
    Crew,
    Day,
    Floats,
    Integers,
    Pace,
    Plan,
    conversation_seeds,
    present,
    weighted,
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Lessons of ``hours``; the share ``late`` of the questions comes in the evening after."""

    hours: float = 1.5
    late: float = 0.2

    def weights(self, crew: Crew, days: list[Day]) -> Floats:
        """Return how many have a lesson on each day."""
        return np.array([(present(crew, day) * _meets(crew, day)).sum() for day in days])

    def plan(self, count: int, crew: Crew, day: Day, pace: Pace, rng: np.random.Generator) -> Plan:
        """Return the questions of the classes that meet on ``day``."""
        meeting = present(crew, day) * _meets(crew, day)
        account = weighted(meeting if meeting.any() else present(crew, day), count, rng)
        hour = 8 + below(derive(crew.group.astype(np.uint64), 7), 9)
        lesson = hour[account] * HOUR + (rng.random(count) * self.hours * HOUR).astype(np.int64)
        evening = 18 * HOUR + (rng.random(count) * 5 * HOUR).astype(np.int64)
        local = np.where(rng.random(count) < self.late, evening, lesson)
        time = day.start + (local - crew.offset[account] * HOUR) % DAY
        return Plan(time, account, conversation_seeds(count, rng), np.zeros(count, dtype=np.int64))


def _meets(crew: Crew, day: Day) -> Integers:
    """Return 1 where the account's class has a lesson: two of the five weekdays."""
    first = below(derive(crew.group.astype(np.uint64), 3), 5)
    second = (first + 2) % 5
    return (np.equal(first, day.weekday) | np.equal(second, day.weekday)).astype(np.int64)
