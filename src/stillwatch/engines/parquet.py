"""Parquet files that appear whole or not at all, with bytes that depend on the rows alone."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP: Final = 65_536
"""Rows in a row group of a file that is kept."""


class Encoding(NamedTuple):
    """How columns are written."""

    codec: str
    level: int | None  # of the codec; its own where None
    has_dictionaries: bool  # of text


KEPT: Final = Encoding("zstd", 1, has_dictionaries=True)
"""For files that stay. No dictionaries of numbers: they cost time, and zstd finds the few that repeat.

Fingerprints are chance to a codec, so that a higher level takes longer and saves nothing.
"""

PASSING: Final = Encoding("lz4", None, has_dictionaries=False)
"""For files that are soon read and removed: speed counts for more than size."""

_SYNCS: Final = 16
_UNFINISHED: Final = re.compile(r"\..+\.\d+\.tmp")


def write_parquet(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    path: Path,
    *,
    row_group: int = ROW_GROUP,
    encoding: Encoding = KEPT,
) -> int:
    """Write ``batches`` of ``schema`` to ``path``, whole or not at all, and return the number of rows.

    How the rows are cut into batches leaves no mark on the file. Memory holds one row group.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as unfinished:
        return encode_parquet(batches, schema, unfinished, row_group=row_group, encoding=encoding)


def writing_parquet(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path
) -> Generator[pa.RecordBatch, None, None]:
    """Yield ``batches`` while they are written as :func:`write_parquet` does.

    The file is there once all were taken; where they were not there is none.
    """
    with replacing(path) as unfinished, _Writer(unfinished, schema, ROW_GROUP, KEPT) as writer:
        for batch in batches:
            writer.add(batch)
            yield batch


def encode_parquet(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    path: Path | pa.BufferOutputStream,
    *,
    row_group: int = ROW_GROUP,
    encoding: Encoding = KEPT,
) -> int:
    """Write as :func:`write_parquet` does, but in place: for files that their maker syncs and moves later."""
    with _Writer(path, schema, row_group, encoding) as writer:
        for batch in batches:
            writer.add(batch)
    return writer.rows


class _Writer:
    """Cuts batches anew into row groups: each is full but the last, and lies in one piece."""

    def __init__(
        self, path: Path | pa.BufferOutputStream, schema: pa.Schema, row_group: int, encoding: Encoding
    ) -> None:
        text = [field.name for field in schema if pa.types.is_string(field.type)]
        # Least and most tell where to look for a time; of fingerprints they tell nothing and take time.
        times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
        self._file = pq.ParquetWriter(
            path,
            schema,
            compression=encoding.codec,
            compression_level=encoding.level,
            use_dictionary=text if encoding.has_dictionaries else False,
            write_statistics=times or False,
        )
        self.rows = 0
        self._schema, self._row_group = schema, row_group
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0  # rows of those

    def add(self, batch: pa.RecordBatch) -> None:
        """Write ``batch``, once a row group is full."""
        self._waiting.append(batch)
        self._held += batch.num_rows
        while self._held >= self._row_group:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._write(table.slice(0, self._row_group))
            self._waiting = table.slice(self._row_group).to_batches()
            self._held -= self._row_group

    def _write(self, group: pa.Table) -> None:
        self._file.write_table(_in_one_piece(group), self._row_group)
        self.rows += group.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._held:
                self._write(pa.Table.from_batches(self._waiting, self._schema))
        finally:
            self._file.close()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; what is written there takes its place when all went well."""
    unfinished = _unfinished(path)
    try:
        yield unfinished
        sync(unfinished)
        unfinished.replace(path)
        sync(path.parent)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def write_files(contents: Mapping[Path, pa.Buffer]) -> None:
    """Write files, each whole or not at all, with one wait for the disk.

    Raises:
        OSError: the disk is full, or a folder cannot be written.
    """
    unfinished = {path: _unfinished(path) for path in contents}
    try:
        for path, content in contents.items():
            unfinished[path].write_bytes(content)
        sync_all(unfinished.values())
        for path, written in unfinished.items():
            written.replace(path)
        sync_all({path.parent for path in contents})
    except BaseException:
        for written in unfinished.values():
            with suppress(OSError):
                written.unlink()
        raise


def sweep(folders: Iterable[Path]) -> None:
    """Remove what :func:`replacing` left in ``folders`` when its process died; for who is alone there."""
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            if _UNFINISHED.fullmatch(path.name):
                path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the file or folder at ``path`` is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Iterable[Path]) -> None:
    """Sync many files or folders; at once, because a disk answers many such waits in the time of one."""
    with ThreadPoolExecutor(_SYNCS) as pool:
        list(pool.map(sync, paths))


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _in_one_piece(table: pa.Table) -> pa.Table:
    """Return the table with one chunk a column; ``combine_chunks`` would copy those that have one, too."""
    return table if all(column.num_chunks == 1 for column in table.columns) else table.combine_chunks()
