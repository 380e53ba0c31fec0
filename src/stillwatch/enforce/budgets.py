"""Budgets: how many requests an hour the accounts of one campaign have together in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

HOUR: Final = 3600.0
BURST: Final = 60.0
"""Seconds whose requests may come at once: a campaign that was silent has saved no more than that."""


class Budget(Protocol):
    """Where requests of a campaign are taken from."""

    @property
    def trouble(self) -> str:
        """Why budgets are not shared as they should be; empty where they are."""

    def take(self, campaign_id: str, per_hour: int) -> float:
        """Take one request from a campaign's budget; return 0, or the seconds until there is one to take."""


class Budgets:
    """Token buckets (Turner 1986), one for each campaign; several threads may take from one at once.

    Where gateways share nothing, each of their processes has its part of a budget.
    """

    trouble = ""

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        """Share each budget out among so many processes.

        Args:
            processes: all that serve the same accounts, this one included.
            clock: seconds that only go forward.
        """
        self._processes, self._clock = max(processes, 1), clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # what was left of each, and when

    def take(self, campaign_id: str, per_hour: int) -> float:
        """Take one request from a campaign's budget; return 0, or the seconds until there is one to take."""
        rate = max(per_hour, 1) / HOUR / self._processes
        most = max(rate * BURST, 1.0)
        with self._lock:
            now = self._clock()
            left, then = self._left.get(campaign_id, (most, now))
            left = min(left + (now - then) * rate, most)
            enough = left >= 1
            self._left[campaign_id] = (left - 1 if enough else left, now)
        return 0.0 if enough else (1 - left) / rate
