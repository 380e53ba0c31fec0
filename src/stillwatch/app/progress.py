"""How a long command tells that it moves; the pipeline reports, whoever called it decides how to show it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal, Protocol

Unit = Literal["bytes", "rows"]


class Progress(Protocol):
    """Told of stages one after the other; :meth:`advance` may be called from any thread."""

    def stage(self, name: str, total: int | None = None, unit: Unit = "rows") -> None:
        """Begin the stage ``name``, which ends the one before; ``total`` is null where nobody can know it."""

    def advance(self, amount: int) -> None:
        """Add ``amount`` bytes or rows to what the stage has done."""

    def done(self) -> None:
        """End the last stage."""


class Silent:
    """Shows nothing: for the Python API, ``--quiet``, and output that is no terminal."""

    def stage(self, name: str, total: int | None = None, unit: Unit = "rows") -> None:
        """Say nothing."""

    def advance(self, amount: int) -> None:
        """Say nothing."""

    def done(self) -> None:
        """Say nothing."""


class Timed:
    """Passes on what it is told, and keeps how long each stage took."""

    def __init__(self, shown: Progress) -> None:
        """``shown`` is told everything."""
        self._shown, self._seconds = shown, dict[str, float]()
        self._stage, self._began = "", time.monotonic()

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each stage has taken so far, in the order in which they began."""
        self._count()
        return {name: round(seconds, 3) for name, seconds in self._seconds.items() if name}

    def stage(self, name: str, total: int | None = None, unit: Unit = "rows") -> None:
        """See :meth:`Progress.stage`; a stage that comes again goes on."""
        self._count()
        self._stage = name
        self._shown.stage(name, total, unit)

    def advance(self, amount: int) -> None:
        """See :meth:`Progress.advance`."""
        self._shown.advance(amount)

    def done(self) -> None:
        """See :meth:`Progress.done`."""
        self._count()
        self._stage = ""
        self._shown.done()

    def _count(self) -> None:
        began, self._began = self._began, time.monotonic()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + self._began - began
