"""Apache Spark: the engine for logs that one machine is too small for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from stillwatch.engines.duckdb import DuckDB
from stillwatch.engines.engine import Batchwise, EngineError, Remark
from stillwatch.engines.parquet import write_parquet
from stillwatch.engines.spark_checks import examine
from stillwatch.engines.spark_session import open_session
from stillwatch.engines.spark_sql import spark_sql
from stillwatch.engines.spark_types import returned, stored_schema, stored_table

_FREQUENT: Final = """
    SELECT fp, count(*) AS occurrences, min(timestamp) AS first
    FROM ({values}) AS every WHERE fp IS NOT NULL GROUP BY fp HAVING count(*) >= {least}
"""
_PACKED: Final = "batch binary"


class Spark:
    """An :class:`~stillwatch.engines.engine.Engine` over a session of its own.

    DuckDB stands beside it with the same tables, all empty: what it makes of a query says in which types
    the rows come back, and what is no query of ours fails there in the words that it fails in everywhere.
    """

    def __init__(self, memory: str, threads: int | None, spill: Path, master: str | None) -> None:
        """Open a session; see :func:`~stillwatch.engines.engine.open_engine` for the arguments."""
        self._shapes = DuckDB(memory, threads, spill)
        self._opened = open_session(master, memory, threads)
        self._session = self._opened.session
        self._kept: dict[str, str] = {}  # what was kept -> the view that holds its rows
        self._numbers = count()
        self._shown: set[str] = set()

    def bind(self, name: str, source: pa.Table | Sequence[Path], schema: pa.Schema | None = None) -> None:
        """See :meth:`Engine.bind`."""
        if isinstance(source, pa.Table):
            self._shapes.bind(name, source.schema.empty_table())
            self._show(name, self._frame(source))
            return
        self._shapes.bind(name, list(source)[:1], schema)
        if not source:
            self._show(name, self._frame(self._shape(f"SELECT * FROM {_quoted(name)}").empty_table()))
            return
        for path in source:
            _refuse_empty(path)
        columns = from_arrow_schema(stored_schema(self._shape(f"SELECT * FROM {_quoted(name)}")))
        with _explained():
            # Paths as they are: Spark would take brackets and stars in them for a pattern.
            reader = self._session.read.schema(columns).option("__globPaths__", "false")
            self._show(name, reader.parquet(*(str(path.absolute()) for path in source)))

    def keep(self, name: str, sql: str) -> None:
        """See :meth:`Engine.keep`."""
        shape = self._shape(sql)
        with _explained():
            self._keep(name, self._query(sql))
        self._shapes.bind(name, shape.empty_table())

    def view(self, name: str, sql: str) -> None:
        """See :meth:`Engine.view`."""
        shape = self._shape(sql)
        with _explained():
            self._show(name, self._query(sql))
        self._shapes.bind(name, shape.empty_table())

    def table(self, sql: str) -> pa.Table:
        """See :meth:`Engine.table`."""
        shape = self._shape(sql)
        with _explained():
            return returned(self._query(sql).toArrow(), shape)

    def frequent(self, sql: str, least: int) -> pa.Table:
        """See :meth:`Engine.frequent`."""
        values = " UNION ALL ".join(
            f"SELECT {_values(field)} AS fp, timestamp FROM ({sql}) AS t"
            for field in self._shape(sql)
            if field.name != "timestamp"
        )
        return self.table(_FREQUENT.format(values=values, least=least))

    def map(self, name: str, sql: str, function: Batchwise, schema: pa.Schema) -> None:
        """See :meth:`Engine.map`."""
        work = partial(_mapped, function, self._shape(sql), stored_schema(schema))
        with _explained():
            self._keep(name, self._query(sql).mapInArrow(work, from_arrow_schema(stored_schema(schema))))
        self._shapes.bind(name, schema.empty_table())

    def forget(self, name: str) -> None:
        """See :meth:`Engine.forget`."""
        self._shapes.forget(name)
        if name in self._shown:
            self._release(name)
            self._session.catalog.dropTempView(name)
            self._shown.remove(name)

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """See :meth:`Engine.stream`."""
        shape = self._shape(sql)
        return pa.RecordBatchReader.from_batches(shape, self._batches(sql, shape))

    def write(self, sql: str, path: Path) -> int:
        """See :meth:`Engine.write`."""
        shape = self._shape(sql)
        return write_parquet(self._batches(sql, shape), shape, path)

    def remarks(self) -> Sequence[Remark]:
        """See :meth:`Engine.remarks`."""
        return examine(self._session)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        for name in self._shown:
            self._release(name)
            self._session.catalog.dropTempView(name)
        self._opened.close()
        self._shapes.close()

    def __enter__(self) -> Self:
        """Return the open engine."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        self.close()

    def _shape(self, sql: str) -> pa.Schema:
        """Return the names and types that the rows of ``sql`` have."""
        return self._shapes.table(f"SELECT * FROM ({sql}) LIMIT 0").schema

    def _query(self, sql: str) -> DataFrame:
        return self._session.sql(spark_sql(sql))

    def _frame(self, table: pa.Table) -> DataFrame:
        stored = stored_table(table)
        if not stored.num_rows:  # which may be of no chunks, and Spark asks the first one what it holds
            return self._session.createDataFrame([], from_arrow_schema(stored.schema))
        return self._session.createDataFrame(stored)

    def _show(self, name: str, frame: DataFrame) -> None:
        self._release(name)
        frame.createOrReplaceTempView(name)
        self._shown.add(name)

    def _keep(self, name: str, frame: DataFrame) -> None:
        """Work the rows out now: what goes wrong with them goes wrong here, and leaves the name as it was."""
        kept = f"kept_{next(self._numbers)}"
        frame.createOrReplaceTempView(kept)
        try:
            self._session.catalog.cacheTable(kept)
            self._session.table(kept).count()
        except BaseException:
            self._drop(kept)
            raise
        self._show(name, self._session.table(kept))
        self._kept[name] = kept

    def _drop(self, kept: str) -> None:
        self._session.catalog.uncacheTable(kept)
        self._session.catalog.dropTempView(kept)

    def _release(self, name: str) -> None:
        """Let go of the rows that were kept under this name; who reads them still works them out anew."""
        if name in self._kept:
            self._drop(self._kept.pop(name))

    def _batches(self, sql: str, shape: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, one partition at a time, so that this process never holds them all.

        Each batch travels as one value: Spark gives rows one by one only as Python objects.
        """
        with _explained():
            for row in self._query(sql).mapInArrow(_packed, _PACKED).toLocalIterator():
                for batch in pa.ipc.open_stream(row.batch):
                    yield returned(batch, shape)


def _refuse_empty(path: Path) -> None:
    """Refuse a file of no bytes, which Spark passes over as if it were no file."""
    if path.exists() and not path.stat().st_size:
        raise EngineError(
            f"a query could not read a file ({path} is empty)", remedy="Check that the file is whole"
        )


def _packed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn each batch into a batch of one row that holds it."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        yield pa.record_batch({"batch": pa.array([sink.getvalue().to_pybytes()], pa.binary())})


def _values(field: pa.Field) -> str:
    return f"unnest({field.name})" if pa.types.is_list(field.type) else field.name


def _mapped(
    function: Batchwise, shape: pa.Schema, stored: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Pass each batch through ``function`` in the types that it takes; runs on Spark's workers."""
    for batch in batches:
        made = function(returned(batch, shape))
        columns = [column.cast(field.type) for column, field in zip(made.columns, stored, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=stored)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the failures that a user can do something about into errors that say what."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        told = str(error)
        if any(sign in told for sign in _UNREADABLE):
            raise EngineError(
                f"a query could not read a file ({_telling_line(told)})",
                remedy="Check that the file is there, whole and readable, on every machine of the cluster",
            ) from error
        if any(sign in told for sign in _EXHAUSTED):
            raise EngineError(
                f"a query needs more memory or machines than it has ({_telling_line(told)})",
                remedy="Raise --memory, or give Spark more executors",
            ) from error
        raise


_UNREADABLE: Final = ("FAILED_READ_FILE", "PATH_NOT_FOUND", "FileNotFoundException")
_EXHAUSTED: Final = (
    "OutOfMemoryError",
    "SparkOutOfMemoryError",
    "ExecutorLostFailure",
    "UNABLE_TO_ACQUIRE_MEMORY",
)


def _telling_line(told: str) -> str:
    """Return the first line that names what went wrong."""
    signs = (*_UNREADABLE, *_EXHAUSTED)
    return next(line.strip() for line in told.splitlines() if any(sign in line for sign in signs))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
