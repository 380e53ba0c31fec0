"""The outbox on both databases: what waits, in which order, and what is left of it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.access.signals.outbox import (
    Outbox,
    Status,
    StreamStatus,
    forget_accounts,
    keep_told,
    named_in,
    told_of,
)
from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.access.signals.standing import Standing
from stillwatch.access.signals.vocabulary import Risk, Signal, risk_change
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[2] / "ingest"))
from postgres_server import PostgresUnavailableError, postgres

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
STREAMS = [{"name": name, "audience": name, "subjects": {"format": "opaque"}} for name in ("first", "second")]
FILE = SignalsFile.model_validate({"issuer": "https://stillwatch.example.com", "streams": STREAMS})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="sig") as folder:
        if request.param == "sqlite":
            yield _migrated(Path(folder) / "decisions.db")
            return
        try:
            with postgres(Path(folder)) as address:
                yield _migrated(address)
        except PostgresUnavailableError as unavailable:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(unavailable))


def _migrated(place: str | Path) -> Database:
    made = Database(address_of(place))
    made.migrate()
    return made


@pytest.fixture
def outbox(database: Database) -> Outbox:
    made = Outbox(database, FILE)
    with database.writing() as connection:
        for stream in FILE.streams:
            made.set_status(connection, stream.name, Status(StreamStatus.DISABLED, ""), NOW)
            made.set_status(connection, stream.name, Status(StreamStatus.ENABLED, ""), NOW)
        keep_told(connection, {"a": Standing(), "계정": Standing()})
    return made


def tell(outbox: Outbox, *accounts: str) -> int:
    return outbox.tell([risk_change(each, Risk.LOW, Risk.HIGH, ["x"], "d", NOW) for each in accounts], NOW)


def test_each_stream_gets_its_own_in_order(outbox: Outbox) -> None:
    assert tell(outbox, "a", "b", "a", "계정") == 8
    waiting = outbox.waiting("first", 10)
    assert [one.account_id for one in waiting] == ["a", "b", "계정"]
    assert outbox.waiting("first", 2) == waiting[:2]
    assert outbox.acknowledge("second", [one.jti for one in waiting]) == 0
    assert outbox.acknowledge("first", [waiting[0].jti, "unknown"]) == 1
    assert [one.account_id for one in outbox.waiting("first", 10)] == ["b", "a", "계정"]
    assert outbox.counts() == {"first": (3, 0), "second": (4, 0)}
    assert waiting[0].made_at == NOW


def test_what_is_refused_waits_for_a_person(outbox: Outbox) -> None:
    tell(outbox, "a", "b")
    outbox.refuse("first", outbox.waiting("first", 1)[0].jti, "invalid_request", "odd")
    assert outbox.counts()["first"] == (1, 1)
    assert outbox.retry("second") == 0
    assert outbox.retry() == 1
    assert outbox.counts()["first"] == (2, 0)


def test_what_was_told_is_kept_until_it_is_over(outbox: Outbox, database: Database) -> None:
    high = Standing(Risk.HIGH, frozenset({Signal.SESSION_REVOKED}), "dec_1")
    with database.writing() as connection:
        keep_told(connection, {"a": high, "계정": high})
        keep_told(connection, {"a": Standing()})
        assert told_of(connection) == {"계정": high}
    tell(outbox, "계정")
    with database.writing() as connection:
        assert named_in(connection, ["a", "계정"]) == {"계정": 3}
        forget_accounts(connection, ["계정"])
        assert named_in(connection, ["a", "계정"]) == {}
