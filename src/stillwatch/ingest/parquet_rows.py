"""Records in Parquet, batch by batch, as columns or as single rows."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from typing import IO, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import InputError
from stillwatch.ingest.columns import in_microseconds
from stillwatch.ingest.found import Fault
from stillwatch.ingest.inflate import Cut, inflated
from stillwatch.ingest.sources import FileInput, Input, OnBytes
from stillwatch.ingest.values import Record

MAGIC: Final = b"PAR1"
ROWS: Final = 8192
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError)  # all that the reader raises on bad bytes
_BATCH_BYTES: Final = 1 << 28  # text columns of a batch must stay below 2 GiB each


class Batch(NamedTuple):
    """Consecutive rows of a file."""

    first: int  # number of the first row, from 1
    left: int  # rows of the file from here on
    rows: pa.RecordBatch


class Damaged(ValueError):  # noqa: N818 - it describes the file
    """A file that is no Parquet, or not all of it."""


def opened(input: Input, on_bytes: OnBytes, compression: str | None, buffer: int = 0) -> pq.ParquetFile:
    """The file, from a copy without a name where it is compressed or comes through a pipe.

    Args:
        input: what is read.
        on_bytes: hears how many bytes were read to unpack it.
        compression: of the whole file, beside that of its pages.
        buffer: bytes of a column that are read at once; 0 for a row group's whole column.

    Raises:
        Damaged: there is no footer to read it by.
        InputError: there is no room for the copy.
    """
    try:
        if isinstance(input, FileInput) and compression is None:
            return pq.ParquetFile(input.path, buffer_size=buffer)
        return pq.ParquetFile(_copied(input, on_bytes), buffer_size=buffer)
    except _DAMAGE:
        raise Damaged("damaged Parquet: its footer cannot be read (a file that was cut has none)") from None
    except Cut as cut:
        raise Damaged(f"{cut}: Parquet cannot be read without its end") from None


def batches(file: pq.ParquetFile, columns: Collection[str] | None) -> Iterator[Batch | Fault]:
    """The rows in batches of at most ``ROWS``, with only ``columns`` where given."""
    first, count = 1, file.metadata.num_rows
    try:
        wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        for rows in file.iter_batches(batch_size=ROWS, columns=wanted):
            for part in _parted(rows):
                yield Batch(first, count - first + 1, part)
                first += part.num_rows
    except _DAMAGE:
        pass  # told below, as rows that a damaged page leaves out without an error
    if first <= count:
        lost = count - first + 1
        yield Fault(first, f"damaged Parquet: {lost} rows from here on cannot be read", b"")


def sample(file: pq.ParquetFile, count: int) -> list[Record]:
    """The first rows; the columns' names alone where there are none, or where they cannot be read."""
    try:
        first = next(file.iter_batches(batch_size=count), None) if file.metadata.num_rows else None
        return records(first) if first is not None else [dict.fromkeys(file.schema_arrow.names)]
    except _DAMAGE:
        return [dict.fromkeys(file.schema.names)]


def records(rows: pa.RecordBatch) -> list[Record]:
    """Single rows; text that is not UTF-8 comes as bytes, times in microseconds."""
    if not rows.num_columns:
        return [{} for _ in range(rows.num_rows)]
    columns = [_values(_readable(array)) for array in rows.columns]
    names = rows.schema.names
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _copied(input: Input, on_bytes: OnBytes) -> IO[bytes]:
    try:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the Parquet reader closes it
        for chunk in inflated(input.chunks(on_bytes)):
            copy.write(chunk)
        copy.seek(0)  # writes what is left
    except OSError as error:
        raise InputError(
            f"it must be unpacked to be read, and the temporary folder does not take it ({error.strerror})",
            remedy="Free space there, or name another folder with TMPDIR",
            file=input.path,
        ) from error
    return copy


def _parted(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if rows.nbytes <= _BATCH_BYTES or rows.num_rows == 1:
        yield rows
        return
    half = rows.num_rows // 2
    yield from _parted(rows.slice(0, half))
    yield from _parted(rows.slice(half))


def _readable(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type):
        return array if (found := in_microseconds(array)) is None else found
    return array


def _values(array: pa.Array) -> list[object]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:  # of one value; the others are text
        return [_decoded(value) for value in array.cast(pa.large_binary()).to_pylist()]
    except (ValueError, OverflowError):  # a time that no calendar holds
        return [_value(scalar) for scalar in array]


def _decoded(value: bytes | None) -> str | bytes | None:
    try:
        return value if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return "unreadable"
