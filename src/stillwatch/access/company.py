"""Company: who else holds a value, within a spell of a sign-up and beyond it, counted by party.

A *spell* is three days before a sign-up, and after it where that is known by now. Whoever makes accounts in
numbers makes them within days; families, offices and carriers gather their accounts over months. People who
belong together openly are one party and count once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.engines.compiled import compiled

Ints = npt.NDArray[np.int64]

SPELL: Final = 3 * 86_400
"""Seconds."""


class Knowledge(StrEnum):
    """What is known of a sign-up when it is judged."""

    HINDSIGHT = "hindsight"  # all of the backlog
    ARRIVAL = "arrival"  # what came before it


class Company(NamedTuple):
    """Of each holder, in the order in which they were given."""

    others: Ints  # parties of its spell that hold its value too
    elsewhere: Ints  # parties that hold it outside of the spell


def company(values: Ints, seconds: Ints, parties: Ints, knowledge: Knowledge) -> Company:
    """Count the company of each holder.

    Args:
        values: number of the value that each holds.
        seconds: when each signed up.
        parties: number of the party that each belongs to, 0 or more.
        knowledge: what each is judged by; of sign-ups of one second those given first came first.
    """
    if not len(values):
        return Company(np.zeros(0, np.int64), np.zeros(0, np.int64))
    order = np.lexsort((seconds, values))
    value, second = values[order], seconds[order]
    first, last, known, begin = _bounds(value, second, knowledge)
    counted = _count(begin, first, last, known, parties[order])
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Company(counted[0][back], counted[1][back])


def _bounds(value: Ints, second: Ints, knowledge: Knowledge) -> tuple[Ints, Ints, Ints, Ints]:
    """Return of each row where its spell begins and ends, how far its value is known and from where."""
    starts = np.flatnonzero(np.diff(value, prepend=value[0] - 1))
    group = np.cumsum(np.diff(value, prepend=value[0]) != 0)
    begin = starts[group]
    end = np.append(starts[1:], len(value))[group]
    since = second - second.min()
    width = int(since.max()) + 1
    place = group * width + since
    first = np.searchsorted(place, group * width + np.maximum(since - SPELL, 0), "left")
    if knowledge is Knowledge.ARRIVAL:
        here = np.arange(len(value)) + 1
        return first, here, here, begin
    last = np.searchsorted(place, group * width + np.minimum(since + SPELL, width - 1), "right")
    return first, last, end, begin


@compiled
def _count(begin: Ints, first: Ints, last: Ints, known: Ints, party: Ints) -> tuple[Ints, Ints]:
    """Return how many parties besides the row's own are in its spell, and how many of its value are not.

    All bounds rise from row to row, so that each row is taken in and let go once.
    """
    others, elsewhere = np.zeros(len(party), np.int64), np.zeros(len(party), np.int64)
    inside = np.zeros(party.max() + 1, np.int64)
    seen = np.full(party.max() + 1, -1, np.int64)
    low, high, read = 0, 0, 0
    present, total = 0, 0
    for row in range(len(party)):
        if begin[row] == row:
            total = 0
        while high < last[row]:
            present += inside[party[high]] == 0
            inside[party[high]] += 1
            high += 1
        while low < first[row]:
            inside[party[low]] -= 1
            present -= inside[party[low]] == 0
            low += 1
        while read < known[row]:
            total += seen[party[read]] != begin[row]
            seen[party[read]] = begin[row]
            read += 1
        others[row] = present - 1
        elsewhere[row] = total - present
    return others, elsewhere
