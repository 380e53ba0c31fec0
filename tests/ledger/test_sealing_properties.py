"""A ledger against an oracle of a few lines of plain Python, on random exchanges."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.ledger import Ledger

Row = dict[str, Any]
Build = Callable[[list[Row]], pa.RecordBatch]

START = datetime(2026, 5, 1, 22, tzinfo=UTC)
# Few values for each column, so that ids, times and contents meet often.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "exchange_id": st.sampled_from(["a", "b", "c", "d", "ä", ""]),
            "timestamp": st.integers(0, 11).map(lambda step: START + step * timedelta(minutes=20)),
            "account_id": st.sampled_from(["x", "y"]),
            "model": st.sampled_from([None, "m", "n"]),
            "system_fp": st.sampled_from([None, 0, 2**64 - 1]),
            "shingles": st.sampled_from([[], [1], [1, 2], [2]]),
        }
    ),
    max_size=30,
)


def canonical(row: Row) -> list[Any]:
    """The order over all columns: nulls last, lists item by item."""
    values = [row.get(name) for name in SKETCH.names]
    return [(value is None, value if value is not None else 0) for value in values]


def first_of_each(rows: list[Row]) -> list[Row]:
    """Each id, account and time once, at its first place in canonical order; in canonical order."""
    seen: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=canonical):
        seen.setdefault(identity(row), row)
    return sorted(seen.values(), key=identity)


def identity(row: Row) -> tuple[Any, ...]:
    return row["timestamp"], row["exchange_id"], row["account_id"]


def hour_of(row: Row) -> datetime:
    return row["timestamp"].replace(minute=0)


def parts_of(ledger: Ledger) -> dict[str, bytes]:
    return {
        file.parent.parent.name + "/" + file.parent.name + "/" + file.name: file.read_bytes()
        for file in ledger.sketch_files()
    }


def test_a_sealed_ledger_is_what_the_oracle_says(engine: Engine, sketches: Build) -> None:
    @settings(max_examples=25, deadline=None)
    @given(rows=ROWS)
    def check(rows: list[Row]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder), "key-1")
            ledger.stage(sketches(rows))
            expected = first_of_each(rows)
            hours = [list(group) for _, group in groupby(expected, key=hour_of)]
            assert ledger.seal(engine) == Sealed(len(expected), len(rows) - len(expected), len(hours))
            parts = [pq.ParquetFile(file).read() for file in ledger.sketch_files()]
            assert parts == [pa.Table.from_batches([sketches(hour)]) for hour in hours]

    check()


@pytest.mark.parametrize("window", [1, 500_000])
def test_bytes_depend_on_the_set_of_rows_alone(
    engine: Engine, sketches: Build, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr("stillwatch.ledger.sealing._WINDOW_ROWS", window)

    @settings(max_examples=12, deadline=None)
    @given(rows=ROWS, data=st.data())
    def check(rows: list[Row], data: st.DataObject) -> None:
        order = data.draw(st.permutations(rows))
        size = data.draw(st.integers(1, 12))
        run_rows = data.draw(st.sampled_from([1, 3, 65_536]))
        with tempfile.TemporaryDirectory() as folder:
            whole, split = Ledger(Path(folder) / "whole", "key-1"), Ledger(Path(folder) / "split", "key-2")
            whole.stage(sketches(rows))
            batches = [sketches(order[start : start + size]) for start in range(0, len(order), size)]
            with monkeypatch.context() as patch, ThreadPoolExecutor(data.draw(st.integers(1, 4))) as pool:
                patch.setattr("stillwatch.ledger.waiting.RUN_ROWS", run_rows)
                list(pool.map(split.stage, batches))
            assert whole.seal(engine) == split.seal(engine)
            assert parts_of(whole) == parts_of(split)

    check()


def test_sealing_in_steps_keeps_each_exchange_once(engine: Engine, sketches: Build) -> None:
    @settings(max_examples=12, deadline=None)
    @given(steps=st.lists(ROWS, min_size=1, max_size=3))
    def check(steps: list[list[Row]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder), "key-1")
            total = Sealed()
            for rows in steps:
                ledger.stage(sketches(rows))
                total += ledger.seal(engine)
            ids = [
                identity(row)
                for file in ledger.sketch_files()
                for row in pq.ParquetFile(file).read().to_pylist()
            ]
            assert sorted(ids) == sorted({identity(row) for rows in steps for row in rows})
            assert total.exchanges == len(ids)
            assert total.exchanges + total.duplicates == sum(len(rows) for rows in steps)

    check()


def test_many_threads_stage_without_losing_a_row(
    engine: Engine, sketches: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.ledger.waiting.RUN_ROWS", 100)
    ledger = Ledger(tmp_path, "key-1")
    batches = [sketches([{"exchange_id": f"{i}-{j}"} for j in range(17)]) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.stage, batches))
    assert ledger.seal(engine) == Sealed(exchanges=3400, hours=1)
