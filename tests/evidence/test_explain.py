"""Explanations of campaigns and accounts, for people and for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import UnknownSubjectError
from stillwatch.evidence.explain import explain
from stillwatch.evidence.tables import RunTables

CAMPAIGN = "cmp_7f3ac2d41e90"
MEMBER = "acct_7f3a000000"
CLEAR = "acct_clear000003"
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_a_campaign_shows_every_statement_and_number_it_was_called_on(run: RunTables):
    explanation = explain(run, CAMPAIGN)
    text, data = unwrapped(explanation.text()), explanation.as_dict()
    stored = [
        row for row in run.reasons.to_pylist() if row["campaign_id"] == CAMPAIGN and row["account_id"] is None
    ]
    assert len(stored) == 9
    assert sorted(reason["statement"] for reason in data["reasons"]) == sorted(
        row["statement"] for row in stored
    )
    assert sorted(reason["llr"] for reason in data["reasons"]) == sorted(row["llr"] for row in stored)
    assert all(row["statement"] in text for row in stored)
    for shown in (
        "4,200",
        "4,838,400",
        "22 April to 5 June 2026",
        "under 1 in 10,000",
        "mathematics (58%)",
        "+9.4",
    ):
        assert shown in text


def test_the_steps_in_the_dict_add_up_to_the_score(run: RunTables):
    data = explain(run, CAMPAIGN).as_dict()
    assert sum(step["llr"] for step in data["score_steps"]) == pytest.approx(data["score"])


def test_a_member_shows_its_tie_its_own_reasons_and_its_campaigns(run: RunTables):
    explanation = explain(run, MEMBER)
    text, data = unwrapped(explanation.text()), explanation.as_dict()
    (membership,) = data["memberships"]
    assert (membership["share"], membership["strength"]) == (0.2, 0.35)
    assert "20% of its" in text
    own = "Its requests use the scaffold that only this group uses, in 28 of 31 cases."
    assert [reason["statement"] for reason in membership["reasons"]] == [own]
    assert own in text
    assert membership["campaign"]["reasons"] == explain(run, CAMPAIGN).as_dict()["reasons"]
    assert all(reason["statement"] in text for reason in membership["campaign"]["reasons"])


def test_a_member_without_reasons_of_its_own_says_so(run: RunTables):
    explanation = explain(run, "acct_7f3a000001")
    assert explanation.as_dict()["memberships"][0]["reasons"] == []
    assert "None of its own" in explanation.text()


def test_an_account_in_two_campaigns_shows_both_firmest_first(run: RunTables):
    row = {"campaign_id": "cmp_a40c5e118b77", "account_id": MEMBER, "strength": 0.9, "share": 0.1}
    members = run.members.from_pylist([*run.members.to_pylist(), row], schema=run.members.schema)
    data = explain(replace(run, members=members), MEMBER).as_dict()
    assert [one["campaign"]["campaign_id"] for one in data["memberships"]] == ["cmp_a40c5e118b77", CAMPAIGN]


def test_a_clear_account_is_told_what_was_looked_at(run: RunTables):
    explanation = explain(run, CLEAR)
    text, data = unwrapped(explanation.text()), explanation.as_dict()
    assert data["verdict"] == "clear"
    assert data["memberships"] == []
    assert data["looked_at"] == [
        "continuity",
        "coverage",
        "elicitation",
        "identity",
        "network",
        "rhythm",
        "sampling",
        "scaffold",
        "structure",
        "tempo",
    ]
    assert "nothing links it to a group" in text
    assert all(facet in text for facet in data["looked_at"])


def test_a_clear_account_is_explained_where_no_group_was_found(quiet_run: RunTables):
    assert "nothing links it to a group" in unwrapped(explain(quiet_run, CLEAR).text())


def test_a_look_alike_shows_its_evidence_and_why_it_stayed_clear(run: RunTables):
    explanation = explain(run, "grp_5d0c")
    text, data = unwrapped(explanation.text()), explanation.as_dict()
    assert (data["kind"], data["verdict"], data["kept_clear"]) == ("lookalike", "clear", "few-members")
    assert (data["linking"], data["extraction"], data["firmest_members"]) == (4.0, -13.0, [])
    assert data["kept_clear_statement"] in text
    assert {reason["statement"] for reason in data["reasons"]} == {
        "490 accounts share 6 ranges; 31 would by chance.",
        "71% of the requests follow within half an hour.",
        "62% of the requests repeat a payload.",
    }
    assert all(reason["statement"] in text for reason in data["reasons"])


@pytest.mark.parametrize("shortened", ["cmp_7f", "cmp_7f3ac2d41e90", "cmp_7f3a…", " cmp_7f3a... "])
def test_a_beginning_that_fits_one_id_is_enough(run: RunTables, shortened: str):
    assert explain(run, shortened).as_dict()["campaign_id"] == CAMPAIGN


def test_an_account_id_that_begins_another_is_itself(run: RunTables):
    row = {**run.accounts.to_pylist()[0], "account_id": CLEAR[:-1], "verdict": "clear"}
    accounts = run.accounts.from_pylist([*run.accounts.to_pylist(), row], schema=run.accounts.schema)
    assert explain(replace(run, accounts=accounts), CLEAR[:-1]).as_dict()["account_id"] == CLEAR[:-1]


@pytest.mark.parametrize(
    ("subject", "what", "near"),
    [
        ("cmp_", "4 ids begin with 'cmp_'", "cmp_19be07d5aa31"),
        ("", "ids begin with ''", "cmp_19be07d5aa31"),
        ("acct_cleer000003", "no campaign or account 'acct_cleer000003'", CLEAR),
        ("cmp_7e3ac2d41e90", "no campaign or account", CAMPAIGN),
    ],
)
def test_an_unknown_subject_names_the_nearest(run: RunTables, subject: str, what: str, near: str):
    with pytest.raises(UnknownSubjectError) as raised:
        explain(run, subject)
    assert what in raised.value.what
    assert near in raised.value.remedy


def test_a_subject_like_nothing_points_to_the_tables(run: RunTables):
    with pytest.raises(UnknownSubjectError, match=r"accounts\.parquet"):
        explain(run, "zzzz")


@pytest.mark.parametrize("subject", [CAMPAIGN, MEMBER, CLEAR])
def test_text_fits_a_terminal_and_the_dict_is_json(run: RunTables, subject: str):
    explanation = explain(run, subject)
    assert max(map(len, explanation.text().splitlines())) <= 88
    assert explanation.text().endswith("\n")
    assert json.loads(json.dumps(explanation.as_dict(), allow_nan=False)) == explanation.as_dict()


def test_what_is_not_a_number_is_null_in_json(run: RunTables):
    rows: list[dict[str, Any]] = [{**row, "observed": float("nan")} for row in run.reasons.to_pylist()]
    reasons = run.reasons.from_pylist(rows, schema=run.reasons.schema)
    data = explain(replace(run, reasons=reasons), CAMPAIGN).as_dict()
    assert {reason["observed"] for reason in data["reasons"]} == {None}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(account_id="acct_\x1b[2J\u202e")
@example(account_id=" padded...")
@given(account_id=st.text(min_size=1, max_size=30))
def test_any_account_id_can_be_explained_without_touching_the_terminal(
    build_run: Callable[..., RunTables], account_id: str
):
    run = build_run((), clear=1)
    row = {**run.accounts.to_pylist()[0], "account_id": account_id}
    accounts = run.accounts.from_pylist([row], schema=run.accounts.schema)
    explanation = explain(replace(run, accounts=accounts), account_id)
    assert explanation.as_dict()["account_id"] == account_id
    assert not CONTROLS.search(explanation.text())
