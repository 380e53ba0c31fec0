"""Who sends what when: day by day, the exchanges of all families in the order of time.

Nothing here holds more than about a day: conversations that run over midnight are carried on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.dice import Seeds, generator
from stillwatch.simulate.population import Traffic
from stillwatch.simulate.roster import Roster
from stillwatch.simulate.tempo import Day, Pace
from stillwatch.simulate.tempo.arrivals import DAY, Integers
from stillwatch.simulate.window import Window


class Stream(NamedTuple):
    """One family's requests of one kind."""

    roster: Roster
    traffic: Traffic
    number: int
    budget: Integers  # exchanges that begin on each day


class Slots(NamedTuple):
    """Exchanges without their content, one item each."""

    time: Integers
    stream: npt.NDArray[np.int16]
    account: Integers  # number in the world
    seed: Seeds  # of the conversation
    turn: Integers

    def take(self, which: Integers | slice) -> Slots:
        """Return the chosen items in the order given."""
        time, stream, account, seed, turn = self
        return Slots(time[which], stream[which], account[which], seed[which], turn[which])


_NONE: Final = Slots(
    time=np.zeros(0, dtype=np.int64),
    stream=np.zeros(0, dtype=np.int16),
    account=np.zeros(0, dtype=np.int64),
    seed=np.zeros(0, dtype=np.uint64),
    turn=np.zeros(0, dtype=np.int64),
)


def streams(rosters: Sequence[Roster], window: Window) -> list[Stream]:
    """Return all streams with their daily budgets."""
    found: list[Stream] = []
    for roster in rosters:
        traffic = roster.population.traffic
        totals = portions(int(roster.population.exchanges), [t.share for t in traffic])
        for part, total in zip(traffic, totals, strict=True):
            weights = part.tempo.weights(roster.crew, window.days)
            budget = portions(int(total), weights if weights.any() else np.ones(len(weights)))
            found.append(Stream(roster, part, len(found), budget))
    return found


def portions(total: int, weights: npt.ArrayLike) -> Integers:
    """Return whole numbers in proportion to ``weights`` that sum to ``total``."""
    shares = np.cumsum(np.asarray(weights, dtype=np.float64))
    ends = np.floor(shares / shares[-1] * total + 0.5).astype(np.int64)
    return np.asarray(np.diff(ends, prepend=0), dtype=np.int64)


def blocks(found: Sequence[Stream], window: Window, seed: int, rows: int) -> Iterator[Slots]:
    """Yield all exchanges by time, ``rows`` at once (fewer at the end)."""
    waiting = _NONE
    for day in window.days:
        waiting = _sorted(_joined([waiting, *(_planned(stream, day, seed) for stream in found)]))
        ready = int(np.searchsorted(waiting.time, day.start + DAY)) if day.start + DAY < window.end else None
        whole = len(waiting.time) if ready is None else ready
        stop = whole if ready is None else whole - whole % rows
        for start in range(0, stop, rows):
            yield waiting.take(slice(start, min(start + rows, stop)))
        waiting = waiting.take(slice(stop, None))


def _planned(stream: Stream, day: Day, seed: int) -> Slots:
    roster, dialogue = stream.roster, stream.traffic.dialogue
    count = int(stream.budget[day.number])
    if not count:
        return _NONE
    pace = Pace(dialogue.turns, dialogue.longest, dialogue.think, dialogue.handover)
    rng = generator(seed, roster.population.name, stream.number, day.number)
    plan = stream.traffic.tempo.plan(count, roster.crew, day, pace, rng)
    number = np.full(count, stream.number, dtype=np.int16)
    return Slots(plan.time, number, plan.account + roster.first, plan.seed, plan.turn)


def _joined(parts: Sequence[Slots]) -> Slots:
    return Slots(
        time=np.concatenate([part.time for part in parts]),
        stream=np.concatenate([part.stream for part in parts]),
        account=np.concatenate([part.account for part in parts]),
        seed=np.concatenate([part.seed for part in parts]),
        turn=np.concatenate([part.turn for part in parts]),
    )


def _sorted(slots: Slots) -> Slots:
    return slots.take(np.argsort(slots.time, kind="stable"))
