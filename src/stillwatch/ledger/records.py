"""Account records of earlier versions, which lack columns that have come since."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_SKETCH
from stillwatch.engines.parquet import KEPT, PASSING, ROW_GROUP, write_parquet
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.staging import ROW_GROUP as RUN_ROW_GROUP
from stillwatch.ledger.storage import opened


def completed(records: pa.Table) -> pa.Table:
    """Return account records with the columns of ACCOUNT_SKETCH that they may lack, empty."""
    for field in ACCOUNT_SKETCH:
        if field.nullable and field.name not in records.schema.names:
            records = records.append_column(field, pa.nulls(records.num_rows, field.type))
    return records


def bring_up(layout: Layout) -> None:
    """Write the files of account records anew that lack a column, each whole or not at all.

    Raises:
        LedgerError: a file is damaged.
        OSError: the disk is full, or cannot be written; what was there is there still.
    """
    table = layout.account_table
    for path in [*([table] if table.exists() else []), *layout.account_runs()]:
        if _lacks(path):
            kept = path == table
            records = completed(pq.read_table(path)).select(ACCOUNT_SKETCH.names).cast(ACCOUNT_SKETCH)
            write_parquet(
                records.to_batches(),
                ACCOUNT_SKETCH,
                path,
                row_group=ROW_GROUP if kept else RUN_ROW_GROUP,
                encoding=KEPT if kept else PASSING,
            )


def _lacks(path: Path) -> bool:
    with opened(path) as file:
        return not set(ACCOUNT_SKETCH.names) <= set(file.schema_arrow.names)
