"""Baselines on logs made to order: a plain campaign, a slow one, and people who have nothing in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from baselines import BASELINES
from log import Log, newest_question
from scoring import Found

START = datetime(2026, 4, 22, tzinfo=UTC)
PEOPLE, OPERATORS = 400, 30
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def made(each_day: int, days: int) -> Log:
    """People ask a few things of their own; an operator's accounts share a card, a device and a scaffold."""
    random = np.random.default_rng(5)

    def words(count: int) -> str:
        return " ".join("".join(random.choice(LETTERS, random.integers(3, 9))) for _ in range(count))

    requests, accounts = [], []
    for number in range(PEOPLE):
        name = f"h{number:03}"
        accounts.append((name, f"card {name}", f"device {name}", None, None))
        for _ in range(int(random.integers(2, 20))):
            at = START + timedelta(hours=float(random.uniform(0, 24 * days)))
            requests.append((name, at, f"address {name}", words(20)))
    for number in range(OPERATORS):
        name = f"a{number:03}"
        accounts.append((name, "card of all", "device of all", None, None))
        for count in range(each_day * days):
            at = START + timedelta(days=count // each_day, minutes=count % each_day)
            prompt = f"Think step by step and show your work before you give the answer: {words(4)}"
            requests.append((name, at, f"address {name}", prompt))
    names = ["account_id", "timestamp", "ip", "text"]
    records = ["account_id", "payment_fingerprint", "device_fingerprint", "phone", "signup_ip"]
    log = pl.DataFrame(requests, schema=names, orient="row").sort("timestamp", maintain_order=True)
    nullable = {"phone": pl.String, "signup_ip": pl.String}
    holders = pl.DataFrame(accounts, schema=records, orient="row", schema_overrides=nullable)
    return Log(log.with_row_index("request_id"), holders)


def recall(found: Found, threshold: float) -> float:
    return sum(account.startswith("a") for account in found.flagged(threshold)) / OPERATORS


@pytest.fixture(scope="module")
def plain() -> Log:
    return made(each_day=120, days=2)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_finds_a_plain_campaign_and_few_people(plain, name):
    baseline = BASELINES[name]
    flagged = baseline.find(plain).flagged(baseline.usual)
    assert recall(baseline.find(plain), baseline.usual) == 1.0
    assert sum(account.startswith("h") for account in flagged) <= PEOPLE // 20


@pytest.mark.parametrize("name", BASELINES)
def test_thresholds_run_from_strict_to_lenient_and_hold_the_usual_one(name):
    baseline = BASELINES[name]
    assert list(baseline.thresholds) == sorted(baseline.thresholds, reverse=True)
    assert baseline.usual in baseline.thresholds


def test_no_rate_limit_finds_a_slow_campaign_without_its_people():
    found = BASELINES["rate limit"].find(made(each_day=2, days=10))
    operators = max(score for account, score in found.scores.items() if account.startswith("a"))
    people = [score for account, score in found.scores.items() if account.startswith("h")]
    assert recall(found, BASELINES["rate limit"].usual) == 0.0
    assert sum(score >= operators for score in people) > PEOPLE / 2


@pytest.mark.parametrize("name", ["afternoon rule", "shared attributes", "two-sample test, group"])
def test_what_pools_accounts_finds_the_slow_campaign(name):
    baseline = BASELINES[name]
    assert recall(baseline.find(made(each_day=2, days=10)), baseline.usual) == 1.0


def test_the_newest_question_is_the_last_thing_a_user_said():
    told = (
        '[{"role":"user","content":"old"},{"role":"assistant","content":"x"},{"role":"user","content":"new"}]'
    )
    assert newest_question(told) == "new"
    assert newest_question('[{"role":"user","content":[{"type":"text","text":"in parts"}]}]') == "in parts"
    assert newest_question('[{"role":"system","content":"nobody asked"}]') == ""
