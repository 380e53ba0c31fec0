"""People: sessions at the hours of their country, conversations with time to read and think."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

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
    cut,
    hold_back,
    position,
    present,
    running_sum,
    turn_counts,
    waits,
    weighted,
)

HOURS: Final[dict[str, tuple[float, ...]]] = {
    "waking": (9, 5, 3, 2, 1, 2, 6, 14, 26, 34, 38, 38, 34, 36, 40, 40, 38, 36, 36, 40, 46, 46, 36, 20),
    "office": (
        0.3,
        0.2,
        0.1,
        0.1,
        0.1,
        0.3,
        2,
        8,
        30,
        46,
        50,
        46,
        24,
        40,
        50,
        48,
        42,
        26,
        9,
        4,
        3,
        2,
        1,
        0.5,
    ),
}
"""Relative activity per hour of local time."""
WEEKEND: Final = {"waking": 0.85, "office": 0.06}


@dataclass(frozen=True, slots=True)
class Human:
    """Sessions of ``chats`` conversations in the mean, ``pause`` seconds apart."""

    profile: str = "waking"
    chats: float = 1.6
    pause: float = 240.0

    def weights(self, crew: Crew, days: list[Day]) -> Floats:
        """Return fewer on weekends."""
        return np.array([WEEKEND[self.profile] if day.weekday >= 5 else 1.0 for day in days])

    def plan(self, count: int, crew: Crew, day: Day, pace: Pace, rng: np.random.Generator) -> Plan:
        """Return the sessions that begin on ``day``."""
        turns = cut(_enough(count, pace, rng), count)
        sessions = rng.geometric(1.0 / self.chats, size=len(turns)).astype(np.int64)
        sessions = cut(sessions, len(turns))
        account = weighted(present(crew, day), len(sessions), rng)
        conversation = np.repeat(np.arange(len(turns)), turns)
        turn = position(turns)
        lengths = np.add.reduceat(turns, np.cumsum(sessions) - sessions)
        gaps = np.where(turn, waits(count, pace.think, 0.9, rng), waits(count, self.pause, 1.0, rng))
        first = np.cumsum(lengths) - lengths
        gaps[first] = self._starts(account, crew, day, rng)
        time = hold_back(running_sum(gaps, lengths), lengths, day.window_end, rng)
        return Plan(
            time, np.repeat(account, lengths), conversation_seeds(len(turns), rng)[conversation], turn
        )

    def _starts(self, account: Integers, crew: Crew, day: Day, rng: np.random.Generator) -> Integers:
        hour = weighted(np.array(HOURS[self.profile], dtype=np.float64), len(account), rng)
        within = (rng.random(len(account)) * HOUR).astype(np.int64)
        # early birds and night owls: each person's day is moved by up to two hours
        habit = (crew.seed[account] % np.uint64(4 * 3600)).astype(np.int64) * 1_000_000 - 2 * HOUR
        local = hour * HOUR + within + habit
        return day.start + (local - crew.offset[account] * HOUR) % DAY


def _enough(count: int, pace: Pace, rng: np.random.Generator) -> Integers:
    """Return turn counts that sum to at least ``count``."""
    turns = turn_counts(int(count / max(pace.turns, 1.0) * 1.2) + 64, pace, rng)
    while turns.sum() < count:
        turns = np.concatenate([turns, turn_counts(len(turns), pace, rng)])
    return turns
