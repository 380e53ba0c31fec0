"""Households whose members sign up while a farm does, and steady farms that no three days show."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.access.company import Knowledge
from stillwatch.access.levels import DEFAULT
from stillwatch.access.population import Population
from stillwatch.access.screening import screen, threshold_of
from stillwatch.access.signup_memory import SignupMemory
from stillwatch.access.weighing import THRESHOLD, Weighed
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parent))
from signups_made import START, asked, group, people, person, screened, sketched

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FARM = group(
    40,
    hours=2,
    email=lambda n: f"user{100 + n}@mailinator.com",
    payment_fingerprint=lambda n: f"virtual-{n % 4}",
    device_fingerprint="phone farm",
    signup_ip=lambda n: f"203.0.113.{n % 5 + 1}",
)
FARM_OF_CARDS = group(40, payment_fingerprint=lambda n: f"virtual-{n // 8}")
NOBODY: list[dict[str, object]] = []
HOME = "198.51.100.54"
SHARED = {
    "a card": {"payment_fingerprint": "family"},
    "a computer": {"device_fingerprint": "desk"},
    "a card, a computer and a telephone": {
        "payment_fingerprint": "family",
        "device_fingerprint": "desk",
        "phone": "+44 20 0000 0000",
    },
}
NAMES = ("grace.hopper@gmail.com", "tomw@outlook.com", "nelly77x@naver.com", "o.brien.pat@gmail.com")


def household(size: int, **shared: str):
    return group(size, hours=size, first=200_000, email=NAMES.__getitem__, signup_ip=HOME, **shared)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("things", SHARED)
def test_a_household_is_not_asked_whoever_else_signs_up(size, things):
    rows = household(size, **SHARED[things])
    for farm in (FARM, FARM_OF_CARDS):
        for knowledge in Knowledge:
            found = screened([*rows, *farm], knowledge=knowledge)
            assert asked(found, rows) == 0.0
            assert all(found[row["account_id"]]["risk"] < 0.5 for row in rows)
        found = screened([*rows, *farm])
        assert asked(found, farm) == 1.0
        assert not any("signup-burst" in found[row["account_id"]]["reason_codes"] for row in rows)


def test_a_household_with_mail_to_be_thrown_away_is_not_asked_for_a_farm_either():
    rows = [
        row | {"email": f"{row['email'].split('@')[0]}@mailinator.com"}
        for row in household(4, **SHARED["a card"])
    ]
    assert asked(screened([*rows, *FARM_OF_CARDS]), rows) == asked(screened(rows), rows) == 0.0


@pytest.fixture
def memory(tmp_path):
    database = Database(address_of(tmp_path / "decisions.db"))
    database.migrate()
    yield SignupMemory(database, DEFAULT)
    database.close()


@pytest.mark.parametrize("things", SHARED)
def test_a_household_is_not_asked_at_the_door_while_a_farm_comes(memory, tmp_path, things):
    rows = household(4, **SHARED[things])
    audit = AuditLog(tmp_path / "audit.jsonl")
    memory.screen(sketched(people(300)), NOW, audit)
    farm = memory.screen(sketched(FARM), NOW, audit)
    answers = memory.screen(sketched([row | {"created_at": _later(row)} for row in rows]), NOW, audit)
    assert sum(answer["asked_more"] for answer in farm) >= 30
    assert [answer["asked_more"] for answer in answers] == [False] * 4
    assert all("signup-burst" not in answer["reason_codes"] for answer in answers)


def _later(row) -> str:
    return (datetime.fromisoformat(row["created_at"]) + timedelta(hours=3)).isoformat()


def steady(count: int, days: int, **fields: object):
    return [
        person(
            300_000 + n,
            START + timedelta(days=200 + days * n / count),
            signup_ip=HOME,
            **{name: value(n) if callable(value) else value for name, value in fields.items()},
        )
        for n in range(count)
    ]


def test_a_steady_farm_on_one_card_and_one_device_is_asked_for_more():
    rows = steady(400, 40, payment_fingerprint="one", device_fingerprint="rack")
    found = screened(rows)
    assert asked(found, rows) == 1.0
    assert {"payment-shared", "device-shared"} <= set(found[rows[200]["account_id"]]["reason_codes"])
    assert asked(found, people()) == 0.0


def test_a_steady_farm_is_asked_for_more_at_the_door(memory, tmp_path):
    rows = steady(240, 30, payment_fingerprint="one", device_fingerprint="rack")
    audit = AuditLog(tmp_path / "audit.jsonl")
    memory.screen(sketched(people(1_100)), NOW, audit)
    answers = memory.screen(sketched(rows), NOW, audit)
    assert all(answer["asked_more"] for answer in answers[130:])


@pytest.mark.parametrize("farm", [NOBODY, FARM_OF_CARDS])
def test_one_thing_of_many_holders_is_a_shop_or_a_firm_on_one_card(farm):
    for shared in ({"device_fingerprint": "kiosk"}, {"payment_fingerprint": "company card"}):
        rows = steady(800, 300, **shared)
        assert asked(screened([*rows, *farm]), rows) == 0.0


def test_a_kind_of_device_that_is_not_told_apart_makes_no_second_thing():
    alike = [row | {"device_fingerprint": f"model {n % 5}"} for n, row in enumerate(people(900, 400_000))]
    model = "model {}".format
    rows = steady(300, 300, payment_fingerprint="company card", device_fingerprint=lambda n: model(n % 5))
    assert asked(screened([*alike, *rows]), rows) == 0.0


@given(
    score=st.floats(0, 40),
    kinds=st.integers(0, 5),
    threshold=st.one_of(st.floats(6.9, 30), st.none()),
)
def test_the_risk_is_a_half_and_more_exactly_where_more_is_asked(score, kinds, threshold):
    threshold = float(np.nextafter(score, np.inf)) if threshold is None else threshold
    weighed = Weighed(np.array([score]), np.array([kinds]))
    assert (weighed.risk(threshold) >= 0.5).tolist() == weighed.asked(threshold).tolist()
    assert weighed.risk(score).tolist() == [0.5 if kinds > 1 else 0.499]


def test_a_backlog_so_full_that_the_threshold_rises_tells_a_risk_that_agrees():
    crowd = group(
        600,
        hours=48,
        payment_fingerprint=lambda n: f"card-{n % 100}",
        signup_ip=lambda n: f"198.51.{n % 100}.9",
    )
    signups = sketched(crowd)
    assert threshold_of(Population.of(signups, Knowledge.HINDSIGHT)) > THRESHOLD + 1
    answers = screen(signups, DEFAULT).to_pylist()
    assert any({"payment-shared", "signup-address"} <= set(answer["reason_codes"]) for answer in answers)
    assert all((answer["risk"] >= 0.5) == answer["asked_more"] for answer in answers)
