"""From judged candidates to campaigns: several readings of the same accounts become one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from stillwatch.campaigns.judging import Judgement
from stillwatch.contracts import Verdict

_SAME: Final = 0.5
"""Candidates are readings of one campaign when they share this part of the smaller one's members."""


@dataclass(frozen=True)
class Campaign:
    """A candidate that stands, with the readings of it that it took in."""

    campaign_id: str
    judgement: Judgement
    members: frozenset[str]
    readings: tuple[int, ...]  # candidates whose work is this campaign's, its own first


def select_campaigns(judgements: list[Judgement], membership: pa.Table, work: pa.Table) -> list[Campaign]:
    """Return campaigns and watched groups, strongest first.

    Args:
        judgements: every candidate, judged.
        membership: MEMBERSHIP of the candidates.
        work: ``candidate`` and ``exchanges`` of their members' work; of two readings the one that
            explains more work stands.
    """
    members = _members(membership)
    volume = dict(zip(work["candidate"].to_pylist(), work["exchanges"].to_pylist(), strict=True))
    standing = [one for one in judgements if one.verdict is not Verdict.CLEAR]
    standing.sort(
        key=lambda one: (one.verdict is not Verdict.CAMPAIGN, -volume.get(one.candidate, 0), one.candidate)
    )
    campaigns: list[Campaign] = []
    for judgement in standing:
        own = members[judgement.candidate]
        home = next((place for place, other in enumerate(campaigns) if _same(own, other.members)), None)
        if home is None:
            campaigns.append(Campaign(campaign_id(own), judgement, own, (judgement.candidate,)))
        else:
            taken = (*campaigns[home].readings, judgement.candidate)
            campaigns[home] = replace(campaigns[home], readings=taken)
    return sorted(campaigns, key=lambda one: (-one.judgement.score, one.campaign_id))


def campaign_id(members: frozenset[str]) -> str:
    """Return the name of a campaign, made of its members alone: the same members, the same name."""
    digest = hashlib.sha256("\n".join(sorted(members)).encode("utf-8", "surrogatepass"))
    return f"cmp_{digest.hexdigest()[:12]}"


def _same(left: frozenset[str], right: frozenset[str]) -> bool:
    return len(left & right) >= _SAME * min(len(left), len(right))


def _members(membership: pa.Table) -> dict[int, frozenset[str]]:
    chosen = membership.filter(membership["member"])
    grouped: dict[int, set[str]] = {}
    for candidate, account in zip(
        chosen["candidate"].to_pylist(), chosen["account_id"].to_pylist(), strict=True
    ):
        grouped.setdefault(candidate, set()).add(account)
    return {candidate: frozenset(accounts) for candidate, accounts in grouped.items()}
