"""Scores of a world small enough to be counted by hand."""

from __future__ import annotations

import pytest

from scoring import Found, Truth, pooled, score, upper95


def row(account, kind, campaign=None, exchanges=10, attack=0):
    return {
        "account_id": account,
        "kind": kind,
        "campaign": campaign,
        "exchanges": exchanges,
        "attack_exchanges": attack,
    }


TRUTH = Truth.of(
    [
        *(row(f"a{number}", "attack", "A", 10, 10) for number in range(3)),
        row("a3", "attack", "A", 10, 5),
        row("idle", "attack", "A"),
        *(row(f"b{number}", "attack", "B", 10, 10) for number in range(2)),
        *(row(f"h{number}", "individual") for number in range(8)),
        *(row(f"j{number}", "judge") for number in range(2)),
        row("silent", "individual", exchanges=0),
        row("reseller", "resale"),
    ]
)


def test_recall_group_fit_and_honest_accounts_are_counted():
    flagged = {
        "a0": "one",
        "a1": "one",
        "a3": "two",
        "h0": "one",
        "j1": None,
        "reseller": "one",
        "idle": "one",
    }
    scored = score(TRUTH, flagged, {"a0": 0.9, "a3": 0.7, "h0": 1.0})
    # group one holds a0, a1, h0 and reseller, the idle account counts neither way: 2 * 2 / (4 + 4)
    assert scored["campaigns"] == {
        "A": {"accounts": 4, "recall": 0.75, "exchange_recall": 0.7143, "group_f1": 0.5},
        "B": {"accounts": 2, "recall": 0.0, "exchange_recall": 0.0, "group_f1": 0.0},
    }
    assert (scored["honest_accounts"], scored["honest_flagged"], scored["resale_flagged"]) == (10, 2, 1)
    assert scored["honest_flagged_by_kind"] == {"individual": 1, "judge": 1}
    assert scored["share_error"] == pytest.approx((0.1 + 0.2) / 2)


def test_accounts_without_a_group_count_for_recall_and_fit_no_group():
    scored = score(TRUTH, {"b0": None, "b1": None})
    assert scored["campaigns"]["B"] == {"accounts": 2, "recall": 1.0, "exchange_recall": 1.0, "group_f1": 0.0}
    assert scored["share_error"] is None


def test_worlds_are_pooled_by_campaign_and_by_honest_account():
    both = [score(TRUTH, {"a0": "x", "a1": "x", "h0": "x"}), score(TRUTH, {"b0": "y", "b1": "y"})]
    together = pooled(both)
    assert together["campaigns"] == 4
    assert together["campaigns_found"] == 2
    assert together["mean_recall"] == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert (together["honest_accounts"], together["honest_flagged_per_100k"]) == (20, 5000.0)


def test_the_bound_is_the_exact_one():
    # nothing among n: 1 - 0.05 ** (1 / n)
    assert upper95(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert upper95(100, 100) == 1.0
    assert upper95(0, 0) == 1.0


def test_a_threshold_flags_what_reaches_it():
    found = Found({"a0": 3.0, "a1": 2.0, "h0": 1.0}, {"a0": "one"})
    assert found.flagged(2.0) == {"a0": "one", "a1": None}
