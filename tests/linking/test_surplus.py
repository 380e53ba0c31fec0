"""Sharing beyond chance, against drawing groups at random."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus

HOLDINGS = "SELECT fp, account FROM cards"


def bind(engine, cards, group):
    """``cards`` holds one card or several of each account."""
    held = [set(np.atleast_1d(fps).tolist()) for fps in cards]
    rows = [{"account": n, "fp": fp} for n, fps in enumerate(held) for fp in sorted(fps)]
    engine.bind("cards", pa.Table.from_pylist(rows))
    parties = [{"account": n, "account_id": f"a{n:04}", "party": n} for n in range(len(held))]
    engine.bind("parties", pa.Table.from_pylist(parties))
    members = [{"candidate": 0, "account": int(n), "account_id": f"a{n:04}"} for n in group]
    engine.bind("members", pa.Table.from_pylist(members))


@pytest.mark.parametrize("each", [1, 2, 10])
def test_expectation_is_what_random_groups_share(any_engine, each):
    """However many values an account has: a range of each place that it was used in, say."""
    random = np.random.default_rng(2)
    cards = random.zipf(1.6, (1000, each)) % 300
    seen, expected = [], []
    for _ in range(25):
        group = np.sort(random.choice(1000, 60, replace=False))
        bind(any_engine, cards, group)
        surplus = weigh_surplus(any_engine, Groups.read(any_engine), HOLDINGS)[0]
        seen.append(surplus.observed)
        expected.append(surplus.expected)
    assert np.mean(seen) == pytest.approx(np.mean(expected), rel=0.15)


def test_counts_are_those_of_the_group(any_engine):
    bind(any_engine, [1, 1, 1, 2, 3, *range(10, 200)], [0, 1, 2, 3, 4])
    surplus = weigh_surplus(any_engine, Groups.read(any_engine), HOLDINGS)[0]
    assert (surplus.observed, surplus.accounts, surplus.values, surplus.known) == (2.0, 3, 1, 5)
    assert surplus.expected == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("observed", "expected"), [(0, 0), (3, 3), (2, 5), (0.4, 0)])
def test_no_more_than_chance_says_nothing(observed, expected):
    assert Surplus(observed, expected, 0, 0, 10).llr == 0.0


def test_a_hub_of_many_holders_costs_one_row():
    assert Surplus(1e6, 1e6, 0, 0, 10).llr == 0.0
