"""How columns lie in Spark, which has no unsigned integers: the narrowest type that holds them.

A fingerprint becomes a decimal of 20 digits, as Spark itself reads it from Parquet. Comparison, order,
smallest and largest, and its text are those of the number, so that no query has to know.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stillwatch.contracts import TIMESTAMP

_STORED: Final = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


def stored_type(kind: pa.DataType) -> pa.DataType:
    """Return the Arrow type in which Spark takes and gives what is of this type in the product."""
    if pa.types.is_list(kind):
        return pa.list_(stored_type(kind.value_type))
    return TIMESTAMP if pa.types.is_timestamp(kind) else _STORED.get(kind, kind)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Return ``schema`` as Spark has it, every column nullable."""
    return pa.schema([pa.field(field.name, stored_type(field.type)) for field in schema])


def stored_table(table: pa.Table) -> pa.Table:
    """Return ``table`` in types that Spark takes; times finer than a microsecond are cut."""
    columns = [column.cast(stored_type(column.type), safe=False) for column in table.columns]
    stored = pa.table(columns, schema=stored_schema(table.schema))
    # Spark reads the chunks of a table up to the first empty one, and says nothing of the rest.
    return pa.Table.from_batches([batch for batch in stored.to_batches() if batch.num_rows], stored.schema)


def returned(batch: pa.RecordBatch | pa.Table, schema: pa.Schema) -> pa.RecordBatch | pa.Table:
    """Return what Spark gave, by position, in the names and types of ``schema``.

    Raises:
        pa.ArrowInvalid: a number does not fit into its type.
    """
    columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return type(batch).from_arrays(columns, schema=schema)
