"""Parquet files that appear whole or not at all, with bytes that depend on the rows alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

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


def encode_parquet(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    path: Path | pa.BufferOutputStream,
    *,
    row_group: int = ROW_GROUP,
    encoding: Encoding = KEPT,
) -> int:
    """Write as :func:`write_parquet` does, but in place: for files that their maker syncs and moves later."""
    rows = 0
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    dictionaries = text if encoding.has_dictionaries else False
    # Least and most tell where to look for a time; of fingerprints they tell nothing and take time.
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    with pq.ParquetWriter(
        path,
        schema,
        compression=encoding.codec,
        compression_level=encoding.level,
        use_dictionary=dictionaries,
        write_statistics=times or False,
    ) as writer:
        for group in _row_groups(batches, schema, row_group):
            writer.write_table(group, row_group)
            rows += group.num_rows
    return rows


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


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Cut ``batches`` anew: each group is full but the last, and lies in one piece."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= size:
            table = pa.Table.from_batches(waiting, schema)
            yield _in_one_piece(table.slice(0, size))
            waiting, rows = table.slice(size).to_batches(), rows - size
    if rows:
        yield _in_one_piece(pa.Table.from_batches(waiting, schema))


def _in_one_piece(table: pa.Table) -> pa.Table:
    """Return the table with one chunk a column; ``combine_chunks`` would copy those that have one, too."""
    return table if all(column.num_chunks == 1 for column in table.columns) else table.combine_chunks()
