"""Look-alikes: the candidates that came closest to a verdict and stayed clear.

A reader who is to trust a verdict must see what was let go, and why. Only what was counted of such a
group is told: its accounts are honest people, so that no table names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from stillwatch.campaigns.judging import MIN_LINKING, WATCH_EXTRACTION, Judgement
from stillwatch.campaigns.selection import Campaign, Rosters, digest_of, same
from stillwatch.contracts import Verdict

_MOST: Final = 20
"""Look-alikes of one run: enough to see how close honest traffic comes."""


@dataclass(frozen=True)
class Lookalike:
    """A candidate that stayed clear, and the accounts that were weighed."""

    group_id: str
    judgement: Judgement
    members: frozenset[str]


def select_lookalikes(
    judgements: Sequence[Judgement], weighed: pa.Table, campaigns: Sequence[Campaign]
) -> list[Lookalike]:
    """Return at most twenty look-alikes, strongest first; none is another reading of a group told already.

    Args:
        judgements: every candidate, judged.
        weighed: ``candidate`` and ``account_id`` of the accounts that the facets weighed, in order.
        campaigns: the campaigns and watched groups of the run.
    """
    close = [one for one in judgements if one.verdict is Verdict.CLEAR and _one_side_speaks(one)]
    close.sort(key=lambda one: (-round(one.score, 6), one.candidate))
    rosters = Rosters(weighed)
    told = [campaign.members for campaign in campaigns]
    found: list[Lookalike] = []
    for judgement in close:
        if len(found) == _MOST:
            break
        own = rosters.of(judgement.candidate)
        if own and not any(same(own, other) for other in told):
            found.append(Lookalike(f"grp_{digest_of(own)}", judgement, own))
            told.append(own)
    return found


def _one_side_speaks(judgement: Judgement) -> bool:
    return judgement.linking >= MIN_LINKING or judgement.extraction >= WATCH_EXTRACTION
