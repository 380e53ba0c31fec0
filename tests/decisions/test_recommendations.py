"""What is recommended changes when a verdict does, and one judgement alone throttles nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.contracts import ACCOUNTS, CAMPAIGNS, DECISIONS, REASONS
from stillwatch.decisions.recommendations import Recommendations

START = datetime(2026, 4, 22, tzinfo=UTC)
SURE = 1e-9
RISKS = {"likely": 0.84}


def campaigns(**groups: tuple[str, float]) -> pa.Table:
    """CAMPAIGNS from name -> (verdict, q-value)."""
    blank = {"score": 20.0, "accounts": 8, "exchanges": 90, "input_tokens": 0, "output_tokens": 0}
    blank |= {"first_seen": START, "last_seen": START, "capabilities": [], "facets": [], "summary": ""}
    rows = [
        blank | {"campaign_id": name, "verdict": verdict, "q_value": q_value}
        for name, (verdict, q_value) in groups.items()
    ]
    return pa.Table.from_pylist(rows, schema=CAMPAIGNS)


def accounts(groups: pa.Table, **members: str | None) -> pa.Table:
    """ACCOUNTS from account -> its campaign."""
    verdicts = dict(zip(groups["campaign_id"].to_pylist(), groups["verdict"].to_pylist(), strict=True))
    rows = [
        {
            "account_id": account,
            "campaign_id": campaign,
            "verdict": verdicts.get(campaign, "clear"),
            "risk": RISKS.get(account, 1.0),
            "facets": [],
            "exchanges": 9,
        }
        for account, campaign in members.items()
    ]
    return pa.Table.from_pylist(rows, schema=ACCOUNTS)


def reasons(*weights: tuple[str | None, str, float]) -> pa.Table:
    """REASONS of the campaign c from (account, signal, nats)."""
    rows = [
        {
            "campaign_id": "c",
            "account_id": account,
            "facet": "identity",
            "signal": signal,
            "side": "linking",
            "llr": llr,
            "statement": "",
        }
        for account, signal, llr in weights
    ]
    return pa.Table.from_pylist(rows, schema=REASONS)


def after(*judgements: tuple[pa.Table, dict[str, str | None]]) -> list[tuple[int, str, str, str]]:
    """(judgement, account, campaign, action) of every decision."""
    recommendations = Recommendations()
    for number, (groups, members) in enumerate(judgements):
        recommendations.judge(START + timedelta(hours=number), groups, accounts(groups, **members), reasons())
    return [
        (
            (row["decided_at"] - START) // timedelta(hours=1),
            row["account_id"],
            row["campaign_id"],
            row["action"],
        )
        for row in recommendations.table().to_pylist()
    ]


CALLED = campaigns(c=("campaign", SURE))
WATCHED = campaigns(c=("watch", 0.05))
NOTHING = campaigns()
TWICE = [(CALLED, {"a": "c"})] * 2


def test_a_row_is_written_only_when_the_recommendation_changes():
    member = {"a": "c", "honest": None}
    assert after((WATCHED, member), (WATCHED, member), *[(CALLED, member)] * 3) == [
        (0, "a", "c", "observe"),
        (3, "a", "c", "throttle"),
    ]


def test_a_group_is_observed_until_two_judgements_in_a_row_call_it():
    member = {"a": "c"}
    flickering = after((CALLED, member), (WATCHED, member), (CALLED, member), (NOTHING, {"a": None}))
    assert flickering == [(0, "a", "c", "observe")]
    assert after((CALLED, member), (CALLED, member))[-1] == (1, "a", "c", "throttle")


def test_a_campaign_that_is_called_again_takes_in_new_accounts_at_once():
    both = {"a": "c", "b": "c"}
    assert after((CALLED, {"a": "c"}), (CALLED, {"a": "c"}), (CALLED, both))[-1] == (2, "b", "c", "throttle")


def test_an_account_that_is_only_likely_a_member_is_observed():
    assert after(*[(CALLED, {"a": "c", "likely": "c"})] * 3) == [
        (0, "a", "c", "observe"),
        (0, "likely", "c", "observe"),
        (1, "a", "c", "throttle"),
    ]


def test_a_throttle_stands_while_the_campaign_is_called_even_without_the_account():
    seen = after(*TWICE, (CALLED, {"a": None}))
    assert seen[-1] == (1, "a", "c", "throttle")


@pytest.mark.parametrize(
    ("later", "member", "action"), [(NOTHING, None, "release"), (WATCHED, "c", "observe")]
)
def test_a_throttle_ends_with_the_verdict(later, member, action):
    assert after(*TWICE, (later, {"a": member}))[-2:] == [(1, "a", "c", "throttle"), (2, "a", "c", action)]


def test_an_account_that_was_released_is_throttled_again_when_the_verdict_is_back_for_good():
    seen = after(*TWICE, (NOTHING, {"a": None}), *TWICE)
    assert [row[3] for row in seen] == ["observe", "throttle", "release", "observe", "throttle"]


def test_an_observation_lapses_without_a_row():
    assert after((WATCHED, {"a": "c"}), (NOTHING, {"a": None})) == [(0, "a", "c", "observe")]


def test_an_account_whose_campaign_went_into_another_follows_it():
    both = campaigns(c=("campaign", SURE), d=("campaign", SURE))
    merged = campaigns(d=("campaign", SURE))
    seen = after(*[(both, {"a": "c", "b": "d"})] * 2, (merged, {"a": "d", "b": "d"}))
    assert seen[-1] == (2, "a", "d", "throttle")


def test_reason_codes_are_what_weighs_most_for_the_campaign_then_for_the_account():
    recommendations = Recommendations()
    weights = reasons(
        (None, "scaffold-shared", 1.0),
        (None, "payment-shared", 9.0),
        (None, "dataset-partition", -2.0),
        ("a", "no-sessions", 1.5),
        ("b", "standalone-requests", 4.0),
    )
    recommendations.judge(START, CALLED, accounts(CALLED, a="c"), weights)
    table = recommendations.table()
    assert table.schema.equals(DECISIONS)
    assert table["reason_codes"].to_pylist() == [["payment-shared", "scaffold-shared", "no-sessions"]]
    assert table["dry_run"].to_pylist() == [True]
