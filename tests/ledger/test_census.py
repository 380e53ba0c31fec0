from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import LedgerError
from stillwatch.engines.engine import Engine
from stillwatch.ledger.census import Census, Gap, take_census
from stillwatch.ledger.compaction import crowded_hours
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone, locked, visited
from stillwatch.ledger.removal import carry_out, plan_expiry, plan_forgetting

Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def root(tmp_path: Path, engine: Engine, sketches: Build) -> Path:
    """Two hours with two hours between them; the first has two parts."""
    ledger = Ledger(tmp_path / "ledger", "key-1")
    ledger.stage(sketches([{"exchange_id": "a"}, {"exchange_id": "b", "timestamp": NOON + 3 * HOUR}]))
    ledger.seal(engine)
    ledger.stage(sketches([{"exchange_id": "c", "account_id": "b"}]))
    ledger.seal(engine)
    return tmp_path / "ledger"


def census_of(root: Path, *, verify: bool = False) -> Census:
    with visited(root) as layout:
        return take_census(layout, lambda _: None, verify=verify)


def unheard(_: int) -> None:
    """Nobody watches."""


def test_what_is_there_is_counted(root: Path) -> None:
    census = census_of(root)
    assert (census.format, census.key_id) == (1, "key-1")
    assert (census.exchanges, census.accounts, census.hours, census.parts) == (3, 2, 2, 3)
    assert (census.first, census.last) == (NOON, NOON + 3 * HOUR)
    assert (census.crowded_hours, census.most_parts) == (1, 2)
    assert census.gaps == [Gap(NOON + HOUR, NOON + 3 * HOUR, 2)]
    assert census.bytes == sum(path.stat().st_size for path in root.rglob("part-*.parquet"))


def test_an_empty_ledger_has_nothing(tmp_path: Path, engine: Engine) -> None:
    Ledger(tmp_path, "key-1").seal(engine)
    census = census_of(tmp_path)
    assert (census.exchanges, census.first, census.days, census.gaps) == (0, None, [], [])


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger here") as caught, visited(tmp_path):
        pass
    assert "--state" in caught.value.remedy


@pytest.mark.parametrize("torn", [b"", b"PAR1", b"torn" * 100])
def test_a_torn_part_is_named_and_the_others_are_counted(root: Path, torn: bytes) -> None:
    part = sorted(root.rglob("part-*.parquet"))[-1]
    part.write_bytes(torn)
    census = census_of(root)
    (damage,) = census.damaged
    assert damage.file == part.relative_to(root).as_posix()
    assert damage.remedy
    assert (census.exchanges, census.parts) == (2, 2)


def test_a_flipped_bit_is_seen_when_every_byte_is_compared(root: Path) -> None:
    part = sorted(root.rglob("part-*.parquet"))[-1]
    content = bytearray(part.read_bytes())
    content[20] ^= 1
    part.write_bytes(content)
    (damage,) = census_of(root, verify=True).damaged
    assert damage.file == part.relative_to(root).as_posix()


def test_damaged_runs_and_account_tables_are_named(root: Path) -> None:
    for name in (
        "accounts/accounts.parquet",
        "staging/sketches/run-1.parquet",
        "staging/accounts/run-1.parquet",
    ):
        (root / name).write_bytes(b"torn")
    assert len(census_of(root).damaged) == 3


def test_work_that_left_nothing_but_rubbish_is_told(root: Path) -> None:
    (root / "staging" / "sealing").mkdir()
    assert census_of(root).unfinished == "undecided"
    with alone(root):
        assert not (root / "staging" / "sealing").exists()


def test_a_change_of_another_process_is_told(root: Path) -> None:
    with locked(root / "lock"):
        assert census_of(root).changing
    assert not census_of(root).changing


def test_a_damaged_journal_is_an_error_with_its_file(root: Path) -> None:
    (root / "staging" / "journal.json").write_text("{")
    with pytest.raises(LedgerError, match=r"journal\.json"):
        census_of(root)


def test_a_damaged_part_stops_what_would_have_to_read_it(root: Path) -> None:
    first, *_, last = sorted(root.rglob("part-*.parquet"))
    last.write_bytes(b"torn")
    with alone(root) as layout:
        with pytest.raises(LedgerError, match=last.name) as caught:
            plan_forgetting(layout, ["a"], unheard)
        assert caught.value.remedy
        with pytest.raises(LedgerError, match=last.name):
            plan_expiry(layout, NOON + HOUR, unheard)
        first.write_bytes(b"torn")
        with pytest.raises(LedgerError, match=first.name):
            crowded_hours(layout)


def test_a_damaged_part_that_is_old_goes_with_its_hour(root: Path) -> None:
    sorted(root.rglob("part-*.parquet"))[-1].write_bytes(b"torn")
    with alone(root) as layout:
        removed = carry_out(layout, plan_expiry(layout, NOON + 4 * HOUR, unheard)[0], unheard)
    assert (removed.hours, removed.files_removed) == (2, 3)
    assert list((root / "sketches").iterdir()) == []
