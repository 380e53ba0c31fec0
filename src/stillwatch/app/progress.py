"""How a long command tells that it moves; the pipeline reports, whoever called it decides how to show it."""

from __future__ import annotations

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
