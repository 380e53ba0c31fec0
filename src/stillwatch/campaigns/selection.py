"""From judged candidates to campaigns: several readings of the same accounts become one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
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
        membership: MEMBERSHIP of the candidates, in their order.
        work: ``candidate`` and ``exchanges`` of their members' work; of two readings with one verdict the
            one that explains more work stands, since each was called on evidence of its own.
    """
    rosters = Rosters(membership)
    volume = dict(zip(work["candidate"].to_pylist(), work["exchanges"].to_pylist(), strict=True))
    standing = [one for one in judgements if one.verdict is not Verdict.CLEAR]
    standing.sort(
        key=lambda one: (
            one.verdict is not Verdict.CAMPAIGN,
            -round(one.score, 6),
            -volume.get(one.candidate, 0),
            one.candidate,
        )
    )
    campaigns: list[Campaign] = []
    for judgement in standing:
        found = Campaign("", judgement, rosters.of(judgement.candidate), (judgement.candidate,))
        while home := next((one for one in campaigns if same(found.members, one.members)), None):
            campaigns.remove(home)  # a wider reading may be the same as several narrow ones
            found = _reconciled(home, found, volume)
        campaigns.append(found)
    named = [replace(one, campaign_id=campaign_id(one.members)) for one in campaigns]
    return sorted(named, key=lambda one: (-one.judgement.score, one.campaign_id))


def _reconciled(first: Campaign, second: Campaign, volume: Mapping[int, int]) -> Campaign:
    """Return the reading that stands, with the other's work where that is its own members' work."""
    wider = volume.get(second.judgement.candidate, 0) > volume.get(first.judgement.candidate, 0)
    if wider and second.judgement.verdict is first.judgement.verdict:
        first, second = second, first
    own = len(first.members & second.members) >= _SAME * len(second.members)
    return replace(first, readings=(*first.readings, *second.readings)) if own else first


def campaign_id(members: frozenset[str]) -> str:
    """Return the name of a campaign, made of its members alone: the same members, the same name."""
    return f"cmp_{digest_of(members)}"


def digest_of(members: frozenset[str]) -> str:
    """Return twelve hexadecimal digits that name this set of accounts."""
    digest = hashlib.sha256("\n".join(sorted(members)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]


def same(left: frozenset[str], right: frozenset[str]) -> bool:
    """Return whether these are two readings of one group: they share half of the smaller one."""
    return len(left & right) >= _SAME * min(len(left), len(right))


class Rosters:
    """The accounts of each candidate, looked up one at a time: those of all would fill the memory."""

    def __init__(self, table: pa.Table) -> None:
        """Look them up in a table of ``candidate`` and ``account_id``, in order of the candidate."""
        self._table, self._numbers = table, table["candidate"].to_numpy()

    def of(self, candidate: int) -> frozenset[str]:
        """Return the accounts of a candidate; only its members where the table says which are."""
        first, last = np.searchsorted(self._numbers, [candidate, candidate + 1])
        own = self._table.slice(first, last - first)
        chosen = own.filter(own["member"]) if "member" in own.column_names else own
        return frozenset(chosen["account_id"].to_pylist())
