"""What was turned away: a few files of bounded size, and counts that nothing stops."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from stillwatch.app.service.turned_away import TurnedAway
from stillwatch.contracts import REJECT


def rejects(*reasons):
    rows = [
        {"source": "s", "line": line, "reason": reason, "digest": "d"} for line, reason in enumerate(reasons)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=REJECT)


def test_files_are_rotated_and_the_oldest_goes(tmp_path):
    turned_away = TurnedAway(tmp_path, most_bytes=1, files=3)
    for number in range(6):
        turned_away.add([rejects(f"reason {chr(97 + number)}")])
    names = ["rejected.jsonl", "rejected.1.jsonl", "rejected.2.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    kept = [json.loads((tmp_path / name).read_text())["reason"] for name in names]
    assert kept == ["reason f", "reason e", "reason d"]
    assert turned_away.total == 6


def test_reasons_are_told_by_how_often_they_came_numbers_aside(tmp_path):
    turned_away = TurnedAway(tmp_path)
    turned_away.add([rejects("byte 1", "odd", "byte 2"), rejects()])
    assert [tuple(each) for each in turned_away.reasons()] == [("byte 1", 2), ("odd", 1)]


def test_a_disk_that_takes_no_more_stops_no_count(tmp_path, monkeypatch):
    turned_away = TurnedAway(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "open", full)
    turned_away.add([rejects("a", "b")])
    assert (turned_away.total, turned_away.unwritten) == (2, 2)


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        TurnedAway(tmp_path / "file" / "rejected")
