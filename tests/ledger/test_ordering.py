from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.ledger.ordering import ordered

ROWS = 4096


@pytest.mark.parametrize(
    "times",
    [
        [],
        [3],
        list(range(ROWS)),
        [*range(2000, ROWS), *range(2000)],  # two stretches, the later one first
        [place // 2 for place in range(ROWS)],  # what is equal stays as it came
        [place * 2_654_435_761 % ROWS for place in range(ROWS)],  # no stretch anywhere
    ],
)
@pytest.mark.parametrize("cut", [ROWS, 1000, 7])
def test_rows_are_ordered_however_near_to_it_they_came(times: list[int], cut: int) -> None:
    table = pa.table(
        {"time": pa.array(times, pa.int64()), "came": range(len(times)), "list": [[time] for time in times]},
        schema=pa.schema([("time", pa.int64()), ("came", pa.int64()), ("list", pa.list_(pa.int64()))]),
    )
    chunked = pa.Table.from_batches(table.to_batches(cut), table.schema)
    found = ordered(chunked, ["time"])
    assert found.to_pylist() == sorted(table.to_pylist(), key=lambda row: row["time"])


def test_a_later_column_orders_what_is_equal_in_the_first() -> None:
    table = pa.table({"time": [1, 1, 0], "id": ["b", "a", "c"]})
    assert ordered(table, ["time", "id"]).to_pylist() == [
        {"time": 0, "id": "c"},
        {"time": 1, "id": "a"},
        {"time": 1, "id": "b"},
    ]
