"""The same time: what is rare in the whole log, and common among the accounts of the same days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from facet_cases import MONDAY, SCAFFOLD, SHEETS
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking.facets import BUILT_IN
from stillwatch.linking.facets.groups import Groups
from stillwatch.linking.facets.windows import CELLS, WHOLE, WINDOWS, Windows

LAUNCH = 18
"""The day, of twenty, on which what everybody turns to comes out."""


def at_work(traffic, accounts, days, scaffolds=(None,), **columns):
    """Three requests of each account on these days."""
    for number, account in enumerate(accounts):
        own = {name: held(number) for name, held in columns.items()}
        scaffold = scaffolds[number % len(scaffolds)]
        for _ in range(3):
            minute = int(traffic.random.integers(days[0] * 1440, days[1] * 1440))
            traffic.exchange(account, MONDAY + timedelta(minutes=minute), scaffold, **own)


def launched(number):
    """Every other account of the days of the launch has what came out, the others something of their own."""
    return 5 if number % 2 else 1000 + number


def of_the_farm(number):
    return 10 + number // 10


@dataclass(frozen=True)
class Launch:
    """Six hundred accounts before, three hundred after it, and forty more that are weighed."""

    facet: str
    field: str = ""

    def fill(self, traffic, names, held, scaffold):
        self._some(traffic, names("early", 600), (0, LAUNCH - 2), lambda n: 2000 + n, (None,))
        usual = (SHEETS[0],) if self.facet == "scaffold" else (None,)
        self._some(traffic, names("late", 300), (LAUNCH, 20), launched, usual)
        weighed = names("weighed", 40)
        self._some(traffic, weighed, (LAUNCH, 20), held, (scaffold,))
        return weighed

    def _some(self, traffic, accounts, days, held, scaffolds):
        if self.facet == "identity":
            for number, account in enumerate(accounts):
                value = held(number)
                made = MONDAY - timedelta(days=99, hours=value)
                traffic.account(account, **{self.field: made if self.field == "created_at" else value})
        columns = {"network_fp": held} if self.facet == "network" else {}
        at_work(traffic, accounts, days, scaffolds, **columns)

    def says(self, engine):
        """Return what the facet says of the group, as a share of its cap."""
        facet = BUILT_IN[self.facet]
        return sum(row["llr"] for row in facet.weigh(engine).to_pylist()) / facet.card.cap


launches = pytest.mark.parametrize(
    "launch",
    [
        Launch("identity", "payment_fp"),
        Launch("identity", "signup_network_fp"),
        Launch("identity", "created_at"),
        Launch("network"),
        Launch("scaffold"),
    ],
    ids=str,
)


@pytest.fixture
def honest(launch, any_engine, traffic, names):
    """Forty of those who came for the launch, as the others did: its vouchers, its venue, its client."""
    scaffold = SHEETS[0] if launch.facet == "scaffold" else SCAFFOLD
    group = launch.fill(traffic, names, launched, scaffold)
    traffic.bind_groups(any_engine, {0: group}, {0: scaffold})
    return any_engine


@launches
def test_what_everybody_of_the_same_days_has_is_ordinary(launch, honest):
    assert launch.says(honest) <= 0.1


@launches
def test_the_whole_log_would_have_taken_it_for_rare(launch, honest, monkeypatch):
    monkeypatch.setattr(Windows, "choose", lambda self, groups, known: np.full(len(groups.candidates), WHOLE))
    assert launch.says(honest) > 1 / 3


@launches
def test_a_campaign_of_the_same_days_stands(launch, any_engine, traffic, names):
    group = launch.fill(traffic, names, of_the_farm, SCAFFOLD)
    traffic.bind_groups(any_engine, {0: group}, {0: SCAFFOLD})
    assert launch.says(any_engine) > 1 / 3


@launches
def test_a_finding_says_of_what_time_it_speaks(launch, honest):
    for row in BUILT_IN[launch.facet].weigh(honest).to_pylist():
        assert "at work from 2026-05-07 to 2026-05-09" in row["statement"]


def test_the_windows_are_few_and_the_narrow_ones_come_first():
    widths = [end - start for start, end in WINDOWS]
    assert len(WINDOWS) == len(set(WINDOWS)) == 26
    assert widths == sorted(widths)
    assert WINDOWS[WHOLE] == (0, CELLS)


@given(start=st.integers(0, CELLS - 1), width=st.sampled_from([1, 2, 4]))
def test_what_is_short_lies_in_a_window_of_twice_its_length(start, width):
    """Wherever it begins: no cut widens what it is compared with any further."""
    end = min(start + width, CELLS)
    assert any(left <= start and end <= right and right - left == 2 * width for left, right in WINDOWS)


def windows(engine, spans, first=(0,) * 200, last=(CELLS - 1,) * 200):
    """Return the windows of one group whose accounts were at its work in these cells."""
    accounts = range(len(first))
    parties = [{"account": n, "account_id": f"a{n:03}", "party": n} for n in accounts]
    engine.bind("parties", pa.Table.from_pylist(parties))
    members = [{"candidate": 4, "account": n} for n in range(len(spans))]
    engine.bind("members", pa.Table.from_pylist(members))
    begun, ended = np.array(spans).T
    groups = Groups.read(engine)
    return groups, Windows((0, CELLS), np.array(first), np.array(last), begun, ended)


def chosen(engine, spans, **others):
    groups, found = windows(engine, spans, **others)
    (place,) = found.choose(groups, np.ones(len(found.first), np.bool_))
    return WINDOWS[place]


def test_a_group_belongs_to_the_narrowest_window_that_holds_its_work(any_engine):
    assert chosen(any_engine, [(3, 4)] * 10) == (3, 5)
    assert chosen(any_engine, [(3, 4)] * 9 + [(9, 9)]) == (3, 5)
    assert chosen(any_engine, [(3, 4)] * 8 + [(9, 9)] * 2) == (0, CELLS)
    assert chosen(any_engine, [(5, 9)] * 10) == (4, 12)


def test_a_window_of_few_others_is_left_for_a_wider_one(any_engine):
    early, late = [0] * 100 + [8] * 100, [7] * 100 + [15] * 100
    assert chosen(any_engine, [(3, 4)] * 10, first=early, last=late) == (3, 5)
    assert chosen(any_engine, [(3, 4)] * 30, first=early, last=late) == (0, CELLS)


def test_only_accounts_of_which_such_a_value_is_known_are_others(any_engine):
    groups, found = windows(any_engine, [(3, 4)] * 10)
    known = np.arange(200) < 40
    assert found.choose(groups, known).tolist() == [WHOLE]


def test_accounts_that_the_log_does_not_show_are_there_in_the_whole_log_alone(any_engine):
    _, found = windows(any_engine, [(3, 4)], first=[0, CELLS], last=[CELLS - 1, -1])
    assert [found.there(place).tolist() for place in (0, WHOLE)] == [[True, False], [True, True]]


@given(first=st.integers(0, 10**6), length=st.integers(1, 2000), hour=st.integers(0, 1999))
def test_the_edges_of_a_window_are_those_of_its_cells(first, length, hour):
    found = Windows((first, first + length), *[np.zeros(0, np.int64)] * 4)
    cell = hour % length * CELLS // length
    for place, (start, end) in enumerate(WINDOWS):
        since, until = found.edges(place)
        assert (since <= first + hour % length < until) == (start <= cell < end)
