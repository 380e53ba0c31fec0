from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, ContractError, LedgerError
from stillwatch.engines.engine import Engine, EngineError
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.ledger import Ledger

Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", "key-1")


def rows_of(files: list[Path]) -> list[dict[str, Any]]:
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def ids_of(ledger: Ledger) -> list[str]:
    return [row["exchange_id"] for row in rows_of(ledger.sketch_files())]


def test_an_empty_ledger_has_no_files_and_makes_no_folder(ledger: Ledger, tmp_path: Path) -> None:
    assert (ledger.sketch_files(), ledger.account_files()) == ([], [])
    assert not list(tmp_path.iterdir())


def test_sealing_nothing_adds_nothing(ledger: Ledger, engine: Engine) -> None:
    assert ledger.seal(engine) == Sealed()
    assert ledger.sketch_files() == []


def test_an_empty_batch_adds_nothing(ledger: Ledger, engine: Engine, sketches: Build, records: Build) -> None:
    ledger.stage(sketches([]))
    ledger.stage_accounts(records([]))
    assert ledger.seal(engine) == Sealed()


def test_exchanges_lie_in_the_utc_hour_they_arrived_in(
    ledger: Ledger, engine: Engine, sketches: Build, tmp_path: Path
) -> None:
    times = {"a": NOON, "b": NOON + HOUR - timedelta(microseconds=1), "c": NOON + HOUR, "d": NOON - 13 * HOUR}
    ledger.stage(sketches([{"exchange_id": name, "timestamp": time} for name, time in times.items()]))
    assert ledger.seal(engine) == Sealed(exchanges=4, hours=3)
    folders = [
        file.parent.relative_to(tmp_path / "ledger" / "sketches").as_posix() for file in ledger.sketch_files()
    ]
    assert folders == ["date=2026-04-30/hour=23", "date=2026-05-01/hour=12", "date=2026-05-01/hour=13"]
    assert ids_of(ledger) == ["d", "a", "b", "c"]


def test_years_long_past_have_their_hour_too(ledger: Ledger, engine: Engine, sketches: Build) -> None:
    times = [datetime(1969, 12, 31, 23, 59, tzinfo=UTC), datetime(987, 6, 5, 4, tzinfo=UTC)]
    ledger.stage(sketches([{"exchange_id": str(time), "timestamp": time} for time in times]))
    ledger.seal(engine)
    folders = [file.parent.parent.name + "/" + file.parent.name for file in ledger.sketch_files()]
    assert folders == ["date=0987-06-05/hour=04", "date=1969-12-31/hour=23"]


def test_an_hour_is_in_order_of_time_then_id(ledger: Ledger, engine: Engine, sketches: Build) -> None:
    later = NOON + MINUTE
    ledger.stage(
        sketches([{"exchange_id": "a", "timestamp": later}, {"exchange_id": "c"}, {"exchange_id": "b"}])
    )
    ledger.seal(engine)
    assert ids_of(ledger) == ["b", "c", "a"]


def test_parts_hold_whole_sketches_in_the_contract_s_schema(
    ledger: Ledger, engine: Engine, sketches: Build
) -> None:
    batch = sketches(
        [{"exchange_id": "a", "system_fp": 2**64 - 1, "shingles": [3, 1, 2**63], "model": "m", "cues": 5}]
    )
    ledger.stage(batch)
    ledger.seal(engine)
    (file,) = ledger.sketch_files()
    assert pq.ParquetFile(file).read() == pa.Table.from_batches([batch])
    assert pq.ParquetFile(file).schema_arrow == SKETCH


def test_a_batch_of_another_schema_is_refused(ledger: Ledger, records: Build) -> None:
    with pytest.raises(ContractError, match="sketch"):
        ledger.stage(records([{"account_id": "a"}]))


def test_an_id_counts_once_however_often_it_was_staged(
    ledger: Ledger, engine: Engine, sketches: Build
) -> None:
    for _ in range(3):
        ledger.stage(sketches([{"exchange_id": "a"}, {"exchange_id": "b"}, {"exchange_id": "a"}]))
    assert ledger.seal(engine) == Sealed(exchanges=2, duplicates=7, hours=1)
    assert ids_of(ledger) == ["a", "b"]


def test_what_was_sealed_once_is_a_duplicate_ever_after(
    ledger: Ledger,
    engine: Engine,
    sketches: Build,
    contents: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    ledger.stage(sketches([{"exchange_id": "a"}, {"exchange_id": "b", "timestamp": NOON + HOUR}]))
    ledger.seal(engine)
    before = contents(tmp_path)
    ledger.stage(sketches([{"exchange_id": "b", "timestamp": NOON + HOUR}, {"exchange_id": "a", "words": 7}]))
    assert ledger.seal(engine) == Sealed(duplicates=2)
    assert contents(tmp_path) == before


def test_late_arrivals_become_a_second_part_of_their_hour(
    ledger: Ledger, engine: Engine, sketches: Build
) -> None:
    ledger.stage(sketches([{"exchange_id": "a"}]))
    ledger.seal(engine)
    before = {file: file.read_bytes() for file in ledger.sketch_files()}
    ledger.stage(sketches([{"exchange_id": "a"}, {"exchange_id": "b"}]))
    assert ledger.seal(engine) == Sealed(exchanges=1, duplicates=1, hours=1)
    assert sorted(ids_of(ledger)) == ["a", "b"]
    assert len(ledger.sketch_files()) == 2
    assert all(file.read_bytes() == content for file, content in before.items())


def test_an_id_that_a_client_sends_again_and_again_hides_nothing(
    ledger: Ledger, engine: Engine, sketches: Build
) -> None:
    """LiteLLM takes the call id from the client's own header."""
    seconds = [{"exchange_id": "a", "timestamp": NOON + timedelta(seconds=i)} for i in range(7_200)]
    ledger.stage(sketches(seconds))
    assert ledger.seal(engine) == Sealed(exchanges=7_200, hours=2)
    ledger.stage(sketches([*seconds[:10], {"exchange_id": "a", "account_id": "b"}]))
    assert ledger.seal(engine) == Sealed(exchanges=1, duplicates=10, hours=1)
    assert len(ids_of(ledger)) == 7_201


def test_one_moment_of_two_accounts_is_two_exchanges(ledger: Ledger, engine: Engine, sketches: Build) -> None:
    ledger.stage(sketches([{"exchange_id": "a", "account_id": name} for name in "bab"]))
    assert ledger.seal(engine) == Sealed(exchanges=2, duplicates=1, hours=1)
    assert [row["account_id"] for row in rows_of(ledger.sketch_files())] == ["a", "b"]


@pytest.mark.parametrize("reverse", [False, True])
def test_one_id_with_two_contents_keeps_the_first_by_all_columns(
    ledger: Ledger, engine: Engine, sketches: Build, *, reverse: bool
) -> None:
    rivals = [
        {"exchange_id": "a", "model": "m", "shingles": [2, 1]},
        {"exchange_id": "a", "model": "m", "shingles": [2, 3]},
        {"exchange_id": "a", "model": "n", "shingles": [1]},
        {"exchange_id": "a", "model": None, "shingles": []},
    ]
    for rival in reversed(rivals) if reverse else rivals:
        ledger.stage(sketches([rival]))
    assert ledger.seal(engine) == Sealed(exchanges=1, duplicates=3, hours=1)
    assert [(row["model"], row["shingles"]) for row in rows_of(ledger.sketch_files())] == [("m", [2, 1])]


def test_files_are_found_by_the_hours_that_overlap_a_stretch_of_time(
    ledger: Ledger, engine: Engine, sketches: Build
) -> None:
    ledger.stage(sketches([{"exchange_id": str(i), "timestamp": NOON + i * HOUR} for i in range(24)]))
    ledger.seal(engine)
    files = ledger.sketch_files()
    assert (len(files), files) == (24, sorted(files))
    assert ledger.sketch_files(since=NOON + 2 * HOUR) == files[2:]
    assert ledger.sketch_files(since=NOON + 2 * HOUR + MINUTE) == files[2:]
    assert ledger.sketch_files(until=NOON + 2 * HOUR) == files[:2]
    assert ledger.sketch_files(until=NOON + 2 * HOUR + MINUTE) == files[:3]
    assert ledger.sketch_files(NOON + HOUR, NOON + 4 * HOUR) == files[1:4]
    assert ledger.sketch_files(NOON - 3 * HOUR, NOON) == []


def test_an_account_is_kept_once_with_the_record_that_says_most(
    ledger: Ledger, engine: Engine, records: Build
) -> None:
    ledger.stage_accounts(records([{"account_id": "b", "plan": "free"}, {"account_id": "a"}]))
    ledger.stage_accounts(records([{"account_id": "b", "plan": "pro", "country": "IE"}, {"account_id": "b"}]))
    assert ledger.seal(engine) == Sealed(accounts=2, duplicate_accounts=2)
    (file,) = ledger.account_files()
    assert pq.ParquetFile(file).schema_arrow == ACCOUNT_SKETCH
    assert [(row["account_id"], row["plan"]) for row in rows_of([file])] == [("a", None), ("b", "pro")]


def test_a_fuller_record_replaces_the_one_that_the_ledger_holds(
    ledger: Ledger, engine: Engine, records: Build
) -> None:
    ledger.stage_accounts(records([{"account_id": "a", "plan": "free"}, {"account_id": "b", "plan": "free"}]))
    ledger.seal(engine)
    ledger.stage_accounts(records([{"account_id": "a", "plan": "pro", "country": "IE"}, {"account_id": "c"}]))
    assert ledger.seal(engine) == Sealed(accounts=1, duplicate_accounts=1)
    assert [(row["account_id"], row["plan"]) for row in rows_of(ledger.account_files())] == [
        ("a", "pro"),
        ("b", "free"),
        ("c", None),
    ]


def test_account_records_do_not_depend_on_how_they_were_sealed(
    tmp_path: Path, engine: Engine, records: Build
) -> None:
    rivals = [{"account_id": "a", "plan": plan, "country": country} for plan, country in ["yx", "xy", "xz"]]
    orders = {"once": [rivals], "reverse": [rivals[::-1]], "one by one": [[rival] for rival in rivals]}
    contents = set()
    for name, seals in orders.items():
        ledger = Ledger(tmp_path / name, "key-1")
        for rows in seals:
            ledger.stage_accounts(records(rows))
            ledger.seal(engine)
        contents.add(ledger.account_files()[0].read_bytes())
    assert len(contents) == 1


def test_staged_rows_on_disk_outlive_their_process(
    tmp_path: Path, engine: Engine, sketches: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.ledger.waiting.RUN_ROWS", 1)
    Ledger(tmp_path, "key-1").stage(sketches([{"exchange_id": "a"}, {"exchange_id": "b"}]))
    later = Ledger(tmp_path, "key-1")
    assert later.sketch_files() == []
    later.stage(sketches([{"exchange_id": "b"}, {"exchange_id": "c"}]))
    assert later.seal(engine) == Sealed(exchanges=3, duplicates=1, hours=1)


def test_a_ledger_of_another_key_is_refused(tmp_path: Path, engine: Engine, sketches: Build) -> None:
    mine, other = Ledger(tmp_path, "key-1"), Ledger(tmp_path, "key-2")
    mine.stage(sketches([{"exchange_id": "a"}]))
    with pytest.raises(LedgerError, match="key-1, not key-2") as caught:
        Ledger(tmp_path, "key-2")
    assert "--sketch-key" in caught.value.remedy
    with pytest.raises(LedgerError, match="key-1, not key-2"):
        other.stage(sketches([{"exchange_id": "b"}]))
    assert Ledger(tmp_path, "key-1").sketch_files() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": null, "key_id": "key-1"}', '{"format": 1}', "\xff"]
)
def test_a_damaged_key_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text, "latin-1")
    with pytest.raises(LedgerError, match=r"key\.json"):
        Ledger(tmp_path, "key-1")


def test_a_ledger_of_a_later_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps({"format": 99, "key_id": "key-1"}))
    with pytest.raises(LedgerError, match="format 99"):
        Ledger(tmp_path, "key-1")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, engine: Engine, sketches: Build) -> None:
    (tmp_path / "file").write_text("in the way")
    ledger = Ledger(tmp_path / "file" / "ledger", "key-1")
    with pytest.raises(LedgerError, match="Not a directory"):
        ledger.stage(sketches([{"exchange_id": "a"}]))
    with pytest.raises(LedgerError, match="Not a directory"):
        ledger.seal(engine)


def test_a_damaged_run_stops_a_seal_and_leaves_the_ledger_as_it_was(
    ledger: Ledger, engine: Engine, sketches: Build, tmp_path: Path
) -> None:
    ledger.stage(sketches([{"exchange_id": "a"}]))
    ledger.seal(engine)
    run = tmp_path / "ledger" / "staging" / "sketches" / "run-0.parquet"
    run.write_bytes(b"torn")
    with pytest.raises(EngineError, match=r"run-0\.parquet"):
        ledger.seal(engine)
    assert ids_of(ledger) == ["a"]
    run.unlink()
    ledger.stage(sketches([{"exchange_id": "b"}]))
    assert ledger.seal(engine) == Sealed(exchanges=1, hours=1)
