"""What is carried over to Spark by us and not by SQLGlot, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.contracts import ContractError
from stillwatch.engines.engine import Engine
from stillwatch.engines.spark_sql import spark_sql

U64 = pa.uint64()
ROWS = pa.table(
    {
        "n": [1, 2, 3],
        "fp": pa.array([2**64 - 1, 2**63, 7], U64),
        "fps": pa.array([[2**64 - 1, 5], [], [6]], pa.list_(U64)),
        "name": ["b", "a", "b"],
        "moment": pa.array([1_750_000_000_123_457, 0, -1], pa.timestamp("us", tz="UTC")),
    }
)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("len(fps) AS found", [2, 0, 1]),
        ("fps[len(fps)] AS found", [5, None, 6]),
        ("fps[len(fps) - 1] AS found", [2**64 - 1, None, None]),
        ("CAST(fp AS VARCHAR) AS found", [str(2**64 - 1), str(2**63), "7"]),
        ("CASE WHEN fp > 7 THEN fp ELSE 0 END AS found", [2**64 - 1, 2**63, 0]),
        ("row_number() OVER (ORDER BY fp) AS found", [3, 2, 1]),
        ("moment - INTERVAL 1 MICROSECOND < moment AS found", [True] * 3),
        ("n / 2 AS found", [0.5, 1.0, 1.5]),
        ("CAST(floor(epoch(moment) / 3600) AS BIGINT) AS found", [486_111, 0, -1]),
    ],
)
def test_an_expression_means_the_same_everywhere(any_engine: Engine, columns: str, expected: list) -> None:
    any_engine.bind("rows", ROWS)
    assert any_engine.table(f"SELECT n, {columns} FROM rows ORDER BY n")["found"].to_pylist() == expected


def test_seconds_since_1970_are_the_same_to_the_last_bit(any_engine: Engine) -> None:
    """A quarter of these would differ where the microseconds are simply divided."""
    times = pa.array([1_750_000_000_000_001 + 7_919_000_123 * row for row in range(-20_000, 20_000)])
    any_engine.bind("rows", pa.table({"moment": times.cast(pa.timestamp("us", tz="UTC"))}))
    found = any_engine.table("SELECT epoch(moment) AS found FROM rows ORDER BY moment")["found"]
    parts = [divmod(time, 1_000) for time in times.to_pylist()]
    assert found.to_pylist() == [millis / 1e3 + micros / 1e6 for millis, micros in parts]


def test_rows_are_numbered_before_their_lists_are_unnested(any_engine: Engine) -> None:
    any_engine.bind("rows", ROWS)
    numbered = "SELECT unnest(fps) AS fp, row_number() OVER (ORDER BY n) AS place FROM rows"
    found = any_engine.table(f"SELECT fp, place FROM ({numbered}) n ORDER BY place, fp")
    assert found.to_pylist() == [
        {"fp": 5, "place": 1},
        {"fp": 2**64 - 1, "place": 1},
        {"fp": 6, "place": 3},
    ]
    assert found.schema.types == [U64, pa.int64()]


def test_a_list_is_collected_in_its_order(any_engine: Engine) -> None:
    any_engine.bind("rows", ROWS)
    lists = (
        "SELECT array_agg(DISTINCT name ORDER BY name) AS names, array_agg(fp ORDER BY fp) AS fps FROM rows"
    )
    assert any_engine.table(f"SELECT * FROM ({lists}) l").to_pylist() == [
        {"names": ["a", "b"], "fps": [7, 2**63, 2**64 - 1]}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT hash(n) AS h FROM rows",  # Spark has one too, which gives other numbers
        "SELECT list(n) AS l FROM rows",
        "SELECT array_agg(n ORDER BY name) AS l FROM rows",
        "SELECT array_agg(n ORDER BY n DESC) AS l FROM rows",
    ],
)
def test_what_would_mean_something_else_is_refused(query: str) -> None:
    with pytest.raises(ContractError):
        spark_sql(query)
