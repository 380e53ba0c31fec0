"""Account records with the verification levels that accounts have reached since: the higher one holds."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import ACCOUNT_SKETCH, conform


def with_reached(records: pa.Table, levels: Mapping[str, int]) -> pa.Table:
    """Return ACCOUNT_SKETCH whose ``verification_level`` is the record's or the reached one.

    Args:
        records: of accounts.
        levels: level by account; an account without a record gets one that says nothing else.
    """
    if not levels:
        return records
    reached = pa.array([levels.get(name) for name in records["account_id"].to_pylist()], pa.int16())
    at = records.schema.get_field_index("verification_level")
    highest = pc.max_element_wise(records["verification_level"], reached)
    known = records.set_column(at, ACCOUNT_SKETCH.field(at), highest)
    alone = sorted(levels.keys() - set(records["account_id"].to_pylist()))
    rows = [
        dict.fromkeys(ACCOUNT_SKETCH.names) | {"account_id": name, "verification_level": levels[name]}
        for name in alone
    ]
    return conform(
        pa.concat_tables([known, pa.Table.from_pylist(rows, ACCOUNT_SKETCH)]), ACCOUNT_SKETCH, "app"
    )
