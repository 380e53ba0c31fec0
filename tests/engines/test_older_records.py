"""A ledger whose account records were written before a column came is read by every engine."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_SKETCH
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.removal import carry_out, plan_forgetting

SINCE = "verification_level"


def records(**levels: int | None) -> pa.RecordBatch:
    rows = [{"account_id": name, "plan": "pro", SINCE: level} for name, level in levels.items()]
    return pa.RecordBatch.from_pylist(rows, schema=ACCOUNT_SKETCH)


def as_it_was(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns([SINCE]), path)


def older(root: Path, engine) -> Ledger:
    """A ledger with a table of accounts and a staged run, both without the column."""
    ledger = Ledger(root, "key-1")
    ledger.stage_accounts(records(a=None, b=None))
    ledger.seal(engine)
    as_it_was(ledger.account_files()[0])
    ledger.stage_accounts(records(b=None, c=None))
    ledger._accounts.flush()
    for run in ledger._accounts.files():
        as_it_was(run)
    return ledger


def test_records_of_before_and_of_now_meet_in_one_table(engine, tmp_path):
    ledger = older(tmp_path / "ledger", engine)
    ledger.stage_accounts(records(a=2, d=0))
    sealed = ledger.seal(engine)
    assert (sealed.accounts, sealed.duplicate_accounts) == (2, 2)
    engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
    found = engine.table("SELECT account_id, plan, verification_level FROM accounts ORDER BY account_id")
    assert found.schema.field(SINCE).type == pa.int16()
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("a", "pro", 2),
        ("b", "pro", None),
        ("c", "pro", None),
        ("d", "pro", 0),
    ]


def test_of_two_records_that_say_as_much_the_better_verified_holds(engine, tmp_path):
    ledger = Ledger(tmp_path / "ledger", "key-1")
    for level in (1, 3, 2):
        ledger.stage_accounts(records(a=level))
        ledger.seal(engine)
    assert pq.read_table(ledger.account_files()[0])[SINCE].to_pylist() == [3]


def test_who_is_to_be_forgotten_leaves_a_table_of_before(engine, tmp_path):
    ledger = older(tmp_path / "ledger", engine)
    plan, _ = plan_forgetting(ledger._layout, ["b"], lambda _: None)
    carry_out(ledger._layout, plan, lambda _: None)
    ledger.seal(engine)
    table = pq.read_table(ledger.account_files()[0])
    assert (table["account_id"].to_pylist(), table[SINCE].to_pylist()) == (["a", "c"], [None, None])
