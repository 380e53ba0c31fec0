"""DuckDB in this process: the default engine."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import duckdb
import pyarrow as pa

from stillwatch.contracts import ContractError, UsageError
from stillwatch.engines.engine import Batchwise, EngineError, Remark
from stillwatch.engines.frequent import frequent
from stillwatch.engines.parquet import write_parquet
from stillwatch.engines.plain import plain_reader

_QUANTITY: Final = re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B", re.IGNORECASE)
_Config: TypeAlias = dict[str, str | bool | int | float | list[str]]
_BATCH_ROWS: Final = 65_536
_MAPPERS: Final = 2
"""Threads that map batches: they, the reader and the writer keep two cores busy, and memory small."""

_AHEAD: Final = "64MiB"
"""Rows that are made while the ones before are worked on: by default less than one batch of sketches."""

_BEING_MADE: Final = "being made"
_REGISTERED: Final = "registered"
_UNREADABLE: Final = (duckdb.IOException, duckdb.InvalidInputException)


class DuckDB:
    """An :class:`~stillwatch.engines.engine.Engine` over a private in-memory database."""

    def __init__(self, memory: str, threads: int | None, spill: Path) -> None:
        """Open a database; see :func:`~stillwatch.engines.engine.open_engine` for the arguments."""
        self._spill, self._mapped, self._numbers = spill, dict[str, Path](), count()
        self._kinds = dict[
            str, str
        ]()  # what each name is: asking the catalogue takes longer than most queries
        self._connection = duckdb.connect(":memory:", config=_settings(memory, threads, spill))
        # Only now: the settings above load the built-in extensions that they belong to.
        self._connection.execute("SET autoload_known_extensions = false")
        self._connection.execute(f"SET streaming_buffer_size = '{_AHEAD}'")
        self._connection.execute("SET lock_configuration = true")

    def bind(self, name: str, source: pa.Table | Sequence[Path], schema: pa.Schema | None = None) -> None:
        """See :meth:`Engine.bind`."""
        if not isinstance(source, pa.Table) and not source:
            source = _empty(name, schema)
        self.forget(name)
        if isinstance(source, pa.Table):
            self._connection.register(name, source)
            self._kinds[name] = _REGISTERED
            return
        files = ", ".join(_literal(str(path)) for path in source)
        self.view(name, f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)")

    def keep(self, name: str, sql: str) -> None:
        """See :meth:`Engine.keep`."""
        with _explained():  # the query may read what it takes the place of
            self._connection.execute(f"CREATE TABLE {_quoted(_BEING_MADE)} AS {sql}")
        self._rename(name)

    def view(self, name: str, sql: str) -> None:
        """See :meth:`Engine.view`."""
        self.forget(name)
        with _explained():
            self._connection.execute(f"CREATE TEMP VIEW {_quoted(name)} AS {sql}")
        self._kinds[name] = "VIEW"

    def table(self, sql: str) -> pa.Table:
        """See :meth:`Engine.table`."""
        return self.stream(sql).read_all()

    def frequent(self, sql: str, least: int) -> pa.Table:
        """See :meth:`Engine.frequent`."""
        rows = self.table(f"SELECT count(*) AS n FROM ({sql})")["n"][0].as_py()
        return frequent(partial(self.stream, sql), least, rows)

    def map(self, name: str, sql: str, function: Batchwise, schema: pa.Schema) -> None:
        """See :meth:`Engine.map`.

        The rows lie in a file: as many as there are exchanges, they would fill the memory uncompressed.
        """
        path = self._spill / f"mapped-{next(self._numbers)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _explained(), ThreadPoolExecutor(_MAPPERS) as pool, self._connection.cursor() as writer:
                made = pa.RecordBatchReader.from_batches(schema, _ahead(pool, function, self.stream(sql)))
                writer.register("mapped", made)
                writer.execute(f"COPY mapped TO {_literal(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)")
            self.bind(name, [path])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._mapped[name] = path

    def forget(self, name: str) -> None:
        """See :meth:`Engine.forget`: a registered table, a view of files, or a kept result."""
        kind = self._kinds.pop(name, None)
        if kind == _REGISTERED:
            self._connection.unregister(name)
        elif kind is not None:
            self._connection.execute(f"DROP {kind} {_quoted(name)}")
        if name in self._mapped:
            self._mapped.pop(name).unlink(missing_ok=True)

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """See :meth:`Engine.stream`."""
        with _explained():
            reader = self._connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
        return plain_reader(reader.schema, _watched(reader))

    def write(self, sql: str, path: Path) -> int:
        """See :meth:`Engine.write`."""
        reader = self.stream(sql)
        return write_parquet(reader, reader.schema, path)

    def remarks(self) -> Sequence[Remark]:
        """See :meth:`Engine.remarks`: it comes whole, and what it can be told is told when it opens."""
        return ()

    def _rename(self, name: str) -> None:
        """Give what was made the name that it is for."""
        self.forget(name)
        self._connection.execute(f"ALTER TABLE {_quoted(_BEING_MADE)} RENAME TO {_quoted(name)}")
        self._kinds[name] = "TABLE"

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        self._connection.close()
        for path in self._mapped.values():
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self._spill.rmdir()  # where something was mapped, and nothing else lies there

    def __enter__(self) -> Self:
        """Return the open engine."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        self.close()


def _settings(memory: str, threads: int | None, spill: Path) -> _Config:
    if not _QUANTITY.fullmatch(memory):
        raise UsageError(
            f"{memory!r} is not an amount of memory", field="memory", remedy="Write it as 4GiB or 512MiB"
        )
    if threads is not None and threads < 1:
        raise UsageError(
            f"{threads} threads cannot run a query", field="threads", remedy="Allow at least one"
        )
    # DuckDB makes the folder itself when it first spills, and removes only what it made.
    spill.parent.mkdir(parents=True, exist_ok=True)
    settings: _Config = {
        "memory_limit": memory,
        "temp_directory": str(spill),
        "TimeZone": "UTC",
        "default_null_order": "nulls_last",
        # Only ORDER BY orders rows: keeping the files' order as well would cost memory.
        "preserve_insertion_order": False,
        # SQL sees bound tables alone, never a variable of the calling Python code.
        "python_enable_replacements": False,
        # A scan reads its inputs and nothing else: no query fetches or loads an extension.
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        "allow_extension_repositories": "forbidden",
    }
    if threads is not None:
        settings["threads"] = threads
    return settings


def _ahead(
    pool: Executor, function: Batchwise, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Map over the batches in threads, a few at a time, while the next ones are read."""
    waiting: deque[Future[pa.RecordBatch]] = deque()
    for batch in batches:
        waiting.append(pool.submit(function, batch))
        if len(waiting) > _MAPPERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _empty(name: str, schema: pa.Schema | None) -> pa.Table:
    if schema is None:
        raise ContractError(
            f"table {name} has neither files nor a schema", remedy="Please report this as a defect"
        )
    return schema.empty_table()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the failures that a user can do something about into errors that say what."""
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from error  # the engine saw Ctrl-C before Python did
    except duckdb.OutOfMemoryException as error:
        raise EngineError(
            f"a query needs more memory than it may use ({_first_line(error)})",
            remedy="Raise --memory, or free disk space for what queries spill",
        ) from error
    except duckdb.Error as error:
        # A damaged file comes as the bare base class, as its metadata decoder has no class of its own.
        if type(error) is not duckdb.Error and not isinstance(error, _UNREADABLE):
            raise
        raise EngineError(
            f"a query could not read a file ({_first_line(error)})",
            remedy="Check that the file is there, whole and readable",
        ) from error


def _watched(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield from ``reader``; once rows flow, Arrow passes every failure of the engine on as OSError."""
    try:
        yield from reader
    except OSError as error:
        raise EngineError(
            f"a query stopped half way ({_first_line(error)})",
            remedy="Raise --memory, free disk space for what queries spill, or replace the damaged file",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
