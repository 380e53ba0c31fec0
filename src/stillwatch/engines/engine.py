"""What the stages ask of an engine, and the list of engines there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import pyarrow as pa

from stillwatch.contracts import StillwatchError, UsageError

Batchwise = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Work on one batch of rows, which knows of no other."""


class EngineError(StillwatchError):
    """A query that could not run to its end: not enough memory or disk, or a file that cannot be read."""


@dataclass(frozen=True)
class Remark:
    """Something about how an engine is set up; ``remedy`` is empty where all is well."""

    topic: str
    what: str
    remedy: str = ""
    grave: bool = False  # keeps a scan from running


class Engine(Protocol):
    """Runs SQL over bound tables; one caller at a time.

    Queries are written in DuckDB's dialect, kept to what SQLGlot can carry to other engines. Results
    are plain: timestamps in UTC and microseconds, sums of integers as ``int64``. A query whose rows
    leave the engine ends in ``ORDER BY ... NULLS LAST`` over a key that is unique: without it the
    order of rows is not defined.
    """

    def bind(self, name: str, source: pa.Table | Sequence[Path], schema: pa.Schema | None = None) -> None:
        """Make ``source`` readable in queries as ``name``, in place of what had that name.

        Args:
            name: the table's name in queries.
            source: an Arrow table, or Parquet files of one schema (folder names such as
                ``hour=07`` add no columns).
            schema: what the table looks like when there are no files.

        Raises:
            ContractError: there are no files and no schema.
            EngineError: a file cannot be read.
        """

    def keep(self, name: str, sql: str) -> None:
        """Make the result of ``sql`` readable in queries as ``name``, in place of what had that name.

        The engine keeps the rows, in no order, in its memory and beyond that in its spill folder.
        """

    def view(self, name: str, sql: str) -> None:
        """Make ``sql`` readable in queries as ``name``, in place of what had that name; it is run by each.

        What it reads has to stay bound for as long as it is asked.
        """

    def table(self, sql: str) -> pa.Table:
        """Return the whole result of ``sql``."""

    def frequent(self, sql: str, least: int) -> pa.Table:
        """Return the values of ``sql`` that occur at least ``least`` times, in no order.

        Args:
            sql: a query of ``timestamp`` and of any number of columns of unsigned 64-bit hashes, or of lists
                of them; each value that stands in one of them has occurred then.
            least: how often, from 1 to 255.

        Returns:
            ``fp``, ``occurrences`` (int64) and ``first`` (the earliest ``timestamp``). Memory holds what is
            frequent, and a little more, however many values there are.
        """

    def map(self, name: str, sql: str, function: Batchwise, schema: pa.Schema) -> None:
        """Make what ``function`` gives for the rows of ``sql`` readable as ``name``, as :meth:`keep` does.

        There may be as many rows as there are exchanges: they need not fit into memory.

        Args:
            name: the table's name in queries.
            sql: the query whose rows are passed on in batches of any size and order.
            function: returns a batch of ``schema`` for each; several may be at work at once. Put together its
                rows must not depend on how the rows it took were cut into batches, unless the next query
                does not mind.
            schema: of what it returns.
        """

    def forget(self, name: str) -> None:
        """Let go of what queries read as ``name``, if there is any: no later query reads it."""

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """Return the result of ``sql`` batch by batch; valid until the engine's next query."""

    def write(self, sql: str, path: Path) -> int:
        """Write the result of ``sql`` as one Parquet file and return its number of rows.

        The file appears whole or not at all, and its bytes depend on nothing but the rows.
        """

    def remarks(self) -> Sequence[Remark]:
        """Look at what is usually set up wrong, and say what was found."""

    def close(self) -> None:
        """Let go of memory and spill files."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def _open_duckdb(memory: str, threads: int | None, spill: Path, master: str | None) -> Engine:
    from stillwatch.engines.duckdb import DuckDB

    if master is not None:
        raise UsageError(
            "DuckDB runs in this process and has no master",
            field="--spark-master",
            remedy="Leave it out, or choose --engine spark",
        )
    return DuckDB(memory, threads, spill)


def _open_spark(memory: str, threads: int | None, spill: Path, master: str | None) -> Engine:
    try:
        from stillwatch.engines.spark import Spark
    except ImportError as error:
        raise UsageError(
            f"Spark is not installed ({error})",
            field="--engine",
            remedy="Install it: pip install 'stillwatch[spark]'",
        ) from error
    return Spark(memory, threads, spill, master)


ENGINES: Final[Mapping[str, Callable[[str, int | None, Path, str | None], Engine]]] = {
    "duckdb": _open_duckdb,
    "spark": _open_spark,
}
"""Every engine by the name that ``--engine`` takes; each is imported only when it is opened."""


def open_engine(
    name: str = "duckdb",
    *,
    memory: str = "4GiB",
    threads: int | None = None,
    spill: Path,
    master: str | None = None,
) -> Engine:
    """Open the engine called ``name``.

    Args:
        name: one of :data:`ENGINES`.
        memory: what queries may hold at once, such as ``512MiB``; beyond it they spill.
        threads: how many threads a query may use; all cores where None.
        spill: folder of this engine alone for what does not fit into memory; gone once it is closed.
        master: the cluster to run on, for an engine that can; this machine where None.

    Raises:
        UsageError: no engine has this name or it is not installed, ``memory`` or ``threads`` is not a
            quantity, or ``master`` is no address that the engine takes.
        EngineError: the cluster cannot be reached, or gives nothing to compute with.
    """
    if name not in ENGINES:
        raise UsageError(
            f"there is no engine {name!r}", remedy=f"Choose one of: {', '.join(sorted(ENGINES))}"
        )
    return ENGINES[name](memory, threads, spill, master)
