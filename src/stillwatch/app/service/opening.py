"""What opens when it is first asked for, and again where it failed: a database may come after the service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Opened(Generic[_T]):
    """Opens once, for all threads; a failure is raised, and the next one who asks tries again."""

    def __init__(self, open: Callable[[], _T]) -> None:
        """Open by ``open``."""
        self._open, self._lock = open, threading.Lock()
        self._held: _T | None = None

    def __call__(self) -> _T:
        """Return what is open."""
        with self._lock:
            if self._held is None:
                self._held = self._open()
            return self._held
