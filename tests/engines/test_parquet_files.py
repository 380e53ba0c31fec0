from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.engines.parquet import replacing, sweep, write_parquet, writing_parquet

LISTS = pa.list_(pa.field("item", pa.uint64(), nullable=False))
SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), ("fp", pa.uint64()), ("fps", LISTS)])
ROWS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=3),
        "fp": st.none() | st.integers(0, 2**64 - 1),
        "fps": st.lists(st.integers(0, 2**64 - 1), max_size=3),
    }
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=40), cuts=st.lists(st.integers(0, 40)))
def test_how_rows_are_cut_into_batches_leaves_no_mark(
    tmp_path: Path, rows: list[dict], cuts: list[int]
) -> None:
    whole = pa.Table.from_pylist(rows, SCHEMA)
    ends = sorted(min(cut, len(rows)) for cut in cuts)
    pieces = zip([0, *ends], [*ends, len(rows)], strict=True)
    batches = [batch for start, end in pieces for batch in whole.slice(start, end - start).to_batches()]
    assert write_parquet(whole.to_batches(), SCHEMA, tmp_path / "whole", row_group=8) == len(rows)
    assert write_parquet(batches, SCHEMA, tmp_path / "cut", row_group=8) == len(rows)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert pq.read_table(tmp_path / "cut") == whole


def test_row_groups_are_full_but_the_last(tmp_path: Path) -> None:
    table = pa.table({"n": range(20)})
    write_parquet(table.to_batches(3), table.schema, tmp_path / "n.parquet", row_group=8)
    metadata = pq.read_metadata(tmp_path / "n.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]


def test_batches_pass_through_while_they_are_written(tmp_path: Path) -> None:
    table = pa.table({"n": range(200_000)})
    write_parquet(table.to_batches(), table.schema, tmp_path / "whole")
    passing = writing_parquet(table.to_batches(7_000), table.schema, tmp_path / "passed")
    assert next(passing).num_rows == 7_000
    assert not (tmp_path / "passed").exists()
    assert sum(batch.num_rows for batch in passing) == 193_000
    assert (tmp_path / "passed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_file_that_is_not_taken_to_its_end_is_none(tmp_path: Path) -> None:
    table = pa.table({"n": range(10)})
    passing = writing_parquet(table.to_batches(3), table.schema, tmp_path / "begun")
    next(passing)
    passing.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_when_all_went_well(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as unfinished:
        unfinished.write_text(str(1 // 0))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with replacing(target) as unfinished:
        unfinished.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_dead_processes_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    left = [".table.parquet.4711.tmp", ".campaigns.jsonl.9.tmp"]
    others = ["table.parquet", ".mine.tmp", "notes.12.tmp", ".bashrc"]
    for name in [*left, *others]:
        (tmp_path / name).touch()
    sweep([tmp_path, tmp_path / "absent"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
