"""Sharing beyond chance, against drawing groups at random and against counting it plainly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.surplus import Surplus, weigh_surplus
from stillwatch.linking.facets.windows import CELLS, WHOLE, WINDOWS, Windows

HOLDINGS = "SELECT fp, account FROM cards"


def bind(engine, cards, groups, party=None):
    """``cards`` holds one card or several of each account; ``groups`` the accounts of each candidate."""
    held = [fps if isinstance(fps, set) else set(np.atleast_1d(fps).tolist()) for fps in cards]
    rows = [{"account": n, "fp": fp} for n, fps in enumerate(held) for fp in sorted(fps)]
    engine.bind("cards", pa.Table.from_pylist(rows))
    party = range(len(held)) if party is None else party
    parties = [{"account": n, "account_id": f"a{n:04}", "party": int(p)} for n, p in enumerate(party)]
    engine.bind("parties", pa.Table.from_pylist(parties))
    members = [
        {"candidate": number, "account": int(n), "account_id": f"a{n:04}"}
        for number, group in enumerate(groups)
        for n in group
    ]
    engine.bind("members", pa.Table.from_pylist(members))


def always(groups):
    """Everybody is at work from the first cell to the last."""
    begun = np.zeros(len(groups.accounts), np.int64)
    first = np.zeros(len(groups.party), np.int64)
    return Windows((0, CELLS), first, first + CELLS - 1, begun, begun + CELLS - 1)


def weigh(engine):
    """Return the surplus of the only candidate, in the whole log."""
    groups = Groups.read(engine)
    return weigh_surplus(engine, groups, always(groups), HOLDINGS)[0]


@pytest.mark.parametrize("each", [1, 2, 10])
def test_expectation_is_what_random_groups_share(any_engine, each):
    """However many values an account has: a range of each place that it was used in, say."""
    random = np.random.default_rng(2)
    cards = random.zipf(1.6, (1000, each)) % 300
    seen, expected = [], []
    for _ in range(25):
        group = np.sort(random.choice(1000, 60, replace=False))
        bind(any_engine, cards, [group])
        surplus = weigh(any_engine)
        seen.append(surplus.observed)
        expected.append(surplus.expected)
    assert np.mean(seen) == pytest.approx(np.mean(expected), rel=0.15)


def test_counts_are_those_of_the_group(any_engine):
    bind(any_engine, [1, 1, 1, 2, 3, *range(10, 200)], [[0, 1, 2, 3, 4]])
    surplus = weigh(any_engine)
    assert (surplus.observed, surplus.accounts, surplus.values, surplus.known) == (2.0, 3, 1, 5)
    assert surplus.expected == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("observed", "expected"), [(0, 0), (3, 3), (2, 5), (0.4, 0)])
def test_no_more_than_chance_says_nothing(observed, expected):
    assert Surplus(observed, expected, 0, 0, 10).llr == 0.0


def test_a_hub_of_many_holders_costs_one_row():
    assert Surplus(1e6, 1e6, 0, 0, 10).llr == 0.0


def plain_window(windows, groups, number, known):
    """Return where the narrowest window lies that holds nine tenths of the group and enough others."""
    rows = range(groups.ends[number], groups.ends[number + 1])
    for place, (start, end) in enumerate(WINDOWS):
        held = sum(windows.begun[row] >= start and windows.ended[row] < end for row in rows)
        others = sum(
            windows.first[account] < end and windows.last[account] >= start and account in known
            for account in range(len(windows.first))
        )
        if place == WHOLE or (held >= 0.9 * len(rows) and others >= 5 * len(rows)):
            return place
    raise AssertionError


def plain_surplus(windows, groups, number, cards, party):
    """Count the same from sets: who was there holds what, in the group and outside."""
    known = {account for account, held in enumerate(cards) if held}
    place = plain_window(windows, groups, number, known)
    start, end = WINDOWS[place]
    there = [
        account
        for account in range(len(cards))
        if place == WHOLE or (windows.first[account] < end and windows.last[account] >= start)
    ]
    members = set(groups.accounts[groups.ends[number] : groups.ends[number + 1]].tolist())
    own = {(party[account], fp) for account in there if account in members for fp in cards[account]}
    others = {(party[account], fp) for account in there for fp in cards[account]} - own
    inside = {party[account] for account in there if account in members & known}
    outside = {party[account] for account in there if account in known} - inside
    share = min(len(inside) / max(len(outside), 1), 1.0)
    holders = [sum(fp == other for _, other in others) for fp in {fp for _, fp in others}]
    expected = sum(k * share - 1 + (1 - share) ** k for k in holders)
    return len(own) - len({fp for _, fp in own}), len(own), expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_surplus_is_what_counting_the_accounts_of_the_same_time_gives(any_engine, seed):
    random = np.random.default_rng(seed)
    size = int(random.integers(5, 60))
    cards = [set(random.integers(0, 12, random.integers(0, 4)).tolist()) for _ in range(size)]
    party = random.integers(0, size, size).tolist()
    sizes = random.integers(1, 5, 3)
    bind(any_engine, cards, [random.choice(size, n, replace=False) for n in sizes], party)
    groups = Groups.read(any_engine)
    first, begun = random.integers(0, CELLS, size), random.integers(0, CELLS, len(groups.accounts))
    last = np.minimum(first + random.integers(0, 6, size), CELLS - 1)
    windows = Windows((0, CELLS), first, last, begun, np.minimum(begun + 1, CELLS - 1))
    found = weigh_surplus(any_engine, groups, windows, HOLDINGS)
    for number in range(len(sizes)):
        observed, known, expected = plain_surplus(windows, groups, number, cards, party)
        surplus = found.get(number, Surplus(0, expected, 0, 0, 0))
        assert (surplus.observed, surplus.known) == (observed, known)
        assert surplus.expected == pytest.approx(expected, abs=1e-9)
