"""Hours that were whole when they were staged are moved into the ledger, and all others are merged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.contracts import LedgerError
from stillwatch.engines.engine import Engine
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone
from stillwatch.ledger.parts import digest
from stillwatch.ledger.removal import carry_out, plan_forgetting

Row = dict[str, Any]
Build = Callable[[list[Row]], pa.RecordBatch]
START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch is written at once: the hours that come first as parts."""
    monkeypatch.setattr("stillwatch.ledger.waiting.RUN_ROWS", 1)


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The hours that seals merge from now on."""
    from stillwatch.ledger import sealing

    seen: list[datetime] = []
    merge = sealing._merge

    def spied(layout: Any, spans: Any, window: Any) -> Any:
        seen.extend(window.hours)
        return merge(layout, spans, window)

    monkeypatch.setattr(sealing, "_merge", spied)
    return seen


def row(hour: int, minute: int, account: str = "a") -> Row:
    return {
        "exchange_id": f"{hour}-{minute}",
        "timestamp": START + timedelta(hours=hour, minutes=minute),
        "account_id": account,
    }


def ids(ledger: Ledger) -> list[str]:
    return [
        name
        for file in ledger.sketch_files()
        for name in pq.ParquetFile(file).read()["exchange_id"].to_pylist()
    ]


def test_whole_hours_are_moved(
    tmp_path: Path, engine: Engine, sketches: Build, merges: list[datetime]
) -> None:
    ledger = Ledger(tmp_path, "key-1")
    for hour in range(3):
        ledger.stage(sketches([row(hour, 2), row(hour, 1)]))
    staged = {file.read_bytes() for file in tmp_path.glob("staging/sketches/*")}
    assert ledger.seal(engine) == Sealed(exchanges=6, hours=3)
    assert merges == []
    assert ids(ledger) == ["0-1", "0-2", "1-1", "1-2", "2-1", "2-2"]
    assert {file.read_bytes() for file in ledger.sketch_files()} == staged
    assert list(tmp_path.glob("staging/sketches/*")) == []


def test_hours_with_rows_elsewhere_are_merged(
    tmp_path: Path, engine: Engine, sketches: Build, merges: list[datetime]
) -> None:
    """In another run, in another process's, in the ledger, or twice in the hour itself."""
    mine, other = Ledger(tmp_path, "key-1"), Ledger(tmp_path, "key-1")
    mine.stage(sketches([row(5, 0)]))
    mine.seal(engine)
    for ledger, rows in [
        (mine, [row(0, 0)]),
        (mine, [row(1, 0)]),
        (mine, [row(0, 1)]),
        (other, [row(2, 0)]),
        (mine, [row(2, 0), row(2, 1)]),
        (mine, [row(3, 0), row(3, 0)]),
        (other, [row(4, 0)]),
        (other, [row(5, 0), row(5, 1)]),
    ]:
        ledger.stage(sketches(rows))
    assert mine.seal(engine) == Sealed(exchanges=8, duplicates=3, hours=6)
    assert merges == [START + timedelta(hours=hour) for hour in (0, 2, 3, 5)]
    assert sorted(ids(mine)) == ["0-0", "0-1", "1-0", "2-0", "2-1", "3-0", "4-0", "5-0", "5-1"]


def test_what_is_left_of_a_staged_hour_has_a_name_of_its_own(
    tmp_path: Path, engine: Engine, sketches: Build
) -> None:
    Ledger(tmp_path, "key-1").stage(sketches([row(0, 0), row(0, 1, "b")]))
    with alone(tmp_path) as layout:
        plan, _ = plan_forgetting(layout, ["b"], lambda _: None)
        carry_out(layout, plan, lambda _: None)
    ledger, fresh = Ledger(tmp_path, "key-1"), Ledger(tmp_path / "fresh", "key-1")
    fresh.stage(sketches([row(0, 0)]))
    assert ledger.seal(engine) == fresh.seal(engine) == Sealed(exchanges=1, hours=1)
    [part], [same] = ledger.sketch_files(), fresh.sketch_files()
    assert part.name == same.name == f"part-{digest(part)}.parquet"


def test_a_damaged_hour_is_told(tmp_path: Path, engine: Engine, sketches: Build) -> None:
    ledger = Ledger(tmp_path, "key-1")
    ledger.stage(sketches([row(0, 0)]))
    [run] = tmp_path.glob("staging/sketches/*")
    run.write_bytes(b"torn")
    with pytest.raises(LedgerError, match="damaged"):
        ledger.seal(engine)
    assert ledger.sketch_files() == []
