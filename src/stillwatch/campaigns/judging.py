"""Judging: what each candidate's evidence adds up to, and how sure that is.

A candidate's score is the sum of its facets' log-likelihood ratios, each facet held within its limits
so that no single one decides. Two sides must agree: linking (the accounts belong together) and
extraction (the work is a harvest). ``exp(score)`` is an e-value of the candidate being ordinary; over
all candidates that the search looked at, e-BH (Wang & Ramdas 2022) turns e-values into q-values that
hold under any dependence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.candidates import MIN_ACCOUNTS, MIN_EXCHANGES
from stillwatch.contracts import FacetLimit, KeptClear, Verdict

MIN_LINKING: Final = 4.0
"""Nats of linking evidence that a campaign needs: odds of about fifty to one."""

MIN_EXTRACTION: Final = 6.0
"""Nats of extraction evidence: honest templates, judges and pipelines reach four."""

FALSE_DISCOVERY_RATE: Final = 0.01

MIN_EACH: Final = 4
"""Requests of the work that each member made on average: with fewer, no behaviour of theirs shows."""

WATCH_EXTRACTION: Final = 3.0
"""Nats of extraction evidence from which on a group is worth watching."""

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
    kept_clear: KeptClear | None = None  # why, where the verdict is clear

    @property
    def score(self) -> float:
        """Return the total log-likelihood ratio in nats."""
        return self.linking + self.extraction


def judge(
    findings: pa.Table, membership: pa.Table, work: pa.Table, limits: Mapping[str, FacetLimit]
) -> list[Judgement]:
    """Return a judgement of every candidate in FINDINGS, by candidate.

    ``work`` holds ``candidate`` and ``exchanges`` of its members' work. Too few members, or too little
    work of theirs, leave every statistic silent: such a candidate is clear.
    """
    sizes = _members(membership)
    volume = dict(zip(work["candidate"].to_pylist(), work["exchanges"].to_pylist(), strict=True))
    facets = {number: _limited(sums, limits) for number, sums in _sums(findings).items()}
    sides = {number: _sides(values, limits) for number, values in facets.items()}
    q_values = e_benjamini_hochberg({number: sum(side) for number, side in sides.items()})
    return [
        _judged(
            Judgement(
                candidate=number,
                members=sizes.get(number, 0),
                facets=facets[number],
                linking=linking,
                extraction=extraction,
                q_value=q_values[number],
                verdict=Verdict.CLEAR,
            ),
            volume.get(number, 0),
        )
        for number, (linking, extraction) in sorted(sides.items())
    ]


def _judged(weighed: Judgement, exchanges: int) -> Judgement:
    """Return the judgement with its verdict, and the reason where that is clear."""
    silent = _silent(weighed.members, exchanges)
    verdict = Verdict.CLEAR if silent else _verdict(weighed.linking, weighed.extraction, weighed.q_value)
    kept_clear = None
    if verdict is Verdict.CLEAR:
        kept_clear = silent or _lacking(weighed.linking, weighed.extraction) or KeptClear.NOT_SURE
    return replace(weighed, verdict=verdict, kept_clear=kept_clear)


def _silent(members: int, exchanges: int) -> KeptClear | None:
    """Return what leaves every statistic of a candidate silent, if anything does."""
    if members < MIN_ACCOUNTS:
        return KeptClear.FEW_MEMBERS
    return KeptClear.LITTLE_WORK if exchanges < max(MIN_EXCHANGES, MIN_EACH * members) else None


def _lacking(linking: float, extraction: float) -> KeptClear | None:
    """Return the side on which a candidate falls short of being watched, linking first."""
    if linking < MIN_LINKING:
        return KeptClear.NOT_LINKED
    return KeptClear.NO_EXTRACTION if extraction < WATCH_EXTRACTION else None


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


def _sides(facets: Mapping[str, float], limits: Mapping[str, FacetLimit]) -> tuple[float, float]:
    totals = {"linking": 0.0, "extraction": 0.0}
    for name, value in facets.items():
        totals[limits[name].side] += value
    return totals["linking"], totals["extraction"]


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


def _verdict(linking: float, extraction: float, q_value: float) -> Verdict:
    if _lacking(linking, extraction):
        return Verdict.CLEAR
    if extraction >= MIN_EXTRACTION and q_value <= FALSE_DISCOVERY_RATE:
        return Verdict.CAMPAIGN
    return Verdict.WATCH if q_value <= _WATCH_RATE else Verdict.CLEAR
