"""Judging: what each candidate's evidence adds up to, and how sure that is.

A candidate's score is the sum of its facets' log-likelihood ratios, each facet held within its limits
so that no single one decides. Two sides must agree: linking (the accounts belong together) and
extraction (the work is a harvest). ``exp(score)`` is an e-value of the candidate being ordinary; over
all candidates that the search looked at, e-BH (Wang & Ramdas 2022) turns e-values into q-values that
hold under any dependence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.candidates import MIN_ACCOUNTS, MIN_EXCHANGES
from stillwatch.contracts import FacetLimit, Verdict

MIN_LINKING: Final = 3.0
"""Nats of linking evidence that a campaign needs: odds of about twenty to one."""

MIN_EXTRACTION: Final = 6.0
"""Nats of extraction evidence: honest templates, judges and pipelines reach four."""

_LEAST_EXTRACTION: Final = 3.0
"""Nats of extraction evidence without the queue: robots of unrelated builders keep common hours as well."""

MIN_DISPATCH: Final = 2.5
"""Nats of evidence that requests are dealt out: no human day, one queue, conversations handed round.

One scaffold, its wording, its purpose and payloads of one's own are what a template gives all its users.
"""

_CONCENTRATED: Final = 0.5
_HANDED_OVER: Final = 3.0
"""Nats of focus, or of conversations handed over, by which accounts without one scaffold do one work."""

FALSE_DISCOVERY_RATE: Final = 0.01

MIN_EACH: Final = 3
"""Requests of the work that each member made on average: with fewer, no behaviour of theirs shows."""

_WATCH_EXTRACTION: Final = 3.0
_WATCH_RATE: Final = 0.1


@dataclass(frozen=True)
class Judgement:
    """One candidate, judged."""

    candidate: int
    members: int
    facets: dict[str, float] = field(hash=False)
    linking: float
    extraction: float
    q_value: float
    verdict: Verdict
    queue_side: str = "linking"  # where evidence that may stand on either side was counted

    @property
    def score(self) -> float:
        """Return the total log-likelihood ratio in nats."""
        return self.linking + self.extraction


def judge(
    findings: pa.Table,
    membership: pa.Table,
    work: pa.Table,
    workloads: pa.Table,
    limits: Mapping[str, FacetLimit],
) -> list[Judgement]:
    """Return a judgement of every candidate in FINDINGS, by candidate.

    ``work`` holds ``candidate``, ``exchanges`` and ``parties`` of its members' work. Too few members who
    do not belong together openly, or too little work of theirs, leave every statistic silent: such a
    candidate is clear. Accounts that share no work (WORKLOADS) and hand no conversation round are linked,
    but use the model as anybody does: resale stations, at most to be watched.
    """
    sizes = _members(membership)
    volume = dict(zip(work["candidate"].to_pylist(), work["exchanges"].to_pylist(), strict=True))
    parties = dict(zip(work["candidate"].to_pylist(), work["parties"].to_pylist(), strict=True))
    enough = {number for number, size in sizes.items() if min(size, parties.get(number, 0)) >= MIN_ACCOUNTS}
    enough &= {
        number
        for number, exchanges in volume.items()
        if exchanges >= max(MIN_EXCHANGES, MIN_EACH * sizes.get(number, 0))
    }
    facets = {number: _limited(sums, limits) for number, sums in _sums(findings).items()}
    sides = {number: _sides(values, limits) for number, values in facets.items()}
    scaffolded = set(workloads["candidate"].to_pylist())
    q_values = e_benjamini_hochberg({number: side[0] + side[1] for number, side in sides.items()})
    return [
        Judgement(
            candidate=number,
            members=sizes.get(number, 0),
            facets=facets[number],
            linking=linking,
            extraction=extraction,
            q_value=q_values[number],
            verdict=_verdict(
                linking,
                extraction,
                q_values[number],
                _is_harvest(facets[number], limits, number in scaffolded),
            )
            if number in enough
            else Verdict.CLEAR,
            queue_side=queue_side,
        )
        for number, (linking, extraction, queue_side) in sorted(sides.items())
    ]


def _members(membership: pa.Table) -> dict[int, int]:
    chosen = membership.filter(membership["member"]).group_by("candidate").aggregate([([], "count_all")])
    return dict(zip(chosen["candidate"].to_pylist(), chosen["count_all"].to_pylist(), strict=True))


def _sums(findings: pa.Table) -> dict[int, dict[str, float]]:
    """Add up each facet's findings in their canonical order, so that the floats come out the same."""
    sums: dict[int, dict[str, float]] = {}
    order = [("candidate", "ascending"), ("facet", "ascending"), ("signal", "ascending")]
    for row in findings.sort_by(order).to_pylist():
        facets = sums.setdefault(row["candidate"], {})
        facets[row["facet"]] = facets.get(row["facet"], 0.0) + row["llr"]
    return sums


def _limited(sums: Mapping[str, float], limits: Mapping[str, FacetLimit]) -> dict[str, float]:
    return {
        name: float(np.clip(value, limits[name].floor, limits[name].cap))
        for name, value in sorted(sums.items())
    }


def _sides(facets: Mapping[str, float], limits: Mapping[str, FacetLimit]) -> tuple[float, float, str]:
    """Return the linking and the extraction evidence, and the side on which a common queue was counted.

    A common queue ties accounts together, and it is not how people ask: what may stand on either side
    links, unless the accounts are linked without it and the other side needs it.
    """
    totals = {"linking": 0.0, "extraction": 0.0, "either": 0.0}
    for name, value in facets.items():
        totals[limits[name].side] += value
    linking, extraction, either = totals["linking"], totals["extraction"], totals["either"]
    queue_needed = _LEAST_EXTRACTION <= extraction < MIN_EXTRACTION <= extraction + either
    if linking >= MIN_LINKING and queue_needed:
        return linking, extraction + either, "extraction"
    return linking + either, extraction, "linking"


def e_benjamini_hochberg(scores: Mapping[int, float]) -> dict[int, float]:
    """Return q-values of candidates from the logarithms of their e-values.

    The k-th largest of m e-values is significant at level a when it reaches m / (k a) (Wang & Ramdas,
    False discovery rate control with e-values, JRSS B 2022); its q-value is the least such a, at most 1.
    """
    ranked = sorted(scores, key=lambda number: (-scores[number], number))
    total, least, q_values = len(ranked), 1.0, {}
    for rank in range(total, 0, -1):
        number = ranked[rank - 1]
        least = min(least, float(total / rank * np.exp(-min(scores[number], 700.0))))
        q_values[number] = least
    return q_values


def _is_harvest(facets: Mapping[str, float], limits: Mapping[str, FacetLimit], scaffolded: bool) -> bool:
    """Whether the accounts do one work, and requests of it are dealt out to them.

    Accounts without a shared scaffold do one work all the same where they hand conversations round or
    ask for one ability only.
    """
    dealt = sum(max(value, 0.0) for name, value in sorted(facets.items()) if limits[name].dispatch)
    one_work = scaffolded or (
        facets.get("continuity", 0.0) >= _HANDED_OVER or facets.get("focus", 0.0) >= _CONCENTRATED
    )
    return one_work and dealt >= MIN_DISPATCH


def _verdict(linking: float, extraction: float, q_value: float, harvest: bool) -> Verdict:
    if linking < MIN_LINKING:
        return Verdict.CLEAR
    if harvest and extraction >= MIN_EXTRACTION and q_value <= FALSE_DISCOVERY_RATE:
        return Verdict.CAMPAIGN
    if extraction >= _WATCH_EXTRACTION and q_value <= _WATCH_RATE:
        return Verdict.WATCH
    return Verdict.CLEAR
