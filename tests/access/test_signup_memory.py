"""Sign-ups as they come, in SQLite and PostgreSQL: judged in order, replaced, and forgotten."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from stillwatch.access.company import Knowledge
from stillwatch.access.levels import DEFAULT
from stillwatch.access.screening import screen
from stillwatch.access.signup_memory import SignupMemory
from stillwatch.access.signup_tables import HELD, HOURS, SIGNUPS, TOTALS
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from postgres_server import PostgresUnavailableError, postgres
from signups_made import DAY, group, people, person, sketched

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TABLES = (SIGNUPS, HELD, TOTALS, HOURS)


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="signups", dir="/tmp"))  # a socket's path must be short
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(unavailable))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    place = tmp_path / "decisions.db" if request.param == "sqlite" else request.getfixturevalue("server")
    database = Database(address_of(place))
    database.migrate()
    yield database
    database.migrate("base")
    database.close()


def size(database: Database) -> list[int]:
    with database.reading() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES]


@pytest.fixture
def audit(tmp_path):
    return AuditLog(tmp_path / "audit.jsonl")


FARM = group(
    24, payment_fingerprint=lambda n: f"virtual-{n // 8}", email=lambda n: f"m{n}x{n}y@mailinator.com"
)


def test_sign_ups_that_come_one_by_one_are_judged_as_a_backlog_in_order_of_arrival(database, audit, tmp_path):
    rows = sorted([*people(300), *FARM], key=lambda row: (row["created_at"], row["account_id"]))
    signups = sketched(rows)
    memory = SignupMemory(database, DEFAULT)
    answers = [
        answer
        for at in range(0, len(rows), 30)
        for answer in memory.screen(signups.slice(at, 30), NOW, audit)
    ]
    told = {answer["account_id"]: answer for answer in answers}
    backlog = {row["account_id"]: row for row in screen(signups, DEFAULT, Knowledge.ARRIVAL).to_pylist()}
    differ = [account for account in told if told[account]["asked_more"] != backlog[account]["asked_more"]]
    assert len(differ) <= 2  # shares of what recurs are of another moment
    assert 10 <= sum(answer["asked_more"] for answer in answers) < 24
    logged = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [entry["kind"] for entry in logged] == ["signups-asked"] * len(logged)
    named = [signup["account_id"] for entry in logged for signup in entry["signups"]]
    assert named == [answer["account_id"] for answer in answers if answer["asked_more"]]


def test_the_same_account_again_replaces_and_is_no_company_for_itself(database, audit):
    memory = SignupMemory(database, DEFAULT)
    for _ in range(12):
        (answer,) = memory.screen(sketched([person(1, DAY)]), NOW, audit)
        assert answer["risk"] < 0.01
    first = size(database)
    memory.screen(sketched([person(2, DAY) | {"account_id": "acct-1"}]), NOW, audit)
    assert size(database) == first
    assert first[0] == 1


def test_what_is_forgotten_leaves_no_trace(database, audit):
    memory = SignupMemory(database, DEFAULT)
    memory.screen(sketched(FARM), NOW, audit)
    assert memory.forget([row["account_id"] for row in FARM[:20]] + ["acct-nobody"]) == 20
    assert memory.expire(DAY + timedelta(days=30)) == 4
    assert size(database)[:3] == [0, 0, 0]


def test_nearness_to_a_known_campaign_is_told_at_once(database, audit):
    memory = SignupMemory(database, DEFAULT)
    memory.screen(sketched([*people(60), *FARM[:4]]), NOW, audit)
    late = person(9_000, DAY + timedelta(days=60), payment_fingerprint="virtual-0")
    known = {row["account_id"] for row in FARM[:4]}
    (answer,) = memory.screen(sketched([late]), NOW, audit, campaigns=known)
    assert answer["reason_codes"] == ["campaign-near"]
    assert not answer["asked_more"]  # one sign alone


def test_a_sign_up_without_a_time_is_of_now_and_one_that_holds_nothing_is_kept(database, audit):
    memory = SignupMemory(database, DEFAULT)
    (answer,) = memory.screen(sketched([{"account_id": "acct-1"}]), NOW, audit)
    assert (answer["risk"], answer["reason_codes"], answer["verification_level"]) == (0.000999, [], 1)
    with database.reading() as connection:
        assert connection.execute(select(SIGNUPS.c.second)).scalar_one() == int(NOW.timestamp())


def test_nothing_raw_is_kept(tmp_path, audit):
    database = Database(address_of(tmp_path / "decisions.db"))
    database.migrate()
    SignupMemory(database, DEFAULT).screen(sketched(FARM), NOW, audit)
    database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for raw in ("mailinator", "m3x3y", "virtual-0", "device-100003", "555 0100003", FARM[3]["signup_ip"]):
        assert raw.encode() not in kept, raw
