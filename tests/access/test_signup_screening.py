"""What holds of screening whatever comes: order, strangers, counting, and the formula."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.access.agreement import agreement, ordinary
from stillwatch.access.company import SPELL, Knowledge, company
from stillwatch.access.levels import DEFAULT
from stillwatch.access.screening import screen
from stillwatch.contracts import SCREENED, SIGNUP

sys.path.insert(0, str(Path(__file__).parent))
from signups_made import group, people, sketched


@pytest.fixture(scope="module")
def backlog() -> pa.Table:
    farm = group(24, payment_fingerprint=lambda n: f"virtual-{n // 8}")
    return sketched([*people(), *farm])


@pytest.mark.parametrize("knowledge", Knowledge)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_rows_changes_nothing(backlog, knowledge, seed):
    shuffled = backlog.take(pa.array(np.random.default_rng(seed).permutation(backlog.num_rows)))
    assert screen(shuffled, DEFAULT, knowledge) == screen(backlog, DEFAULT, knowledge)


def test_strangers_of_another_time_make_nobody_less_doubtful(backlog):
    strangers = [row | {"email": None} for row in people(400, first=500_000)[:300]]
    more = pa.concat_tables([backlog, sketched(strangers)])
    before = {row["account_id"]: row["risk"] for row in screen(backlog, DEFAULT).to_pylist()}
    after = {row["account_id"]: row["risk"] for row in screen(more, DEFAULT).to_pylist()}
    doubtful = [account for account, risk in before.items() if risk >= 0.5]
    assert len(doubtful) == 24
    assert all(after[account] >= before[account] for account in doubtful)


def test_hindsight_knows_the_first_of_a_farm_and_arrival_does_not(backlog):
    late, early = (
        screen(backlog, DEFAULT, knowledge) for knowledge in (Knowledge.HINDSIGHT, Knowledge.ARRIVAL)
    )
    assert pa.compute.sum(late["asked_more"]).as_py() == 24
    assert 0 < pa.compute.sum(early["asked_more"]).as_py() < 24


def test_no_sign_up_is_nobody():
    assert screen(SIGNUP.empty_table(), DEFAULT) == SCREENED.empty_table()
    one = screen(sketched(people(1)), DEFAULT).to_pylist()
    assert [row["asked_more"] for row in one] == [False]


_HOLDERS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4 * SPELL), st.integers(0, 6)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(rows=_HOLDERS)
def test_company_is_counted_as_one_would_by_hand(rows):
    values, seconds, parties = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    for knowledge in Knowledge:
        found = company(values, seconds, parties, knowledge)
        for row in range(len(rows)):
            assert (found.others[row], found.elsewhere[row]) == by_hand(rows, row, knowledge)


def by_hand(rows, row: int, knowledge: Knowledge) -> tuple[int, int]:
    value, second, own = rows[row]
    known = [
        (at, party)
        for place, (held, at, party) in enumerate(rows)
        if held == value and (knowledge is Knowledge.HINDSIGHT or (at, place) <= (second, row))
    ]
    inside = {party for at, party in known if abs(at - second) <= SPELL}
    return len(inside - {own}), len({party for _, party in known} - inside)


_COUNT = st.integers(0, 10_000)
_EXPECTED = st.floats(1e-4, 1e4)


@given(others=_COUNT, expected=_EXPECTED, more=_EXPECTED)
def test_evidence_grows_with_company_and_falls_with_what_is_ordinary(others, expected, more):
    def nats(count: int, usual: float) -> float:
        return float(agreement(np.array([count]), np.array([usual]))[0])

    assert nats(others + 1, expected) >= nats(others, expected) >= 0
    assert nats(others, expected + more) <= nats(others, expected) + 1e-9
    assert nats(others, float(max(others, 1))) == 0


def test_a_popular_value_says_nothing_and_a_rare_one_much():
    spell, everybody = np.array([500]), np.array([10_000])
    popular = ordinary(np.array([1_000]), 0.9, spell, everybody)
    rare = ordinary(np.array([0]), 0.05, spell, everybody)
    assert agreement(np.array([52]), popular)[0] < 0.1
    assert agreement(np.array([8]), rare)[0] > 7
    assert agreement(np.array([2]), rare)[0] < 2
