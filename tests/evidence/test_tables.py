"""Reading a run folder back, and what is said when it is not one."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.contracts import RunFolderError
from stillwatch.evidence.tables import RunTables

NAMES = (
    *("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes", "ties"),
    *("declared", "labelled"),
)


@pytest.fixture
def folder(run: RunTables, tmp_path: Path) -> Path:
    for name in NAMES:
        pq.write_table(getattr(run, name), tmp_path / f"{name}.parquet")
    (tmp_path / "manifest.json").write_text(json.dumps(run.manifest))
    return tmp_path


def test_a_written_run_reads_back_the_same(run: RunTables, folder: Path):
    loaded = RunTables.load(folder)
    for name in NAMES:
        assert getattr(loaded, name).equals(getattr(run, name)), name
    assert loaded.manifest == run.manifest


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(RunFolderError, match="no such run folder") as raised:
        RunTables.load(tmp_path / "nowhere")
    assert raised.value.file == str(tmp_path / "nowhere")
    assert "scan" in raised.value.remedy


@pytest.mark.parametrize("name", [*(f"{name}.parquet" for name in NAMES), "manifest.json"])
def test_each_missing_file_is_named_with_a_remedy(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(RunFolderError, match="lacks this file") as raised:
        RunTables.load(folder)
    assert raised.value.file is not None
    assert raised.value.file.endswith(name)
    assert raised.value.remedy


@pytest.mark.parametrize("name", ["campaigns.parquet", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"PAR1 cut short", b"\xff\xfe[", b"[1, 2]"])
def test_a_damaged_file_is_an_error_and_no_crash(folder: Path, name: str, content: bytes):
    (folder / name).write_bytes(content)
    with pytest.raises(RunFolderError, match="damaged"):
        RunTables.load(folder)


def test_a_table_of_another_version_is_refused(folder: Path, run: RunTables):
    older = run.campaigns.drop_columns(["q_value"])
    pq.write_table(older, folder / "campaigns.parquet")
    with pytest.raises(RunFolderError, match="columns"):
        RunTables.load(folder)


def test_nulls_where_none_may_be_are_refused(folder: Path, run: RunTables):
    scores = pa.nulls(run.campaigns.num_rows, pa.float64())
    place = run.campaigns.schema.get_field_index("score")
    pq.write_table(run.campaigns.set_column(place, "score", scores), folder / "campaigns.parquet")
    with pytest.raises(RunFolderError, match="columns"):
        RunTables.load(folder)
