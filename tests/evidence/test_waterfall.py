"""The steps from the first reason to the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evidence import waterfall
from stillwatch.evidence.case import Case, Reason, Side, all_cases
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.telling import sentence


def reasons() -> st.SearchStrategy[Reason]:
    return st.builds(
        Reason,
        facet=st.sampled_from(["identity", "scaffold", "structure"]),
        signal=st.sampled_from(["payment-shared", "scaffold-shared"]),
        side=st.sampled_from(Side),
        llr=st.floats(-20, 20),
        observed=st.none(),
        expected=st.none(),
        accounts=st.none(),
        exchanges=st.none(),
        statement=st.just("It is so."),
    )


def test_the_steps_end_at_the_score(run: RunTables):
    for case in all_cases(run):
        steps = waterfall.steps(case)
        assert steps[-1].end == pytest.approx(case.score)
        assert sum(waterfall.side_totals(case).values()) == pytest.approx(case.score)


def test_each_step_starts_where_the_last_one_ended(run: RunTables):
    steps = waterfall.steps(all_cases(run)[0])
    assert steps[0].start == 0
    assert all(after.start == step.end for step, after in pairwise(steps))


def test_a_capped_facet_is_a_step_of_its_own(run: RunTables):
    limits = [step for step in waterfall.steps(all_cases(run)[0]) if step.side == waterfall.LIMIT]
    assert [(step.label, round(step.llr, 6)) for step in limits] == [("Scaffold: limit", -1.5)]


def test_what_weighs_nothing_is_told_but_no_step(run: RunTables):
    case = all_cases(run)[0]
    assert [reason.signal for reason in case.silent] == ["phone-shared"]
    assert "Phone shared" not in [step.label for step in waterfall.steps(case)]


def test_a_negative_weight_speaks_against_whatever_it_was_looked_for(run: RunTables):
    rows = [{**row, "llr": -abs(row["llr"]), "side": "linking"} for row in run.reasons.to_pylist()]
    case = all_cases(replace(run, reasons=run.reasons.from_pylist(rows, schema=run.reasons.schema)))[0]
    assert {reason.side for reason in case.reasons if reason.llr} == {Side.AGAINST}
    assert "linked by" not in sentence(case)


def test_what_no_reason_explains_is_said(build_run: Callable[..., RunTables], run: RunTables):
    case = replace(all_cases(run)[0], reasons=())
    assert [step.label for step in waterfall.steps(case)] == ["Not itemised"]


@given(
    found=st.lists(reasons(), max_size=8),
    stored=st.dictionaries(st.sampled_from(["identity", "scaffold", "tempo"]), st.floats(-20, 20)),
    score=st.floats(-60, 60),
)
def test_the_steps_end_at_the_score_whatever_is_stored(
    run: RunTables, found: list[Reason], stored: dict[str, float], score: float
):
    case: Case = replace(
        all_cases(run)[0], reasons=tuple(found), facets=tuple(sorted(stored.items())), score=score
    )
    assert sum(step.llr for step in waterfall.steps(case)) == pytest.approx(score, abs=1e-5)
