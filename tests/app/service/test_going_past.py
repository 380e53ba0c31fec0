"""Requests that went past the gate are seen in the gateway's own log, and nothing else raises the alert."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from control_desk import CAMPAIGN, MEMBERS_OF, outcome, write_outcomes

from stillwatch.app.publishing import publish
from stillwatch.app.service import view as viewing
from stillwatch.app.service.going_past import GoingPast
from stillwatch.app.service.ledger_hours import LedgerHours
from stillwatch.app.service.told_outcomes import ToldOutcomes
from stillwatch.contracts import SKETCH, LedgerError
from stillwatch.decisions.store import open_store
from stillwatch.ledger.ledger import Ledger

HELD = MEMBERS_OF[CAMPAIGN]


class Service:
    """A store with a decision that gates know, a ledger, and what gates told; ten minutes later."""

    def __init__(self, state: Path) -> None:
        from control_desk import decided

        self.state = state
        decided(state, *HELD)
        self.store = open_store(state / "decisions.db")
        publish(self.store, state / "snapshot", datetime.now(UTC), {HELD[9]})
        (state / "outcomes").mkdir()
        self.began = datetime.now(UTC)
        self.past = GoingPast(
            state,
            self.store,
            ToldOutcomes(state / "outcomes"),
            lag=timedelta(seconds=60),
            clock=lambda: (self.began + timedelta(seconds=130)).timestamp(),
        )

    def log(self, *requests: tuple[str, str, int]) -> None:
        """Put requests into the ledger: account, call id and status."""
        at = self.began + timedelta(seconds=30)
        blank = {field.name: _blank(field) for field in SKETCH}
        rows = [
            blank | {"account_id": account, "exchange_id": call, "status": status, "timestamp": at}
            for account, call, status in requests
        ]
        Ledger(self.state / "ledger", "key").in_use().__enter__()
        folder = self.state / "ledger" / "sketches" / f"date={at.date()}" / f"hour={at.hour:02}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.Table.from_pylist(rows, schema=SKETCH), folder / f"part-{os.urandom(4).hex()}.parquet"
        )


def _blank(field: pa.Field) -> object:
    if field.nullable:
        return None
    return [] if pa.types.is_list(field.type) else "" if pa.types.is_string(field.type) else 0


@pytest.fixture
def service(tmp_path: Path):
    made = Service(tmp_path / "state")
    yield made
    made.store.close()


def test_nothing_is_said_while_no_gate_ever_told_anything(service):
    service.log((HELD[0], "c1", 200))
    assert service.past.look() is None


def test_a_served_request_that_no_gate_ruled_on_raises_the_alert(service):
    service.log(
        (HELD[0], "call-0", 200),  # ruled on
        (HELD[1], "c1", 200),  # past the gate
        (HELD[1], "c2", 200),
        (HELD[2], "c3", 503),  # turned away by the gateway itself
        (HELD[9], "c4", 200),  # exempt: gates know nothing of it
        ("honest", "c5", 200),
    )
    write_outcomes(service.state, outcome(0), outcome(3, call_id=""))
    window = service.past.look()
    found = window.found
    assert (found.logged, found.ruled, found.turned_away, found.unruled, found.accounts) == (4, 1, 1, 2, 1)
    assert "served without a ruling" in found.alert
    assert service.past.unruled == 2
    assert service.past.look() is None  # that time was looked at


def test_where_gates_tell_no_call_ids_of_an_account_it_raises_no_alert(service):
    service.log((HELD[3], "c1", 200))
    write_outcomes(service.state, outcome(3, call_id=""))
    assert service.past.look().found.alert == ""


def test_hours_are_counted_from_the_footers_of_parts(service):
    assert LedgerHours(service.state / "ledger").last() == []
    service.log((HELD[0], "c1", 200), (HELD[0], "c2", 200))
    hours = LedgerHours(service.state / "ledger")
    assert len(hours.last()) == 24
    assert hours.last()[-1][1] == 2
    service.log((HELD[0], "c3", 200))
    assert hours.last()[-1][1] == 3
    assert time.time() - hours.last()[-1][0].timestamp() < 7200


def test_a_service_looks_by_itself_and_a_failure_does_not_end_it(service, monkeypatch):
    service.log((HELD[1], "c1", 200))
    write_outcomes(service.state, outcome(0))
    monkeypatch.setattr(viewing, "_LOOK_EVERY", 0.01)
    monkeypatch.setattr(viewing, "_READ_EVERY", 0.01)
    view = viewing.View(service.state, service.store)
    looks, seen = [LedgerError("it is gone", remedy="Wait")], threading.Event()

    def look():
        if looks:
            raise looks.pop()
        seen.set()

    monkeypatch.setattr(view.going_past, "look", look)
    view.start()
    assert seen.wait(10)
    view.close()
