"""The days that a world covers."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from stillwatch.simulate.tempo.arrivals import DAY, Day

_EPOCH = date(1970, 1, 1)


class Window(NamedTuple):
    """Whole UTC days; ``start`` and ``end`` in microseconds since 1970, ``end`` excluded."""

    start: int
    end: int

    @classmethod
    def of(cls, first: date, days: int) -> Window:
        """Return the window of ``days`` days that begins at midnight of ``first``."""
        start = (first - _EPOCH).days * DAY
        return cls(start, start + days * DAY)

    @property
    def days(self) -> list[Day]:
        """The days in order."""
        return [Day(number, at, self.end) for number, at in enumerate(range(self.start, self.end, DAY))]

    def at(self, share: float) -> int:
        """Return the time when ``share`` of the window has passed."""
        return self.start + round((self.end - self.start) * share)
