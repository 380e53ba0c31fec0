"""Keys straight from the database, remembered for a moment: for verifiers that have one at hand."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from stillwatch.access.keys.known import KnownKey, known
from stillwatch.access.keys.rules import DEFAULT, KeyRules
from stillwatch.access.keys.store import KeyStore
from stillwatch.contracts import StoreError

LASTS: Final = 0.4
"""Seconds that a key is remembered: one that is revoked holds no more within half a second."""

_MOST: Final = 10_000


class CachedKeys:
    """A source of keys; see :class:`~stillwatch.access.keys.known.KeySource`.

    While the database is away, a key that was seen holds on as it was; one that was not is nobody's.
    """

    def __init__(
        self, store: KeyStore, rules: KeyRules = DEFAULT, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask ``store``; it waits for the database."""
        self._store, self._ticks, self._lock = store, ticks, threading.Lock()
        self._seen: OrderedDict[str, tuple[float, KnownKey | None]] = OrderedDict()
        self.rules = rules
        self.trouble = ""

    def find(self, key_id: str) -> KnownKey | None:
        """Return a key, None where there is none of this id."""
        now = self._ticks()
        until, key = self._seen.get(key_id, (0.0, None))
        if now < until:
            return key
        try:
            found = self._store.find(key_id)
            self.trouble = ""
        except StoreError as error:
            self.trouble = str(error)
            return key
        key = None if found is None else known(found)
        with self._lock:
            self._seen[key_id] = now + LASTS, key
            self._seen.move_to_end(key_id)
            while len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        return key
