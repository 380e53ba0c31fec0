"""What is DuckDB's own: that no query makes it load code or reach for the network."""

from __future__ import annotations

from pathlib import Path

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
