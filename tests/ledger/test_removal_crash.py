"""A process that dies at any point of a compaction or a removal leaves a ledger that reads right."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.engine import Engine
from stillwatch.ledger.census import take_census
from stillwatch.ledger.compaction import compact, crowded_hours
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone, visited
from stillwatch.ledger.removal import carry_out, plan_expiry, plan_forgetting

Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
Contents = Callable[[Path], dict[str, bytes]]
START = datetime(2026, 5, 1, tzinfo=UTC)
CUT = START + timedelta(hours=1)
DYING_CHANGE = Path(__file__).with_name("dying_change.py")
WORKS = ["compact", f"expire:{CUT.isoformat()}", "forget:a,c"]


def row(number: int) -> dict[str, Any]:
    return {
        "exchange_id": f"{number:02}",
        "timestamp": START + timedelta(minutes=8 * number),
        "account_id": "abcd"[number % 4],
    }


@pytest.fixture
def ledger(tmp_path: Path, engine: Engine, sketches: Build, records: Build) -> Path:
    """Three hours in two parts each, staged rows, a folder that a dead process left half made."""
    root = tmp_path / "ledger"
    for start in (0, 1):
        ledger = Ledger(root, "key-1")
        ledger.stage(sketches([row(number) for number in range(start, 20, 2)]))
        ledger.stage_accounts(records([{"account_id": name} for name in "abcde"]))
        ledger.seal(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stillwatch.ledger.waiting.RUN_ROWS", 1)
        Ledger(root, "key-1").stage(sketches([row(20), row(1) | {"exchange_id": "late"}]))
    (root / "accounts" / ".accounts.parquet.77.tmp").write_bytes(b"half of account a")
    return root


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the ledgers of each work are kept."""
    return tmp_path_factory.mktemp("changed")


@pytest.fixture(params=WORKS)
def work(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def died(changed: Path, ledger: Path, work: str, tmp_path: Path) -> list[Path]:
    """Ledgers whose change died at each of its changes to the disk; the last is whole."""
    made = changed / work.partition(":")[0]
    if not made.exists():
        subprocess.run([sys.executable, DYING_CHANGE, made, ledger, work], check=True)
    folder = shutil.copytree(made, tmp_path / "died")
    return sorted(folder.iterdir(), key=lambda path: int(path.name))


def ids(root: Path) -> list[str]:
    files = Ledger(root, "key-1").sketch_files()
    return sorted(name for file in files for name in pq.read_table(file)["exchange_id"].to_pylist())


def again(root: Path, work: str, engine: Engine) -> None:
    kind, _, what = work.partition(":")
    with alone(root) as layout:
        if kind == "compact":
            compact(layout, engine, crowded_hours(layout), lambda _: None)
        elif kind == "expire":
            carry_out(
                layout, plan_expiry(layout, datetime.fromisoformat(what), lambda _: None)[0], lambda _: None
            )
        else:
            carry_out(layout, plan_forgetting(layout, what.split(","), lambda _: None)[0], lambda _: None)


def test_a_change_that_died_anywhere_reads_right_and_is_completed_by_the_next(
    ledger: Path, died: list[Path], engine: Engine, contents: Contents, work: str
) -> None:
    before = ids(ledger)
    decided = [(root / "staging" / "journal.json").exists() for root in died]
    assert decided.count(True) > 3
    assert decided.count(False) > 3
    whole, after = contents(died[-1]), ids(died[-1])
    assert (after == before) is (work == "compact")
    for root in died:
        assert ids(root) in (before, after)
        with visited(root) as layout:
            census = take_census(layout, lambda _: None, verify=True)
        assert (census.exchanges, census.damaged) == (len(ids(root)), [])
        again(root, work, engine)
        assert contents(root) == whole


def test_a_scan_after_a_change_that_died_reads_each_exchange_once(
    died: list[Path], engine: Engine, sketches: Build
) -> None:
    for root in died:
        survivor = Ledger(root, "key-1")
        with survivor.in_use():
            survivor.stage(sketches([row(number) for number in range(20)]))
            survivor.seal(engine)
            assert len(set(ids(root))) == len(ids(root))
            assert {f"{number:02}" for number in range(20)} <= set(ids(root))
