"""DPoP proofs that were seen: each may be used once (RFC 9449, 11.1).

A proof is known by 16 bytes of hash over its key and its ``jti``, for as long as it could be used. Without
Redis each process knows its own, and says so.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Protocol

_MOST: Final = 1_000_000
_PATIENCE: Final = 0.05
_AGAIN: Final = 1.0
_PREFIX: Final = b"stillwatch:dpop:"


class Replays(Protocol):
    """Remembers proofs."""

    trouble: str  # why a proof could be used again; empty where it could not

    def is_new(self, proof: bytes, seconds: float) -> bool:
        """Remember a proof for at least so many seconds; return whether it was not remembered already."""


class FullError(Exception):
    """So many proofs are remembered that another cannot be: it must not pass."""


def proof_id(jkt: str, jti: str) -> bytes:
    """Return what a proof is known by."""
    return blake2b(f"{jkt}\0{jti}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class OwnReplays:
    """Remembers the proofs of this process, in two halves: the older one goes when the newer is as old.

    None goes before its time: where there is no room, no further proof is new.
    """

    def __init__(
        self, *, processes: int = 1, most: int = _MOST, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember at most ``most`` proofs; ``processes`` is how many verify the same keys."""
        self._most, self._ticks, self._lock = most, ticks, threading.Lock()
        self._newer: set[bytes] = set()
        self._older: set[bytes] = set()
        self._turns_at = 0.0
        self.trouble = (
            f"a DPoP proof can be used once in each of {processes} processes: give --redis"
            if processes > 1
            else ""
        )

    def is_new(self, proof: bytes, seconds: float) -> bool:
        """See :meth:`Replays.is_new`.

        Raises:
            FullError: there is no room.
        """
        with self._lock:
            return self._is_new(proof, seconds)

    def _is_new(self, proof: bytes, seconds: float) -> bool:
        now = self._ticks()
        if now >= self._turns_at:
            idle = now >= self._turns_at + seconds
            self._older, self._newer = (set() if idle else self._newer), set()
            self._turns_at = now + seconds
        if proof in self._newer or proof in self._older:
            return False
        if len(self._newer) + len(self._older) >= self._most:
            raise FullError
        self._newer.add(proof)
        return True


class SharedReplays:
    """Remembers proofs in Redis, so that all processes know them; in this one while it does not answer."""

    def __init__(self, url: str, *, processes: int = 1, ticks: Callable[[], float] = time.monotonic) -> None:
        """Share through the server at ``url``, which need not be there yet.

        Raises:
            ImportError: the package ``redis`` is not installed.
        """
        redis = importlib.import_module("redis")
        never = importlib.import_module("redis.retry").Retry(
            importlib.import_module("redis.backoff").NoBackoff(), 0
        )
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=never
        )
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._own, self._ticks = OwnReplays(processes=processes, ticks=ticks), ticks
        self._again = 0.0
        self.trouble = ""

    def is_new(self, proof: bytes, seconds: float) -> bool:
        """See :meth:`Replays.is_new`; what this process has seen itself is never new, Redis or not."""
        new = self._own.is_new(proof, seconds)
        if not new or self._ticks() < self._again:
            return new
        try:
            first = self._client.set(_PREFIX + proof, b"", nx=True, ex=math.ceil(seconds))
            self.trouble = ""
        except self._errors as error:
            self._again = self._ticks() + _AGAIN
            self.trouble = f"a DPoP proof can be used once in each process: Redis does not answer: {error}"
            return new
        return bool(first)


def replays_for(url: str, processes: int) -> Replays:
    """Return what remembers proofs: through ``url`` where there is one, else in this process."""
    return SharedReplays(url, processes=processes) if url else OwnReplays(processes=processes)
