"""A process that dies at any point of a seal costs nothing but the time to seal again."""

from __future__ import annotations

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
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.ledger import Ledger

Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
START = datetime(2026, 5, 1, tzinfo=UTC)
DYING_SEAL = Path(__file__).with_name("dying_seal.py")


@pytest.fixture(params=[5, 0], ids=["merged", "moved"])
def exchanges(sketches: Build, request: pytest.FixtureRequest) -> pa.RecordBatch:
    """Twenty exchanges of two hours; those that come twice make their hour one to merge."""
    numbers = [*range(20), *range(request.param)]
    return sketches(
        [{"exchange_id": f"{i:02}", "timestamp": START + timedelta(minutes=6 * i)} for i in numbers]
    )


@pytest.fixture
def accounts(records: Build) -> pa.RecordBatch:
    return records([{"account_id": name} for name in "aba"])


@pytest.fixture
def died(tmp_path: Path, exchanges: pa.RecordBatch, accounts: pa.RecordBatch) -> list[Path]:
    """Ledgers whose seals died at each change that a seal makes to the disk; the last is whole."""
    inputs = [tmp_path / "exchanges.parquet", tmp_path / "accounts.parquet"]
    for path, batch in zip(inputs, [exchanges, accounts], strict=True):
        pq.write_table(pa.Table.from_batches([batch]), path)
    folder = tmp_path / "died"
    subprocess.run([sys.executable, DYING_SEAL, folder, *inputs], check=True)
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def test_a_seal_that_died_anywhere_is_completed_by_the_next(
    died: list[Path],
    engine: Engine,
    exchanges: pa.RecordBatch,
    accounts: pa.RecordBatch,
    contents: Callable[[Path], dict[str, bytes]],
) -> None:
    decided = [(root / "staging" / "journal.json").exists() for root in died]
    assert decided.count(True) > 3, "some died with their seal decided"
    assert decided.count(False) > 3, "some died before that"
    whole = contents(died[-1])
    for root in died:
        survivor = Ledger(root, "key-1")
        assert {file.relative_to(root).as_posix() for file in survivor.sketch_files()} <= set(whole)
        # What the dead process held in memory is lost: whoever scans again stages all of it again.
        survivor.stage(exchanges)
        survivor.stage_accounts(accounts)
        sealed = survivor.seal(engine)
        assert (sealed.exchanges, sealed.hours, sealed.accounts) in [(20, 2, 2), (0, 0, 0)]
        after = contents(root)
        assert {name: after[name] for name in whole} == whole
        assert all(name.endswith(".tmp") for name in set(after) - set(whole))


def test_a_full_disk_is_told_and_leaves_the_ledger_as_it_was(
    tmp_path: Path, engine: Engine, exchanges: pa.RecordBatch
) -> None:
    """A limit on the size of files stands for the full disk: writing fails half way through a file."""
    sealed = Ledger(tmp_path / "ledger", "key-1")
    sealed.stage(exchanges)
    sealed.seal(engine)
    files = sealed.sketch_files()
    script = f"""
import resource, signal, pyarrow.parquet as pq
from pathlib import Path
from stillwatch.contracts import LedgerError
from stillwatch.ledger.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
ledger = Ledger(Path({str(tmp_path / "ledger")!r}), "key-1")
ledger.stage(pq.ParquetFile({str(files[0])!r}).read().to_batches()[0])
try:
    ledger.seal(None)
except LedgerError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "cannot be read or written" in result.stdout
    again = Ledger(tmp_path / "ledger", "key-1")
    assert again.seal(engine) == Sealed()
    assert again.sketch_files() == files
