"""What is DuckDB's own: no query loads code or reaches for the network; what is mapped lies in a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.engines.engine import Engine, EngineError, open_engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine("duckdb", spill=tmp_path)


def test_a_query_that_needs_an_extension_does_not_fetch_it(engine: Engine) -> None:
    loaded = "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY 1"
    before = engine.table(loaded)
    with pytest.raises(Exception, match="httpfs") as caught:
        engine.table("SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet') ORDER BY 1")
    assert "download" not in str(caught.value)
    assert engine.table(loaded) == before


def test_no_query_changes_a_setting(engine: Engine) -> None:
    with pytest.raises(EngineError, match="locked"):
        engine.table("SET autoinstall_known_extensions = true")


def test_what_is_mapped_need_not_fit_into_memory_and_is_tidied_away(
    tmp_path: Path,
) -> None:
    rows = 3_000_000
    schema = pa.schema([("n", pa.int64()), ("noise", pa.uint64()), ("more", pa.uint64())])

    def noisy(batch: pa.RecordBatch) -> pa.RecordBatch:
        noise = pc.multiply(batch["n"].cast(pa.uint64()), pa.scalar(0x9E3779B97F4A7C15, pa.uint64()))
        return pa.record_batch([batch["n"], noise, pc.bit_wise_not(noise)], schema=schema)

    spill = tmp_path / "deep" / "spill"
    with open_engine("duckdb", memory="40MiB", threads=1, spill=spill) as engine:
        engine.bind("numbers", pa.table({"n": range(rows)}))
        for _ in range(2):
            engine.map("noisy", "SELECT n FROM numbers", noisy, schema)
            assert engine.table("SELECT count(*) AS n, max(n) AS top FROM noisy ORDER BY n").to_pylist() == [
                {"n": rows, "top": rows - 1}
            ]
        assert len(list(spill.iterdir())) == 1
        engine.forget("noisy")
        assert not list(spill.iterdir())
        engine.map("noisy", "SELECT n FROM numbers", noisy, schema)
    assert not list((tmp_path / "deep").iterdir())
