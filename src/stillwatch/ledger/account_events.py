"""Account events in the ledger: one small table, each event once, whoever sent it again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import ACCOUNT_EVENTS, conform
from stillwatch.engines.parquet import encode_parquet
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.ordering import ordered
from stillwatch.ledger.storage import opened

IDENTITY: Final = ("source", "event_id")
"""What two rows of one event have in common: an id is its sender's own (the ``jti`` of RFC 8417)."""

ORDER: Final = ("account_id", "timestamp", *IDENTITY)
"""The order of the table, in which the events of an account lie beside one another."""

_CAME: Final = "came"


def seal(layout: Layout, runs: list[Path]) -> tuple[dict[Path, Path], Sealed]:
    """Write the table aside with what is staged; return where it belongs, and what was new.

    Of an event that came with different content the row that the ledger holds is kept, or else the first by
    all columns.

    Raises:
        LedgerError: a file is damaged.
        OSError: the disk is full, or cannot be written.
    """
    held = _rows([layout.event_table] if layout.event_table.exists() else [])
    staged = _rows(runs)
    known = each_once(held, staged)
    path = layout.sealing / layout.event_table.name
    encode_parquet(known.to_batches(), ACCOUNT_EVENTS, path)
    new = known.num_rows - held.num_rows
    counts = Sealed(account_events=new, duplicate_account_events=staged.num_rows - new)
    return {path: layout.event_table}, counts


def each_once(held: pa.Table, staged: pa.Table) -> pa.Table:
    """Return the ACCOUNT_EVENTS of both, each event once, in canonical order."""
    together = [
        rows.append_column(_CAME, pa.repeat(pa.scalar(came), rows.num_rows))
        for came, rows in enumerate((held, staged))
    ]
    others = [name for name in ACCOUNT_EVENTS.names if name not in IDENTITY]
    rows = ordered(pa.concat_tables(together), [*IDENTITY, _CAME, *others])
    return conform(
        ordered(rows.filter(_is_first(rows)), ORDER).drop_columns([_CAME]), ACCOUNT_EVENTS, "ledger"
    )


def _is_first(rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    """Whether each row is another event than the one before it."""
    if not rows.num_rows:
        return pa.array([], pa.bool_())
    changes = [pc.not_equal(rows[name].slice(1), rows[name].slice(0, rows.num_rows - 1)) for name in IDENTITY]
    another = pc.or_(*changes).combine_chunks()
    return pa.concat_arrays([pa.array([True]), another])


def _rows(files: Iterable[Path]) -> pa.Table:
    tables = [ACCOUNT_EVENTS.empty_table()]
    for path in files:
        with opened(path) as file:
            tables.append(conform(file.read(), ACCOUNT_EVENTS, "ledger"))
    return pa.concat_tables(tables)
