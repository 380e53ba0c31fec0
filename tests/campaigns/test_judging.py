"""Judging: two sides must agree, no facet decides alone, and q-values are those of e-BH."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns.judging import e_benjamini_hochberg, judge
from stillwatch.contracts import FINDINGS, MEMBERSHIP, FacetLimit, KeptClear, Verdict

LIMITS = {
    "identity": FacetLimit("linking", 6.0, 0.0),
    "scaffold": FacetLimit("linking", 3.0, 0.0),
    "sampling": FacetLimit("extraction", 10.0, -10.0),
    "coverage": FacetLimit("extraction", 1.5, -8.0),
}


def verdict(members=40, exchanges=900, others=0, **facets):
    """Judge one candidate, beside ``others`` of which nothing speaks."""
    rows = [
        {
            "candidate": candidate,
            "facet": name,
            "signal": name,
            "side": LIMITS[name].side,
            "llr": llr if candidate == 0 else 0.0,
            "statement": "",
        }
        for candidate in range(1 + others)
        for name, llr in facets.items()
    ]
    accounts = [
        {"candidate": 0, "account_id": f"a{n}", "strength": 0.9, "member": n < members} for n in range(60)
    ]
    findings = pa.Table.from_pylist(rows, schema=FINDINGS)
    work = pa.table({"candidate": [0], "exchanges": [exchanges]})
    return judge(findings, pa.Table.from_pylist(accounts, schema=MEMBERSHIP), work, LIMITS)[0]


def test_both_sides_make_a_campaign():
    found = verdict(identity=50.0, scaffold=3.0, sampling=9.0)
    assert found.verdict is Verdict.CAMPAIGN
    assert found.score == pytest.approx(6 + 3 + 9)
    assert found.q_value == pytest.approx(math.exp(-18))


@pytest.mark.parametrize("facets", [{"identity": 1e6, "scaffold": 1e6}, {"sampling": 1e6, "coverage": 1e6}])
def test_one_side_alone_is_never_enough_however_strong(facets):
    assert verdict(**facets).verdict is Verdict.CLEAR


def test_what_speaks_against_is_counted():
    assert verdict(identity=50.0, scaffold=3.0, sampling=9.0, coverage=-90.0).verdict is Verdict.CLEAR


def test_between_the_two_is_a_watch():
    assert verdict(identity=6.0, scaffold=3.0, sampling=4.0).verdict is Verdict.WATCH


def test_a_handful_of_members_is_no_campaign():
    assert verdict(members=7, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


def test_a_handful_of_requests_is_no_campaign():
    assert verdict(members=10, exchanges=49, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


def test_a_request_or_two_of_each_account_is_no_campaign():
    assert verdict(members=60, exchanges=180, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"members": 7}, KeptClear.FEW_MEMBERS),
        ({"exchanges": 49}, KeptClear.LITTLE_WORK),
        ({"identity": 3.0, "scaffold": 0.0}, KeptClear.NOT_LINKED),
        ({"sampling": 2.0}, KeptClear.NO_EXTRACTION),
        ({"coverage": -90.0}, KeptClear.NO_EXTRACTION),
        ({"sampling": 3.0, "identity": 0.0, "scaffold": 4.0, "members": 7}, KeptClear.FEW_MEMBERS),
    ],
)
def test_a_clear_candidate_says_what_it_lacked(changes, why):
    found = verdict(**({"identity": 50.0, "scaffold": 3.0, "sampling": 9.0} | changes))
    assert found.verdict is Verdict.CLEAR
    assert found.kept_clear is why


def test_chance_among_many_candidates_is_a_reason_of_its_own():
    facets = {"identity": 4.0, "sampling": 3.0}
    assert verdict(**facets).kept_clear is None  # one candidate: exp(-7) is rare
    assert verdict(**facets, others=200).kept_clear is KeptClear.NOT_SURE


def test_who_is_called_was_not_kept_clear():
    assert verdict(identity=50.0, sampling=9.0).kept_clear is None


@given(st.lists(st.floats(-20, 60), min_size=1, max_size=40))
def test_q_values_reject_what_e_bh_rejects(scores):
    q_values = e_benjamini_hochberg(dict(enumerate(scores)))
    for level in (0.001, 0.01, 0.1, 0.5):
        ranked = sorted(np.exp(scores))[::-1]
        stands = [k for k, e in enumerate(ranked, 1) if e * (1 + 1e-9) >= len(scores) / (k * level)]
        assert sum(q <= level * (1 + 1e-9) for q in q_values.values()) >= max(stands, default=0)
    assert all(0 < q <= 1 for q in q_values.values())
    order = sorted(q_values, key=lambda n: -scores[n])
    assert [q_values[n] for n in order] == sorted(q_values.values())
