"""Compaction, expiry and forgetting against a list of rows, on random exchanges and account records."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.engines.engine import Engine
from stillwatch.ledger.census import take_census
from stillwatch.ledger.compaction import Compacted, compact, crowded_hours
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone, visited
from stillwatch.ledger.removal import Removed, carry_out, hour_before, plan_expiry, plan_forgetting

Row = dict[str, Any]
Build = Callable[[list[Row]], pa.RecordBatch]
Contents = Callable[[Path], dict[str, bytes]]

START = datetime(2026, 5, 1, 22, tzinfo=UTC)
MINUTES = st.integers(0, 15).map(lambda step: START + step * timedelta(minutes=20))
# Few values for each column, so that ids, times and accounts meet often.
EXCHANGES = st.lists(
    st.fixed_dictionaries(
        {
            "exchange_id": st.sampled_from(["a", "b", "c", "ä", ""]),
            "timestamp": MINUTES,
            "account_id": st.sampled_from(["x", "y", "z"]),
        }
    ),
    max_size=20,
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"account_id": st.sampled_from(["w", "x", "y", "z"]), "created_at": st.none() | MINUTES}
    ),
    max_size=4,
    unique_by=lambda record: record["account_id"],
)


def identity(row: Row) -> tuple[Any, ...]:
    return row["timestamp"], row["exchange_id"], row["account_id"]


def flat(steps: Iterable[list[Row]]) -> list[Row]:
    return [row for rows in steps for row in rows]


def each_once(rows: Iterable[Row]) -> list[Row]:
    """The exchanges in the ledger's order; here equal identity means equal rows."""
    return sorted({identity(row): row for row in rows}.values(), key=identity)


def sealed(
    root: Path, steps: list[list[Row]], records: pa.RecordBatch | None, engine: Engine, build: Build
) -> None:
    ledger = Ledger(root, "key-1")
    for rows in steps or [[]]:
        ledger.stage(build(rows))
        if records is not None:
            ledger.stage_accounts(records)
        ledger.seal(engine)


def staged(root: Path, rows: list[Row], build: Build) -> None:
    """Leave ``rows`` behind as a scan does that dies before it seals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stillwatch.ledger.waiting.RUN_ROWS", 1)
        Ledger(root, "key-1").stage(build(rows))


def rows_of(files: Iterable[Path]) -> list[tuple[Any, ...]]:
    return [identity(row) for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def compacted(root: Path, engine: Engine) -> Compacted:
    with alone(root) as layout:
        return compact(layout, engine, crowded_hours(layout), lambda _: None)


def unheard(_: int) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("step_rows", [1, 500_000])
def test_a_compacted_ledger_is_one_that_came_at_once(
    engine: Engine, sketches: Build, contents: Contents, monkeypatch: pytest.MonkeyPatch, step_rows: int
) -> None:
    monkeypatch.setattr("stillwatch.ledger.compaction._STEP_ROWS", step_rows)

    @settings(max_examples=12, deadline=None)
    @given(steps=st.lists(EXCHANGES, min_size=1, max_size=4))
    def check(steps: list[list[Row]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pieces, whole = Path(folder) / "pieces", Path(folder) / "whole"
            sealed(pieces, steps, None, engine, sketches)
            sealed(whole, [flat(steps)], None, engine, sketches)
            parts = len(Ledger(pieces, "key-1").sketch_files())
            done = compacted(pieces, engine)
            after = Ledger(pieces, "key-1").sketch_files()
            assert len(after) == parts - done.parts_before + done.parts_after
            assert done.parts_after == done.hours
            assert {name: content for name, content in contents(pieces).items() if name != "use"} == contents(
                whole
            )
            assert compacted(pieces, engine) == Compacted()

    check()


def test_an_expired_ledger_is_one_that_never_had_the_old_rows(
    engine: Engine, sketches: Build, records: Build
) -> None:
    @settings(max_examples=25, deadline=None)
    @given(steps=st.lists(EXCHANGES, min_size=1, max_size=3), rest=EXCHANGES, known=RECORDS, moment=MINUTES)
    def check(steps: list[list[Row]], rest: list[Row], known: list[Row], moment: datetime) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root, cut = Path(folder), hour_before(moment)
            sealed(root, steps, records(known), engine, sketches)
            staged(root, rest, sketches)
            before = each_once(flat(steps))
            kept = [row for row in before if row["timestamp"] >= cut]
            kept_rest = [row for row in rest if row["timestamp"] >= cut]
            active = {row["account_id"] for row in [*kept, *kept_rest]}
            living = {
                record["account_id"]
                for record in known
                if record["account_id"] in active or (record["created_at"] and record["created_at"] >= cut)
            }

            with alone(root) as layout:
                plan, remaining = plan_expiry(layout, cut, unheard)
                removed = carry_out(layout, plan, unheard)

            assert remaining == active
            assert removed.exchanges == len(before) - len(kept)
            assert removed.hours == len({hour_before(row["timestamp"]) for row in before if row not in kept})
            assert removed.staged_exchanges == len(rest) - len(kept_rest)
            assert removed.account_records == len(known) - len(living)
            ledger = Ledger(root, "key-1")
            assert sorted(rows_of(ledger.sketch_files())) == [identity(row) for row in kept]
            table = [
                name
                for file in ledger.account_files()
                for name in pq.read_table(file)["account_id"].to_pylist()
            ]
            assert table == sorted(living)
            ledger.seal(engine)
            assert sorted(rows_of(ledger.sketch_files())) == list(
                map(identity, each_once([*kept, *kept_rest]))
            )

    check()


def test_a_ledger_that_forgot_is_one_that_never_knew(
    engine: Engine, sketches: Build, records: Build, contents: Contents
) -> None:
    @settings(max_examples=25, deadline=None)
    @given(
        steps=st.lists(EXCHANGES, min_size=1, max_size=3),
        rest=EXCHANGES,
        known=RECORDS,
        unwanted=st.sets(st.sampled_from(["w", "x", "y", "nobody"]), min_size=1),
    )
    def check(steps: list[list[Row]], rest: list[Row], known: list[Row], unwanted: set[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root, stranger = Path(folder) / "forgot", Path(folder) / "never-knew"
            sealed(root, steps, records(known), engine, sketches)
            staged(root, rest, sketches)
            others = [[row for row in rows if row["account_id"] not in unwanted] for rows in [*steps, rest]]
            had = {row["account_id"] for rows in [*steps, rest, known] for row in rows}

            with alone(root) as layout:
                plan, found = plan_forgetting(layout, unwanted, unheard)
                removed = carry_out(layout, plan, unheard)
                assert plan_forgetting(layout, unwanted, unheard)[1] == frozenset()
                nothing = carry_out(layout, plan_forgetting(layout, unwanted, unheard)[0], unheard)

            assert found == unwanted & had
            assert nothing == Removed(0, 0, 0, 0, 0, 0, 0, 0, 0)
            assert removed.exchanges == len(each_once(flat(steps))) - len(each_once(flat(others[:-1])))
            assert removed.staged_exchanges == len(rest) - len(others[-1])
            for file in root.rglob("*.parquet"):
                assert not unwanted & set(pq.read_table(file)["account_id"].to_pylist())
            Ledger(root, "key-1").seal(engine)
            compacted(root, engine)
            left = records([record for record in known if record["account_id"] not in unwanted])
            sealed(stranger, [flat(others)], left, engine, sketches)
            parts = {
                name: content for name, content in contents(stranger).items() if name.startswith("sketches")
            }
            assert {
                name: content for name, content in contents(root).items() if name.startswith("sketches")
            } == parts
            table = [pq.read_table(file) for file in Ledger(root, "key-1").account_files()]
            assert [name for each in table for name in each["account_id"].to_pylist()] == sorted(
                left["account_id"].to_pylist()
            )

    check()


def test_a_census_counts_what_is_there(engine: Engine, sketches: Build, records: Build) -> None:
    @settings(max_examples=12, deadline=None)
    @given(steps=st.lists(EXCHANGES, min_size=1, max_size=3), rest=EXCHANGES, known=RECORDS)
    def check(steps: list[list[Row]], rest: list[Row], known: list[Row]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            sealed(root, steps, records(known), engine, sketches)
            staged(root, rest, sketches)
            rows = each_once(flat(steps))
            hours = sorted({hour_before(row["timestamp"]) for row in rows})
            with visited(root) as layout:
                census = take_census(layout, unheard, verify=True)
            assert (census.exchanges, census.hours) == (len(rows), len(hours))
            assert census.accounts == len({row["account_id"] for row in rows})
            assert census.account_records == len(known)
            assert (census.first, census.last) == (
                (rows[0]["timestamp"], rows[-1]["timestamp"]) if rows else (None, None)
            )
            assert sum(day.exchanges for day in census.days) == len(rows)
            span = (hours[-1] - hours[0]) // timedelta(hours=1) + 1 if hours else 0
            assert sum(gap.hours for gap in census.gaps) == span - len(hours)
            assert census.staged.exchanges == len(rest)
            assert (census.damaged, census.unfinished, census.changing) == ([], None, False)

    check()
