"""Look-alikes: what came close to a verdict and stayed clear, told once and named by nobody's id."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.campaigns.judging import Judgement
from stillwatch.campaigns.lookalikes import select_lookalikes
from stillwatch.campaigns.selection import Campaign, campaign_id
from stillwatch.contracts import CANDIDATES, KeptClear, Verdict


def judged(candidate, linking=9.0, extraction=0.0, verdict=Verdict.CLEAR):
    why = KeptClear.NO_EXTRACTION if verdict is Verdict.CLEAR else None
    return Judgement(
        candidate, 10, {}, linking, extraction, 0.0, 0.0, "linking", True, False, 0.5, verdict, why
    )


def select(groups, judgements, campaigns=()):
    rows = [{"candidate": c, "account_id": a} for c, g in groups.items() for a in g]
    return select_lookalikes(judgements, pa.Table.from_pylist(rows, schema=CANDIDATES), campaigns)


def test_a_group_counts_when_one_side_speaks_and_the_strongest_comes_first(names):
    groups = {0: names("a", 20), 1: names("b", 20), 2: names("c", 20), 3: names("d", 20)}
    weak, linked = judged(0, linking=1.9, extraction=1.9), judged(1, linking=4.0)
    harvests, called = judged(2, linking=0.0, extraction=9.0), judged(3, verdict=Verdict.WATCH)
    found = select(groups, [weak, linked, harvests, called])
    assert [one.judgement.candidate for one in found] == [2, 1]
    assert all(one.group_id.startswith("grp_") and len(one.group_id) == 16 for one in found)


def test_another_reading_of_a_campaign_or_of_a_stronger_look_alike_is_left_out(names):
    groups = {0: names("a", 40), 1: names("a", 60)[20:], 2: names("b", 40), 3: names("b", 40)[:10]}
    called = frozenset(names("a", 40))
    campaign = Campaign(campaign_id(called), judged(0, verdict=Verdict.CAMPAIGN), called, (0,))
    judgements = [judged(1), judged(2), judged(3, linking=8.0)]
    assert [one.judgement.candidate for one in select(groups, judgements, [campaign])] == [2]


def test_there_are_twenty_at_most(names):
    groups = {number: names(f"g{number}-", 10) for number in range(30)}
    found = select(groups, [judged(number, linking=5.0 + number) for number in groups])
    assert [one.judgement.candidate for one in found] == list(range(29, 9, -1))


def test_the_id_is_made_of_the_accounts_alone(names):
    [one] = select({0: names("a", 12)}, [judged(0)])
    [again] = select({7: list(reversed(names("a", 12)))}, [judged(7, linking=5.0)])
    assert one.group_id == again.group_id
