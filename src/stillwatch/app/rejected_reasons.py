"""Why records were turned away, counted."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, NamedTuple

_REASONS: Final = 1000  # that are told apart; what comes after them is counted as one
_NUMBER: Final = re.compile(r"[0-9]+")


class Counted(NamedTuple):
    """A reason and how often it was given."""

    reason: str
    times: int


class RejectedReasons:
    """Counts by reason; reasons that differ in a number alone, a place most often, are one."""

    def __init__(self) -> None:
        self._times = Counter[str]()
        self._examples: dict[str, str] = {}  # the first of the reasons that are counted as one

    def add(self, reason: str) -> None:
        """Count ``reason`` once more."""
        plain = _NUMBER.sub("N", reason)
        if plain in self._examples or len(self._examples) < _REASONS:
            self._examples.setdefault(plain, reason)
            self._times[plain] += 1
        else:
            self._times["other"] += 1

    @property
    def total(self) -> int:
        """How many were counted."""
        return self._times.total()

    def most_frequent(self, count: int) -> list[Counted]:
        """Return at most ``count`` reasons, the most frequent first."""
        ranked = sorted(self._times.items(), key=lambda item: (-item[1], item[0]))
        return [Counted(self._examples.get(plain, plain), times) for plain, times in ranked[:count]]
