"""How much may be under way at once: beyond it a sender is told to come again, and nothing is dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.app.service.errors import ApiError

_AGAIN = 2  # seconds


class Room:
    """A number of requests, and of bytes that they hold together."""

    def __init__(self, most_requests: int, most_bytes: int) -> None:
        """Neither bound is ever passed; a place is given back when its request is answered."""
        self._most_requests, self._most_bytes = most_requests, most_bytes
        self._lock = threading.Lock()
        self._requests = self._bytes = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Give a request its place.

        Raises:
            ApiError: all are taken (429).
        """
        with self._lock:
            if self._requests >= self._most_requests:
                raise _busy(f"{self._most_requests} requests are under way")
            self._requests += 1
        place = Place(self)
        try:
            yield place
        finally:
            with self._lock:
                self._requests -= 1
                self._bytes -= place.bytes

    def grow(self, size: int) -> None:
        """Take ``size`` bytes more for a request.

        Raises:
            ApiError: there are not so many left (429).
        """
        with self._lock:
            if self._bytes + size > self._most_bytes:
                raise _busy("too many bytes are under way")
            self._bytes += size


class Place:
    """A request's share of the room."""

    def __init__(self, room: Room) -> None:
        self._room, self.bytes = room, 0

    def hold(self, size: int) -> None:
        """Hold ``size`` bytes more.

        Raises:
            ApiError: there are not so many left (429).
        """
        self._room.grow(size)
        self.bytes += size


def _busy(what: str) -> ApiError:
    return ApiError(429, "busy", what, remedy="Send it again after a moment.", retry_after=_AGAIN)
