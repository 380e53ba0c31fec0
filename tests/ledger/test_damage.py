"""Damaged files are found by what their name promises, and moved where nobody reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.ledger.damage import set_aside_damaged
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone
from stillwatch.ledger.parts import present

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FILES = {
    "part": lambda layout: next(iter(present(layout))),
    "run": lambda layout: layout.runs()[0],
    "account table": lambda layout: layout.account_table,
    "account run": lambda layout: layout.account_runs()[0],
}


@pytest.fixture
def filled(tmp_path, engine, sketches, records):
    """A ledger with two parts, an account table, and a staged run of each kind."""
    ledger = Ledger(tmp_path / "ledger", "key")
    times = [NOON + timedelta(minutes=30 * at) for at in range(4)]
    ledger.stage(sketches([{"exchange_id": f"x{at}", "timestamp": time} for at, time in enumerate(times)]))
    ledger.stage_accounts(records([{"account_id": f"a{at}"} for at in range(20)]))
    ledger.seal(engine)
    ledger.stage(sketches([{"exchange_id": "y", "timestamp": NOON + timedelta(days=1)}]))
    ledger.stage_accounts(records([{"account_id": "b"}]))
    ledger.flush()
    return ledger


def test_nothing_is_moved_where_all_is_sound(filled):
    with alone(filled.root) as layout:
        assert set_aside_damaged(layout) == []


@pytest.mark.parametrize(
    ("which", "place"),
    [("part", 0), ("part", 40), ("part", -20), *((which, -5) for which in FILES if which != "part")],
)
def test_what_is_damaged_goes_and_the_rest_stays(filled, which, place):
    with alone(filled.root) as layout:
        path = FILES[which](layout)
        before = {each for each in filled.root.rglob("*.parquet") if each != path}
        content = bytearray(path.read_bytes())
        content[place] ^= 0x55
        path.write_bytes(content)
        (aside,) = set_aside_damaged(layout)
    assert aside == filled.root / "damaged" / path.relative_to(filled.root)
    assert aside.read_bytes() == content
    assert {each for each in filled.root.rglob("*.parquet") if each != aside} == before
