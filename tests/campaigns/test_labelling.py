"""What labels decide: verdicts and members, and that the evidence stays what it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.campaigns.judging import MIN_EXTRACTION, MIN_LINKING, Judgement
from stillwatch.campaigns.labelling import (
    admit,
    label_reasons,
    match_labels,
    obey,
    ordinary_margins,
    tell_labels,
)
from stillwatch.campaigns.labels import Kind, Label, Said
from stillwatch.campaigns.selection import Campaign
from stillwatch.contracts import MEMBERSHIP, Verdict

START = datetime(2026, 6, 1, tzinfo=UTC)


def label(members, verdict=Said.HONEST, subject="cmp_1", kind=Kind.GROUP, days=0):
    given_at = START + timedelta(days=days)
    return Label(given_at, "kim", kind, subject, verdict, "why", frozenset(members), None, "")


def judgement(candidate, linking=10.0, extraction=10.0, verdict=Verdict.CAMPAIGN):
    return Judgement(candidate, 10, {}, linking, extraction, 9.0, 9.0, "linking", True, False, 0.001, verdict)


def membership(groups, strangers=()):
    rows = [
        {"candidate": number, "account_id": account, "strength": 0.9, "member": account not in strangers}
        for number, accounts in groups.items()
        for account in accounts
    ]
    return pa.Table.from_pylist(rows, schema=MEMBERSHIP)


def matched_verdicts(labels, groups):
    return {number: one.verdict for number, one in match_labels(labels, membership(groups)).items()}


def test_honest_holds_for_half_of_the_smaller_list(names):
    groups = {0: names("a", 10), 1: names("a", 4) + names("b", 6), 2: names("a", 40)}
    assert matched_verdicts([label(names("a", 10))], groups).keys() == {0, 2}


def test_campaign_holds_only_where_half_of_the_group_was_labelled(names):
    groups = {0: names("a", 10), 1: names("a", 40), 2: names("a", 20)}
    assert matched_verdicts([label(names("a", 10), Said.CAMPAIGN)], groups).keys() == {0, 2}


def test_of_two_labels_the_later_decides(names):
    group, other = {0: names("a", 10)}, names("a", 8)
    honest, called = label(names("a", 10)), label(other, Said.CAMPAIGN, "cmp_2", days=1)
    assert matched_verdicts([honest, called], group) == {0: Said.CAMPAIGN}
    assert matched_verdicts([called, replace(honest, given_at=START + timedelta(days=2))], group) == {
        0: Said.HONEST
    }
    assert matched_verdicts([honest, replace(honest, verdict=Said.CAMPAIGN)], group) == {0: Said.CAMPAIGN}


def test_a_group_labelled_honest_is_clear_and_counts_as_ordinary(names):
    groups = {0: names("a", 10), 1: names("a", 9), 2: names("b", 10)}
    matched = match_labels([label(names("a", 10))], membership(groups))
    judged = [judgement(0), judgement(1, 12.0), judgement(2)]
    obeyed = obey(judged, matched)
    assert [one.verdict for one in obeyed] == [Verdict.CLEAR, Verdict.CLEAR, Verdict.CAMPAIGN]
    assert [(one.linking, one.extraction, one.q_value) for one in obeyed] == [
        (one.linking, one.extraction, one.q_value) for one in judged
    ]
    strongest = max(judged[0].margin, judged[1].margin)
    assert ordinary_margins(judged, matched) == (strongest,)  # two readings of one group


@pytest.mark.parametrize(
    ("linking", "extraction", "verdict"),
    [
        (MIN_LINKING / 2, MIN_EXTRACTION / 2, Verdict.CAMPAIGN),
        (MIN_LINKING / 2 - 0.1, 20.0, Verdict.CLEAR),
        (20.0, MIN_EXTRACTION / 2 - 0.1, Verdict.CLEAR),
    ],
)
def test_a_group_labelled_campaign_needs_half_of_each_threshold(names, linking, extraction, verdict):
    matched = match_labels([label(names("a", 10), Said.CAMPAIGN)], membership({0: names("a", 10)}))
    [obeyed] = obey([judgement(0, linking, extraction, Verdict.CLEAR)], matched)
    assert obeyed.verdict is verdict


def test_an_account_labelled_campaign_is_a_member_where_the_group_is_labelled_so(names):
    groups = {0: [*names("a", 10), "edge", "other"], 1: [*names("b", 10), "edge"]}
    before = membership(groups, strangers={"edge", "other"})
    edge = label(["edge"], Said.CAMPAIGN, "edge", Kind.ACCOUNT)
    assert admit(before, [edge]).equals(before)  # no group is labelled
    after = admit(before, [edge, label(names("a", 10), Said.CAMPAIGN)])
    members = {(row["candidate"], row["account_id"]) for row in after.to_pylist() if row["member"]}
    assert {entry for entry in members if entry[1] in {"edge", "other"}} == {(0, "edge")}
    assert after.schema == before.schema


def test_what_each_label_changed_is_told(names):
    groups = {0: names("a", 10), 1: names("b", 10), 2: names("c", 10), 3: names("d", 10)}
    labels = [
        label(names("a", 10), subject="cmp_a"),
        label(names("b", 10), Said.CAMPAIGN, "cmp_b"),
        label(names("c", 10), Said.CAMPAIGN, "cmp_c"),
        label(names("d", 10), Said.CAMPAIGN, "cmp_d"),
        label(names("e", 10), subject="cmp_e"),
        label(["b0001"], Said.CAMPAIGN, "b0001", Kind.ACCOUNT),
        label(["gone"], Said.HONEST, "gone", Kind.ACCOUNT),
        label(["x"], Said.HONEST, "x", Kind.ACCOUNT),
    ]
    judged = [
        judgement(0),
        judgement(1, verdict=Verdict.WATCH),
        judgement(2),
        judgement(3, 0.5, 0.5, Verdict.CLEAR),
    ]
    matched = match_labels(labels, membership(groups))
    called = [one for one in obey(judged, matched) if one.verdict is Verdict.CAMPAIGN]
    found = [
        Campaign(f"new_{one.candidate}", one, frozenset(groups[one.candidate]), (one.candidate,))
        for one in called
    ]
    told = tell_labels(labels, matched, judged, found, pa.chunked_array([["x", "b0001"]]))
    assert {row["subject"]: (row["campaign_id"], row["effect"]) for row in told.to_pylist()} == {
        "cmp_a": (None, "kept-clear"),
        "cmp_b": ("new_1", "called"),
        "cmp_c": ("new_2", "agrees"),
        "cmp_d": (None, "too-weak"),
        "cmp_e": (None, "nothing"),
        "b0001": ("new_1", "member"),
        "gone": (None, "nothing"),
        "x": (None, "kept-clear"),
    }
    reasons = label_reasons(found, matched).to_pylist()
    assert [(row["campaign_id"], row["llr"]) for row in reasons] == [("new_1", 0.0), ("new_2", 0.0)]
    assert reasons[0]["statement"] == "labelled a campaign by kim on 2026-06-01: why"
