"""Calibration: p-values of ordinary margins are uniform, and what labels add makes the next run stricter."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns.calibration import Reference, benjamini_hochberg, shipped_reference


def ordinary(count, seed):
    return np.random.default_rng(seed).exponential(0.15, count)


def test_ordinary_candidates_reach_no_further_than_their_p_value_says():
    reference = Reference.of(ordinary(4_000, 1), 4_000, 0.3)
    p_values = np.array([reference.p_value(margin) for margin in ordinary(20_000, 2)])
    for level in (0.1, 0.01, 0.001):
        assert np.mean(p_values <= level) <= 1.5 * level
    assert np.mean(p_values <= 0.01) >= 0.004  # nor is it without power


def test_below_the_threshold_nothing_is_claimed_and_far_out_chance_has_a_floor():
    reference = Reference.of(ordinary(4_000, 1), 4_000, 0.3)
    assert reference.p_value(0.29) == 1.0
    assert 0 < reference.p_value(50.0) <= 1e-12
    assert Reference(0, 0.3, ()).p_value(9.0) == 1.0  # an empty reference accuses nobody


def test_where_nothing_reached_the_tail_chance_is_not_taken_for_none():
    unreached = Reference.of([], candidates=999, threshold=0.3)
    assert unreached.p_value(0.3) == pytest.approx(1 / 1000)
    assert 1e-7 < unreached.p_value(1.0) < 1e-5


def test_a_group_that_an_analyst_called_honest_makes_such_groups_likelier():
    reference = Reference.of(ordinary(4_000, 1), 4_000, 0.3)
    taught = reference.with_honest([3.0] * 5)
    assert taught.p_value(1.4) > 1.1 * reference.p_value(1.4)
    assert taught.p_value(3.0) > 2 * reference.p_value(3.0)
    assert reference.with_honest([]) == reference


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=40))
def test_q_values_reject_what_benjamini_hochberg_rejects(p_values):
    q_values = benjamini_hochberg(dict(enumerate(p_values)))
    for level in (0.01, 0.1, 0.5):
        ranked = sorted(p_values)
        stands = [k for k, p in enumerate(ranked, 1) if p <= k * level / len(p_values) * (1 + 1e-9)]
        assert sum(q <= level * (1 + 1e-9) for q in q_values.values()) >= max(stands, default=0)
    assert all(0 < q <= 1 for q in q_values.values())
    order = sorted(q_values, key=lambda number: p_values[number])
    assert [q_values[number] for number in order] == sorted(q_values.values())


def test_the_shipped_reference_was_made_of_logs_without_campaigns():
    content = json.loads(files("stillwatch.campaigns").joinpath("reference.json").read_text(encoding="utf-8"))
    assert content["logs"] >= 50
    assert len(content["kinds"]) >= 4
    reference = shipped_reference()
    assert reference.candidates > 900
    assert reference.p_value(1.0) < 0.0002  # fifty groups may be tested where the weakest campaign stands
    assert reference.p_value(reference.threshold) <= 0.01  # hardly any of their groups reaches anywhere
