"""Where detection keeps each stage's table: on disk in a run folder, or in memory for a single look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import pyarrow as pa

from stillwatch.contracts import conform


class StageTables(Protocol):
    """Keeps tables by name; :class:`~stillwatch.app.run_folder.RunFolder` is the one that lasts."""

    def table(self, name: str, schema: pa.Schema, make: Callable[[], pa.Table]) -> pa.Table:
        """Return the stage table ``name``, made if need be."""

    def parts(
        self, name: str, schema: pa.Schema, make: Callable[[], Iterable[pa.Table]]
    ) -> Iterable[pa.Table]:
        """Return the parts of the stage table ``name``, made if need be; how it is cut says nothing.

        They can be gone through as often as need be: the table may be too large to be held whole.
        """


class InMemory:
    """Keeps nothing beyond the engine's relations: for a judgement whose tables nobody will ask for."""

    def table(self, name: str, schema: pa.Schema, make: Callable[[], pa.Table]) -> pa.Table:
        """Make the table."""
        return conform(make(), schema, name)

    def parts(
        self, name: str, schema: pa.Schema, make: Callable[[], Iterable[pa.Table]]
    ) -> Iterable[pa.Table]:
        """Make the table."""
        return [conform(part, schema, name) for part in make()]
