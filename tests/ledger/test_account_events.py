"""Account events in the ledger: each once, in one order, forgotten and expired with everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.contracts import ACCOUNT_EVENTS
from stillwatch.engines.engine import Engine
from stillwatch.ledger.account_events import each_once
from stillwatch.ledger.census import take_census
from stillwatch.ledger.damage import set_aside_damaged
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone, visited
from stillwatch.ledger.removal import carry_out, plan_expiry, plan_forgetting

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def event(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "account_id": f"a{number % 3}",
        "timestamp": NOON + timedelta(hours=number),
        "event": "account-disabled",
        "source": "https://accounts.example.com",
    } | columns


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=ACCOUNT_EVENTS)


def held(ledger: Ledger) -> list[dict[str, Any]]:
    return [row for file in ledger.event_files() for row in pq.read_table(file).to_pylist()]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", "key-1")


def test_a_ledger_without_events_has_none(ledger: Ledger, engine: Engine) -> None:
    ledger.seal(engine)
    assert ledger.event_files() == []
    with visited(ledger.root) as layout:
        assert take_census(layout, lambda _: None, verify=False).account_events == 0


def test_the_same_id_of_the_same_source_is_one_event(ledger: Ledger, engine: Engine) -> None:
    ledger.stage_events(batch(event(0), event(1)))
    assert ledger.seal(engine).account_events == 2
    again = [
        event(0, event="account-enabled"),
        event(2),
        event(2),
        event(1, source="https://other.example.com"),
    ]
    ledger.stage_events(batch(*again))
    sealed = ledger.seal(engine)
    assert (sealed.account_events, sealed.duplicate_account_events) == (2, 2)
    assert [(row["account_id"], row["event_id"], row["event"]) for row in held(ledger)] == [
        ("a0", "e0", "account-disabled"),
        ("a1", "e1", "account-disabled"),
        ("a1", "e1", "account-disabled"),
        ("a2", "e2", "account-disabled"),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "y"]), st.integers(0, 3)), max_size=20),
    st.data(),
)
def test_what_is_held_does_not_depend_on_the_order(
    keys: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    rows = [event(number, source=source, account_id=f"a{account}") for number, source, account in keys]
    table = pa.Table.from_batches([batch(*rows)])
    shuffled = pa.Table.from_batches([batch(*data.draw(st.permutations(rows)))])
    empty = ACCOUNT_EVENTS.empty_table()
    once = each_once(empty, table)
    assert once.num_rows == len({(row["source"], row["event_id"]) for row in rows})
    assert each_once(empty, shuffled).equals(once)
    assert each_once(once, shuffled).equals(once)


def test_the_census_counts_them_and_forgetting_reaches_them(ledger: Ledger, engine: Engine) -> None:
    ledger.stage_events(batch(event(0), event(1), event(4, event="seal-foreign", other_account_id="a0")))
    ledger.seal(engine)
    ledger.stage_events(batch(event(3), event(5)))
    ledger.flush()
    with alone(ledger.root) as layout:
        census = take_census(layout, lambda _: None, verify=False)
        assert (census.account_events, census.staged.account_events) == (3, 2)
        plan, found = plan_forgetting(layout, {"a0", "nobody"}, lambda _: None)
        removed = carry_out(layout, plan, lambda _: None)
    assert found == {"a0"}
    assert (removed.account_events, removed.staged_account_events) == (2, 1)
    ledger.seal(engine)
    assert [row["event_id"] for row in held(ledger)] == ["e1", "e5"]


def test_old_ones_expire(ledger: Ledger, engine: Engine) -> None:
    ledger.stage_events(batch(event(0), event(1), event(2)))
    ledger.seal(engine)
    with alone(ledger.root) as layout:
        carry_out(layout, plan_expiry(layout, NOON + timedelta(hours=1), lambda _: None)[0], lambda _: None)
    assert [row["event_id"] for row in held(ledger)] == ["e1", "e2"]


def test_a_damaged_table_is_set_aside(ledger: Ledger, engine: Engine) -> None:
    ledger.stage_events(batch(event(0)))
    ledger.seal(engine)
    ledger.event_files()[0].write_bytes(b"torn")
    with alone(ledger.root) as layout:
        (aside,) = set_aside_damaged(layout)
    assert aside.name == "events.parquet"
    ledger.stage_events(batch(event(1)))
    ledger.seal(engine)
    assert [row["event_id"] for row in held(ledger)] == ["e1"]
