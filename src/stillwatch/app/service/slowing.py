"""Rates: how often one client may do something before it is told to come again later."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

from stillwatch.app.service.authorising import Authorise
from stillwatch.app.service.errors import ApiError

_MOST_CLIENTS: Final = 10_000


class Rate:
    """A bucket for each client that fills evenly; safe from several threads."""

    def __init__(self, times: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``times`` at once, and as many again every ``seconds``."""
        self._times, self._each, self._clock = times, seconds / times, clock
        self._lock = threading.Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when a client's bucket is full again

    def take(self, client: str) -> float:
        """Take once; return 0 where the client may, else the seconds until it may."""
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.get(client, now), now)
            wait = full_at + self._each - now - self._times * self._each
            if wait > 1e-9:
                return wait
            self._full_at[client] = full_at + self._each
            self._full_at.move_to_end(client)
            while len(self._full_at) > _MOST_CLIENTS:
                self._full_at.popitem(last=False)
        return 0.0


def slowed(authorise: Authorise, failures: Rate) -> Authorise:
    """Return what tells a client that failed too often to come again later.

    A token that holds always passes: clients behind one address must not be able to lock each other out, and
    a token is too long to be guessed at any rate.
    """

    def authorise_slowly(connection: HTTPConnection, scope: str) -> None:
        try:
            authorise(connection, scope)
        except ApiError as error:
            refuse_beyond(failures, client_of(connection), "too many tokens that do not hold")
            raise error from None

    return authorise_slowly


def refuse_beyond(rate: Rate, client: str, what: str) -> None:
    """Count once for a client.

    Raises:
        ApiError: it is beyond its rate (429).
    """
    wait = rate.take(client)
    if wait:
        raise ApiError(429, "too_often", what, remedy="Come again after a while.", retry_after=int(wait) + 1)


def client_of(connection: HTTPConnection) -> str:
    """Return who is connected, whatever a header says."""
    return connection.client.host if connection.client else ""
