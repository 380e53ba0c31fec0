"""Results in the types that every engine shares."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from stillwatch.contracts import TIMESTAMP


def plain_reader(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Return ``batches`` of ``schema``, timestamps as ``TIMESTAMP`` and 128-bit integers as ``int64``.

    DuckDB sums integers in 128 bits and Spark in 64, and each has timestamps with and without a zone;
    stages see one of each. A sum that does not fit raises ``pa.ArrowInvalid``.
    """
    plain = pa.schema([field.with_type(_plain(field.type)) for field in schema])
    return pa.RecordBatchReader.from_batches(plain, _cast(batches, plain))


def _cast(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch if batch.schema == schema else batch.cast(schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return TIMESTAMP
    if pa.types.is_decimal(kind) and kind.precision == 38 and kind.scale == 0:
        return pa.int64()
    return kind
