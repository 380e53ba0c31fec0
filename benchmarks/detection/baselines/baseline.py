"""What a baseline is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from log import Log
from scoring import Found


class Baseline(Protocol):
    """Anything that says of accounts how suspect they are."""

    @property
    def usual(self) -> float:
        """The threshold that one would begin with."""

    @property
    def thresholds(self) -> Sequence[float]:
        """Those that its curve is drawn over, strictest first."""

    def find(self, log: Log) -> Found:
        """Return how suspect each account is, and its group where the method knows groups."""
