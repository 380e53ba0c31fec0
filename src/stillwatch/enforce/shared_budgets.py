"""Budgets that all gateway processes share, in Redis; without it each has its part of them.

One token bucket a campaign, taken from atomically by a script that goes by the server's own clock. Needs
the package ``redis``, which is imported only here and only when it is asked for.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from stillwatch.enforce.budgets import BURST, HOUR, Budget, Budgets

_PREFIX: Final = "stillwatch:budget:"
_PATIENCE: Final = 0.02
_AGAIN: Final = 1.0
_TAKE: Final = """
local rate, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local held = redis.call('HMGET', KEYS[1], 'left', 'at')
local left, at = tonumber(held[1]), tonumber(held[2])
if left == nil or at == nil then left, at = most, now end
left = math.min(left + math.max(now - at, 0) * rate, most)
local wait = 0
if left >= 1 then left = left - 1 else wait = (1 - left) / rate end
redis.call('HSET', KEYS[1], 'left', string.format('%.9f', left), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / rate) + 1)
return string.format('%.6f', wait)
"""


class SharedBudgets:
    """Takes from Redis, and from this process' own part while Redis does not answer."""

    def __init__(
        self,
        url: str,
        *,
        processes: int = 1,
        patience: float = _PATIENCE,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Share budgets through the server at ``url``, which need not be there yet.

        Args:
            url: such as ``redis://127.0.0.1:6379/0``.
            processes: among how many a budget is divided while the server does not answer.
            patience: seconds that a request waits for the server; after that it is asked again
                a second later.
            ticks: seconds that only go forward.

        Raises:
            ImportError: the package ``redis`` is not installed.
        """
        redis = importlib.import_module("redis")
        never = importlib.import_module("redis.retry").Retry(
            importlib.import_module("redis.backoff").NoBackoff(), 0
        )
        client = redis.Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=never,
            health_check_interval=0,
        )
        self._script: Callable[..., Any] = client.register_script(_TAKE)
        self._errors: type[Exception] = redis.RedisError
        self._own, self._ticks = Budgets(processes, ticks), ticks
        self._again = 0.0
        with suppress(self._errors, OSError):
            client.script_load(_TAKE)  # connected by the time that a request waits for it
        self._lock = threading.Lock()
        self.divided = 0  # requests that were taken from this process' own part
        self.trouble = ""  # why the server was not asked; empty while it answers

    def take(self, campaign_id: str, per_hour: int) -> float:
        """Take one request from a campaign's budget; return 0, or the seconds until there is one to take."""
        if self._ticks() >= self._again:
            try:
                return self._shared(campaign_id, per_hour)
            except (self._errors, OSError, ValueError) as error:
                self._again, self.trouble = self._ticks() + _AGAIN, f"Redis does not answer: {error}"
        with self._lock:
            self.divided += 1
        return self._own.take(campaign_id, per_hour)

    def _shared(self, campaign_id: str, per_hour: int) -> float:
        rate = max(per_hour, 1) / HOUR
        most = max(rate * BURST, 1.0)
        wait = float(self._script(keys=[_PREFIX + campaign_id], args=[repr(rate), repr(most)]))
        self.trouble = ""
        return wait


def budgets_for(url: str, processes: int) -> Budget:
    """Return budgets shared through ``url``; divided where there is none, or, saying so, no client for it."""
    if not url:
        return Budgets(processes)
    try:
        return SharedBudgets(url, processes=processes)
    except ImportError as error:
        divided = Budgets(processes)
        divided.trouble = f"budgets are divided by {processes} processes: {error}"
        return divided
