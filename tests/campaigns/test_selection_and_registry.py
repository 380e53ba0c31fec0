"""Several readings become one campaign, and a campaign keeps its id while its members stay."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.campaigns.judging import Judgement
from stillwatch.campaigns.registry import Event, Registry
from stillwatch.campaigns.selection import Campaign, campaign_id, select_campaigns
from stillwatch.contracts import MEMBERSHIP, RunFolderError, Verdict


def judgement(candidate, verdict=Verdict.CAMPAIGN, score=20.0):
    return Judgement(
        candidate, 10, {}, score / 2, score / 2, 3.0, 3.0, "linking", True, False, 0.001, verdict
    )


def select(groups, volumes, judgements):
    rows = [
        {"candidate": c, "account_id": a, "strength": 1.0, "member": True}
        for c, g in groups.items()
        for a in g
    ]
    work = pa.table({"candidate": list(volumes), "exchanges": list(volumes.values())})
    return select_campaigns(judgements, pa.Table.from_pylist(rows, schema=MEMBERSHIP), work)


def test_two_readings_of_the_same_accounts_are_one_campaign(names):
    groups = {0: names("a", 30), 1: names("a", 12), 2: names("b", 20)}
    found = select(groups, {0: 900, 1: 300, 2: 500}, [judgement(0, score=18), judgement(1), judgement(2)])
    assert {(one.judgement.candidate, one.readings) for one in found} == {(0, (0, 1)), (2, (2,))}
    assert found[0].judgement.candidate == 2  # strongest first


def test_nobody_is_lost_to_a_narrower_reading_with_more_evidence(names):
    groups = {0: names("a", 40), 1: names("a", 25)}
    [found] = select(groups, {0: 900, 1: 600}, [judgement(0, score=18), judgement(1, score=26)])
    assert found.members == set(groups[0])


def test_a_wide_reading_takes_in_every_narrow_one(names):
    """Two narrow readings have nothing in common but the wide one, which comes last."""
    groups = {0: names("a", 40), 1: names("a", 20), 2: names("a", 40)[20:]}
    scores = [judgement(0, score=15), judgement(1, score=26), judgement(2, score=22)]
    [found] = select(groups, {0: 900, 1: 400, 2: 500}, scores)
    assert (found.members, set(found.readings)) == (set(groups[0]), {0, 1, 2})


def test_a_clear_candidate_is_no_campaign_and_a_campaign_goes_before_a_watch(names):
    groups = {0: names("a", 30), 1: names("a", 40), 2: names("c", 10)}
    judged = [judgement(0), judgement(1, Verdict.WATCH), judgement(2, Verdict.CLEAR)]
    found = select(groups, {0: 100, 1: 900, 2: 50}, judged)
    assert [one.judgement.candidate for one in found] == [0]


def test_the_id_is_made_of_the_members_alone():
    assert campaign_id(frozenset("ab")) == campaign_id(frozenset("ba"))
    assert campaign_id(frozenset("ab")) != campaign_id(frozenset("abc"))
    assert campaign_id(frozenset("ab")).startswith("cmp_")
    assert len(campaign_id(frozenset("ab"))) == 16


def campaign(members):
    return Campaign(campaign_id(frozenset(members)), judgement(0), frozenset(members), (0,))


def test_a_campaign_keeps_its_id_when_it_grows(names, tmp_path: Path):
    [first], registry = Registry({}).recognise([campaign(names("a", 30))])
    registry.save(tmp_path / "campaigns.jsonl")
    again = Registry.load(tmp_path / "campaigns.jsonl")
    [second], _ = again.recognise([campaign(names("a", 40))])
    assert second.campaign_id == first.campaign_id


def test_splits_and_merges_are_recorded(names):
    whole = names("a", 40)
    [first], registry = Registry({}).recognise([campaign(whole)])
    halves, registry = registry.recognise([campaign(whole[:25]), campaign(whole[25:])])
    assert halves[0].campaign_id == first.campaign_id != halves[1].campaign_id
    assert registry.events == (Event("split", halves[1].campaign_id, first.campaign_id),)
    [merged], registry = registry.recognise([campaign(whole)])
    assert merged.campaign_id == first.campaign_id
    assert registry.events[-1] == Event("merge", first.campaign_id, halves[1].campaign_id)
    assert set(registry.members) == {first.campaign_id}
    assert registry.ancestors() == {
        halves[1].campaign_id: frozenset({first.campaign_id}),
        first.campaign_id: frozenset({halves[1].campaign_id}),
    }


def test_ancestors_are_known_over_several_changes(names):
    events = (Event("split", "b", "a"), Event("split", "c", "b"), Event("merge", "d", "c"))
    assert Registry({}, events).ancestors() == {"b": {"a"}, "c": {"a", "b"}, "d": {"a", "b", "c"}}


def test_a_split_never_takes_the_name_of_another_campaign(names):
    """What is left of the first members has their hash, which names what the campaign became."""
    whole = names("a", 40)
    [first], registry = Registry({}).recognise([campaign(whole[:20])])
    [grown], registry = registry.recognise([campaign(whole)])
    assert grown.campaign_id == first.campaign_id
    parts, registry = registry.recognise([campaign(whole[18:]), campaign(whole[:20])])
    assert len({one.campaign_id for one in parts}) == 2
    assert all(event.campaign_id != event.other for event in registry.events)


def test_a_stranger_is_a_new_campaign(names):
    _, registry = Registry({}).recognise([campaign(names("a", 30))])
    [other], registry = registry.recognise([campaign(names("b", 30))])
    assert other.campaign_id == campaign(names("b", 30)).campaign_id
    assert len(registry.members) == 2


def test_a_damaged_registry_names_its_line(tmp_path: Path):
    path = tmp_path / "campaigns.jsonl"
    path.write_text('{"campaign_id": "cmp_1", "members": ["a"]}\nnonsense\n')
    with pytest.raises(RunFolderError) as raised:
        Registry.load(path)
    assert raised.value.line == 2


def test_members_that_are_gone_leave_the_registry(names, tmp_path: Path):
    whole = names("a", 40)
    _, registry = Registry({}).recognise([campaign(whole), campaign(names("b", 20))])
    _, registry = registry.recognise([campaign(whole[:25]), campaign(whole[25:])])
    kept = registry.keeping(lambda account: account in whole[:20])
    [(name, members)] = kept.members.items()
    assert (name, members) == (campaign(whole).campaign_id, frozenset(whole[:20]))
    assert kept.events == ()  # the half that had split off is not known any more
    kept.save(tmp_path / "campaigns.jsonl")
    assert Registry.load(tmp_path / "campaigns.jsonl") == kept
    assert names("b", 20)[0] not in (tmp_path / "campaigns.jsonl").read_text()
