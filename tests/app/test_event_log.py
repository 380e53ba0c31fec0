"""A log in event time shows at each moment what was known by then, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.app.event_log import EventLog
from stillwatch.app.replay import GROWTH, LEAST_NEW, is_due
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH

START = datetime(2026, 4, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def log(any_engine, traffic, tmp_path) -> EventLog:
    for hours in (0.5, 2.5, 3):
        traffic.exchange("early", START + hours * HOUR)
    traffic.exchange("undated", START + 2 * HOUR)
    traffic.account("early", created_at=START)
    traffic.account("late", created_at=START + 2 * HOUR)
    traffic.account("undated")
    traffic.account("silent")
    traffic.bind(any_engine)
    return EventLog(any_engine, tmp_path)


def known(engine, log: EventLog, hours: float) -> tuple[int, list[str]]:
    log.bind(START + hours * HOUR)
    found = engine.table("SELECT account_id FROM accounts ORDER BY account_id")["account_id"].to_pylist()
    return engine.table("SELECT count(*) AS n FROM sketches ORDER BY n")["n"][0].as_py(), found


def test_requests_count_before_the_end_of_a_tick_and_records_once_they_were_made(any_engine, log):
    assert known(any_engine, log, 1) == (1, ["early"])
    assert known(any_engine, log, 2) == (1, ["early", "late"])
    assert known(any_engine, log, 3) == (3, ["early", "late", "undated"])
    assert known(any_engine, log, 4) == (4, ["early", "late", "undated"])


def test_ticks_are_whole_and_reach_past_the_last_request(log):
    assert log.ticks(HOUR) == [START + n * HOUR for n in (1, 2, 3, 4)]
    assert log.ticks(24 * HOUR) == [START + 24 * HOUR]


def test_a_log_without_a_request_has_no_tick(any_engine, tmp_path):
    any_engine.bind("sketches", SKETCH.empty_table())
    any_engine.bind("accounts", pa.Table.from_pylist([{"account_id": "a"}], schema=ACCOUNT_SKETCH))
    any_engine.bind("account_events", ACCOUNT_EVENTS.empty_table())
    assert EventLog(any_engine, tmp_path).ticks(HOUR) == []


def test_the_judgements_of_a_long_log_together_cost_in_proportion_to_it():
    judged, cost = 0, 0
    for seen in range(0, 1_000_000, 50):
        if is_due(seen, judged):
            judged, cost = seen, cost + seen
    assert 0 < cost <= 1_000_000 * (1 / GROWTH + 2)
    assert not is_due(LEAST_NEW - 1, 0)
