"""A request that went past the gate shows up as a number, whatever the gateway says of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.service.reconciling import (
    Decided,
    Logged,
    forget_outcomes,
    logged_in,
    read_outcomes,
    reconcile,
)
from stillwatch.contracts import SKETCH
from stillwatch.enforce.guard import Ruling
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.snapshot import Terms

BLOCK = Terms("block", "dec_1", "cmp_1", dry_run=False)
DECIDED = {"a": Decided(1_000, 2_000), "b": Decided(1_000, 2_000)}


@pytest.fixture
def outcomes(tmp_path):
    told = Outcomes(tmp_path / "outcomes")
    told.tell("a", Ruling("block", "enforced", BLOCK), "call-1")
    told.tell("a", Ruling("allow", "skipped(within budget)", BLOCK), "call-2")
    told.close()
    return tmp_path / "outcomes"


def test_what_was_served_without_a_ruling_is_counted_and_told(outcomes):
    log = [
        Logged(1_500, "a", "call-1", 403),
        Logged(1_500, "a", "call-2", 200),
        Logged(1_500, "a", "call-3", 200),  # went past
        Logged(1_500, "b", "call-4", None),  # went past, and the log has no status
        Logged(1_500, "b", "call-5", 429),  # a limit of the gateway's own
        Logged(1_001, "a", "call-6", 200),  # gates may not have had the decision yet
        Logged(2_500, "a", "call-7", 200),  # undone by then
        Logged(1_500, "honest", "call-8", 200),
    ]
    found = reconcile(log, DECIDED, outcomes)
    assert found == (5, 2, 1, 2, 2, 0)
    assert "2 of 5 requests (40.0 %)" in found.alert
    assert reconcile(log[:2], DECIDED, outcomes).alert == ""


def test_without_a_single_outcome_everything_went_past(tmp_path):
    found = reconcile([Logged(1_500, "a", "x", 200)], DECIDED, tmp_path / "nowhere")
    assert (found.unruled, found.accounts) == (1, 1)


@given(st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), max_size=20))
def test_lines_that_cannot_be_read_are_counted_and_hide_nothing(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("outcomes")
    good = (
        b'{"at":1.0,"account_id":"a","decision_id":"d","action":"block","outcome":"enforced","call_id":"c"}'
    )
    (folder / "1.jsonl").write_bytes(b"\n".join([*lines, good]) + b"\n")
    read = list(read_outcomes(folder))
    assert read[-1].call_id == "c"
    assert len(read) == len(lines) + 1
    assert reconcile([], {}, folder).broken_lines == sum(outcome is None for outcome in read)


def test_a_ledgers_rows_are_what_a_gateway_logged(outcomes):
    rows = [
        {
            "timestamp": datetime.fromtimestamp(1_500, UTC),
            "account_id": "a",
            "exchange_id": call,
            "status": 200,
        }
        for call in ("call-1", "call-9")
    ]
    columns = [field for field in SKETCH if field.name in rows[0]]
    table = pa.Table.from_pylist(rows, schema=pa.schema(columns))
    assert next(logged_in(table)) == (1_500.0, "a", "call-1", 200)
    assert reconcile(logged_in(table), DECIDED, outcomes).unruled == 1


def test_old_files_go_and_new_ones_stay(outcomes):
    (path,) = outcomes.glob("*.jsonl")
    (outcomes / "old.jsonl").write_text("")
    os.utime(outcomes / "old.jsonl", (1, 1))
    assert forget_outcomes(outcomes, before=1_000) == 1
    assert list(outcomes.glob("*.jsonl")) == [path]
