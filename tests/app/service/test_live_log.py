"""The ledger in event time: what is looked at of an empty ledger, an old log, and rows from the future."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiving_desk import KEY, ndjson, record, sealing

from stillwatch.app.service.live_log import LAG, LiveLog
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.ingest.pushed import Body, pushed_exchanges
from stillwatch.ledger.ledger import Ledger

NOW = datetime.now(UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with open_engine(memory="1GiB", threads=1, spill=tmp_path / "spill") as engine:
        yield engine


@pytest.fixture
def log(engine, state):
    return LiveLog(engine, Ledger(state / "ledger", KEY.id))


@pytest.fixture
def sealed(receiver, state):
    """Seal exchanges of these times."""

    def seal(*times: datetime) -> None:
        rows = [record(number, timestamp=time.timestamp()) for number, time in enumerate(times)]
        receiver.exchanges(pushed_exchanges(Body(ndjson(rows), "test"), format="table", digest=KEY.digest))
        with sealing(receiver, state) as sealer:
            sealer.seal()

    return seal


def bound(engine: Engine) -> int:
    return engine.table("SELECT count(*) AS n FROM sketches")["n"][0].as_py()


def test_an_empty_ledger_is_nothing_to_look_at(log):
    assert log.look(NOW) is None


def test_an_old_log_is_looked_at_to_its_end(log, sealed, engine):
    last = NOW - timedelta(days=100)
    sealed(last - timedelta(hours=30), last - timedelta(microseconds=1), last)
    moment = log.look(NOW)
    assert moment.seen == 3
    assert last < moment.until <= last + timedelta(milliseconds=1)
    log.bind(moment.until)
    assert bound(engine) == 3
    log.bind(moment.until, last - timedelta(hours=1))
    assert bound(engine) == 2


def test_what_was_just_sent_or_comes_from_the_future_waits(log, sealed, engine):
    sealed(NOW - timedelta(hours=1), NOW - LAG / 2, NOW + timedelta(hours=5))
    moment = log.look(NOW)
    assert moment == (NOW - LAG, 1)
    log.bind(moment.until)
    assert bound(engine) == 1
    assert log.look(NOW + LAG).seen == 2
    assert log.look(NOW + timedelta(days=1)).seen == 3


def test_where_all_is_from_the_future_there_is_nothing_yet(log, sealed):
    sealed(NOW + timedelta(hours=5))
    assert log.look(NOW).seen == 0
