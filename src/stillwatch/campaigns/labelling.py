"""What analysts' labels decide in a run: who counts as a member, and which verdict a group has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.judging import MIN_EXTRACTION, MIN_LINKING, Judgement
from stillwatch.campaigns.labels import Kind, Label, Said, in_force, labelled_row
from stillwatch.campaigns.selection import Campaign, Rosters
from stillwatch.contracts import ANALYST, LABELLED, REASONS, KeptClear, Verdict, conform

_SAME: Final = 0.5
"""Share of the members from which on a group is the one that was labelled."""

_PART: Final = 0.5
"""Part of its threshold that each side must reach where an analyst has called the group a campaign."""

_SIGNAL: Final = "labelled-campaign"


def match_labels(labels: Sequence[Label], membership: pa.Table) -> dict[int, Label]:
    """Return which label decides each candidate of MEMBERSHIP; of several the latest.

    Honest holds where half of the smaller member list agrees, as campaigns are recognised from scan to
    scan. Campaign holds only where half of the candidate's own members were labelled: a popular template
    that a campaign uses as well is not called because of it.
    """
    groups = [label for label in in_force(labels) if label.kind is Kind.GROUP]
    matched: dict[int, Label] = {}
    rosters = Rosters(membership)
    for candidate in membership["candidate"].unique().to_pylist() if groups else ():
        members = rosters.of(candidate)
        for label in groups:  # oldest first
            shared = len(members & label.members)
            smaller = min(len(members), len(label.members))
            needed = smaller if label.verdict is Said.HONEST else len(members)
            if shared and shared >= _SAME * needed:
                matched[candidate] = label
    return matched


def admit(membership: pa.Table, labels: Sequence[Label]) -> pa.Table:
    """Return MEMBERSHIP in which accounts labelled campaign are members of candidates labelled so."""
    accounts = [label.subject for label in _called_accounts(labels)]
    called = [
        number for number, label in match_labels(labels, membership).items() if label.verdict is Said.CAMPAIGN
    ]
    if not accounts or not called:
        return membership
    admitted = pc.and_(
        pc.is_in(membership["candidate"], pa.array(called, pa.int64())),
        pc.is_in(membership["account_id"], pa.array(accounts, pa.string())),
    )
    at = membership.schema.get_field_index("member")
    return membership.set_column(at, membership.schema.field(at), pc.or_(membership["member"], admitted))


def obey(judgements: Sequence[Judgement], matched: Mapping[int, Label]) -> list[Judgement]:
    """Return the judgements with the verdicts that labels decide; the evidence stays what it is."""
    return [_obeyed(one, matched[one.candidate]) if one.candidate in matched else one for one in judgements]


def ordinary_margins(judgements: Sequence[Judgement], matched: Mapping[int, Label]) -> tuple[float, ...]:
    """Return the margin of each group that is labelled honest, for calibration.

    One for each label, of its strongest reading: readings of one group are not several groups.
    """
    strongest: dict[str, float] = {}
    for one in judgements:
        label = matched.get(one.candidate)
        if label is not None and label.verdict is Said.HONEST:
            strongest[label.subject] = max(strongest.get(label.subject, 0.0), one.margin)
    return tuple(margin for _, margin in sorted(strongest.items()))


def tell_labels(
    labels: Sequence[Label],
    matched: Mapping[int, Label],
    judged: Sequence[Judgement],
    campaigns: Sequence[Campaign],
    accounts: pa.ChunkedArray,
) -> pa.Table:
    """Return LABELLED: the labels in force and what each changed.

    Args:
        labels: all that were read.
        matched: see :func:`match_labels`.
        judged: the judgements before :func:`obey`.
        campaigns: the groups that stand after it.
        accounts: ids of the accounts that the run saw.
    """
    before = {one.candidate: one.verdict for one in judged}
    subjects = pa.array([label.subject for label in in_force(labels)], pa.string())
    seen = set(accounts.filter(pc.is_in(accounts, subjects)).to_pylist())
    rows = [
        labelled_row(label, *_group_effect(label, matched, before, campaigns))
        if label.kind is Kind.GROUP
        else labelled_row(label, *_account_effect(label, matched, campaigns, seen))
        for label in in_force(labels)
    ]
    return conform(pa.Table.from_pylist(rows, schema=LABELLED), LABELLED, "campaigns")


def label_reasons(campaigns: Sequence[Campaign], matched: Mapping[int, Label]) -> pa.Table:
    """Return REASONS, without weight, that say of each campaign that an analyst had labelled it so."""
    rows = [
        _reason(one.campaign_id, matched[one.judgement.candidate])
        for one in campaigns
        if one.judgement.candidate in matched
    ]
    return conform(pa.Table.from_pylist(rows, schema=REASONS), REASONS, "campaigns")


def _obeyed(judgement: Judgement, label: Label) -> Judgement:
    if label.verdict is Said.HONEST:
        why = judgement.kept_clear or KeptClear.LABELLED_HONEST
        return replace(judgement, verdict=Verdict.CLEAR, kept_clear=why)
    enough = judgement.linking >= _PART * MIN_LINKING and judgement.extraction >= _PART * MIN_EXTRACTION
    if not (enough and judgement.members):
        return judgement
    return replace(judgement, verdict=Verdict.CAMPAIGN, kept_clear=None)


def _group_effect(
    label: Label,
    matched: Mapping[int, Label],
    before: Mapping[int, Verdict],
    campaigns: Sequence[Campaign],
) -> tuple[str | None, str]:
    """Return the group of this run that the label speaks of, and what it changed there."""
    own = {candidate for candidate, other in matched.items() if other == label}
    if label.verdict is Said.HONEST:
        spared = any(before.get(candidate, Verdict.CLEAR) is not Verdict.CLEAR for candidate in own)
        return None, "kept-clear" if spared else "agrees" if own else "nothing"
    found = next((one for one in campaigns if one.judgement.candidate in own), None)
    if found is None:
        return None, "too-weak" if own else "nothing"
    if found.judgement.verdict is not Verdict.CAMPAIGN:
        return found.campaign_id, "too-weak"
    agreed = before[found.judgement.candidate] is Verdict.CAMPAIGN
    return found.campaign_id, "agrees" if agreed else "called"


def _account_effect(
    label: Label, matched: Mapping[int, Label], campaigns: Sequence[Campaign], seen: set[str]
) -> tuple[str | None, str]:
    if label.subject not in seen:
        return None, "nothing"
    if label.verdict is Said.HONEST:
        return None, "kept-clear"
    found = next(
        (one for one in campaigns if label.subject in one.members and one.judgement.candidate in matched),
        None,
    )
    return (found.campaign_id, "member") if found else (None, "nothing")


def _reason(campaign_id: str, label: Label) -> dict[str, Any]:
    by = f" by {label.given_by}" if label.given_by else ""
    return {
        "campaign_id": campaign_id,
        "account_id": None,
        "facet": ANALYST,
        "signal": _SIGNAL,
        "side": "linking",
        "llr": 0.0,
        "observed": None,
        "expected": None,
        "accounts": None,
        "exchanges": None,
        "statement": f"labelled a campaign{by} on {label.given_at:%Y-%m-%d}: {label.note}",
    }


def _called_accounts(labels: Sequence[Label]) -> list[Label]:
    return [one for one in in_force(labels) if one.kind is Kind.ACCOUNT and one.verdict is Said.CAMPAIGN]
