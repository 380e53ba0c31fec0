"""Shared keys are the same on Spark, row for row, as on DuckDB."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa

from stillwatch.access.keys.sharing import find_shared_keys
from stillwatch.engines.engine import Engine, open_engine

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
from key_traffic import HONEST, SHARED, traffic


def found(engine: Engine, sketches: pa.Table) -> pa.Table:
    engine.bind("sketches", sketches)
    engine.bind("exempt", pa.table({"account_id": pa.array(["acct-declared"])}))
    return find_shared_keys(engine)


def test_the_same_keys_are_found(spark_master: str, tmp_path: Path) -> None:
    sketches = traffic(*SHARED, *HONEST)
    with open_engine("duckdb", threads=1, spill=tmp_path / "duckdb") as engine:
        expected = found(engine, sketches)
    assert expected.num_rows > 5
    with open_engine("spark", memory="1GiB", spill=tmp_path / "spark", master=spark_master) as engine:
        assert found(engine, sketches) == expected
