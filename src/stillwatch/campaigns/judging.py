"""Judging: what each candidate's evidence adds up to, and how sure that is.

A candidate's evidence is the sum of its facets' log-likelihood ratios, each facet held within its limits so
that no single one decides. Four things must be heard before anybody is called a campaign: the accounts
belong together (linking), the work is a harvest (extraction), requests are dealt out to them, which
colleagues' and unrelated people's robots' are not (dispatch), and something that strangers under one
template would not show (apart). The *margin* says how far the weakest of the four reaches; how often
ordinary traffic reaches as far is measured, see :mod:`stillwatch.campaigns.calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.calibration import Reference, benjamini_hochberg
from stillwatch.campaigns.candidates import MIN_ACCOUNTS, MIN_EXCHANGES
from stillwatch.contracts import FacetLimit, KeptClear, Verdict

MIN_LINKING: Final = 2.0
"""Nats of linking evidence that a campaign needs: odds of about seven to one, as one rare scaffold gives."""

MIN_EXTRACTION: Final = 4.5
"""Nats of extraction evidence: honest templates, judges and pipelines reach three."""

_LEAST_EXTRACTION: Final = 1.5
"""Nats of extraction evidence without the queue: robots of unrelated builders keep common hours as well."""

MIN_DISPATCH: Final = 2.5
"""Nats of evidence that requests are dealt out: no human day, no sittings, one queue, handovers.

One card, one place, one scaffold, its wording and its purpose are what an office has in common.
"""

MIN_APART: Final = 2.5
"""Nats of evidence that strangers who now and then take up one template would not show."""

_HABITS: Final = frozenset({"load-balanced", "no-sessions", "one-clock", "standalone-requests"})
"""Signals that they do show: single requests far apart, once a day each, in the hours of one time zone."""

_ROBOTS: Final = frozenset({"no-sessions", "one-clock", "round-the-clock", "standalone-requests"})
"""Signals that robots show which unrelated people built around one template."""

_CONCENTRATED: Final = 0.5
_HANDED_OVER: Final = 3.0
"""Nats of focus, or of conversations handed over, by which accounts without one scaffold do one work."""

_RESOLD: Final = 6.0
"""Nats of linking evidence, and of identity in it, from which on accounts without one work are watched."""

_BY_ONE_HAND: Final = 4.0
"""Accounts to a card, device or telephone on average: more than a family has."""

MIN_EACH: Final = 3
"""Requests of the work that each member made on average: with fewer, no behaviour of theirs shows."""

WATCH_EXTRACTION: Final = 2.0
"""Nats of extraction evidence from which on a group is worth watching."""

_HELD: Final = frozenset({"payment-shared", "device-shared", "phone-shared"})

_WATCH_RATE: Final = 0.1


@dataclass(frozen=True)
class Judgement:
    """One candidate, judged."""

    candidate: int
    members: int
    facets: dict[str, float] = field(hash=False)
    linking: float
    extraction: float
    dispatch: float  # the part of either that tells how requests are dealt out
    apart: float  # the part of either that no users of one template show
    queue_side: str  # where evidence that may stand on either side was counted
    one_work: bool  # the accounts share a scaffold, a purpose or conversations
    one_hand: bool  # many accounts to a card, device or telephone
    q_value: float = 1.0  # 1 where nothing is heard
    verdict: Verdict = Verdict.CLEAR
    kept_clear: KeptClear | None = None  # why, where the verdict is clear
    heard: bool = True  # there is work enough, of parties enough, for statistics to mean anything

    @property
    def score(self) -> float:
        """Return the total log-likelihood ratio in nats."""
        return self.linking + self.extraction

    @property
    def margin(self) -> float:
        """Return how far the weakest of the four kinds of evidence reaches: 1 is what a campaign needs.

        Accounts without one work reach nowhere, however much alike they are.
        """
        reached = (
            self.linking / MIN_LINKING,
            self.extraction / MIN_EXTRACTION,
            self.dispatch / MIN_DISPATCH,
            self.apart / MIN_APART,
        )
        return min(reached) if self.one_work else 0.0

    @property
    def resold(self) -> bool:
        """Whether the accounts were made by one hand and used as anybody uses them."""
        linked = min(self.linking, self.facets.get("identity", 0.0)) >= _RESOLD
        return linked and self.one_hand and not self.one_work


def judge(
    findings: pa.Table,
    membership: pa.Table,
    work: pa.Table,
    workloads: pa.Table,
    limits: Mapping[str, FacetLimit],
    reference: Reference,
    false_discovery_rate: float,
) -> list[Judgement]:
    """Return a judgement of every candidate in FINDINGS, by candidate.

    Args:
        findings: FINDINGS of the candidates.
        membership: MEMBERSHIP of the candidates.
        work: ``candidate``, and ``accounts``, ``exchanges`` and ``parties`` of its work: of the members, or
            of all its accounts where too few are members. Too little work, or too few who do not belong
            together openly, and nothing is heard: the candidate is neither called nor counted as tested.
        workloads: WORKLOADS. Accounts that share no work are linked, but use the model as anybody does:
            resale stations, at most to be watched.
        limits: how far each facet counts.
        reference: how far ordinary traffic reaches.
        false_discovery_rate: of the groups called campaigns, in (0, 1).
    """
    sizes, scaffolded = _members(membership), set(workloads["candidate"].to_pylist())
    works = {row["candidate"]: row for row in work.to_pylist()}
    crowded = _one_hand(findings)
    signals = _by_candidate(findings)
    weighed = [
        _weighed(number, sizes.get(number, 0), found, limits, number in scaffolded, number in crowded)
        for number, found in sorted(signals.items())
    ]
    heard = [replace(one, heard=_heard(works.get(one.candidate, {}))) for one in weighed]
    p_values = {one.candidate: reference.p_value(one.margin) for one in heard if one.heard}
    q_values = benjamini_hochberg(p_values)
    return [
        _judged(
            one,
            _silent(one, works.get(one.candidate, {})),
            q_values.get(one.candidate, 1.0),
            false_discovery_rate,
        )
        for one in heard
    ]


def _weighed(
    number: int,
    members: int,
    signals: Mapping[tuple[str, str], float],
    limits: Mapping[str, FacetLimit],
    scaffolded: bool,
    one_hand: bool,
) -> Judgement:
    facets = _facets(signals, limits)
    linking, extraction, queue_side = _sides(facets, limits)
    one_work = scaffolded or (
        facets.get("continuity", 0.0) >= _HANDED_OVER or facets.get("focus", 0.0) >= _CONCENTRATED
    )
    dealt_out = _beyond(signals, limits, frozenset(), lambda limit: limit.dispatch)
    one_queue = _beyond(signals, limits, _ROBOTS, lambda limit: not limit.template)
    apart = _beyond(signals, limits, _HABITS, lambda limit: not limit.template)
    dispatch = min(dealt_out, one_queue)
    return Judgement(
        number, members, facets, linking, extraction, dispatch, apart, queue_side, one_work, one_hand
    )


def _beyond(
    signals: Mapping[tuple[str, str], float],
    limits: Mapping[str, FacetLimit],
    known: frozenset[str],
    counts: Callable[[FacetLimit], bool],
) -> float:
    """Return what the facets that count say for the group, without the signals that are explained."""
    rest = {key: llr for key, llr in signals.items() if key[1] not in known}
    return sum(max(value, 0.0) for name, value in _facets(rest, limits).items() if counts(limits[name]))


def _one_hand(findings: pa.Table) -> set[int]:
    """Return the candidates in which cards, devices or telephones have many holders each.

    A finding of sharing counts ``accounts``, and as ``observed`` those beyond the first of each value.
    """
    chosen = findings.filter(pc.is_in(findings["signal"], pa.array(sorted(_HELD))))
    return {
        row["candidate"]
        for row in chosen.to_pylist()
        if (row["accounts"] or 0) >= _BY_ONE_HAND * max((row["accounts"] or 0) - (row["observed"] or 0), 1)
    }


def _heard(work: Mapping[str, int]) -> bool:
    least = max(MIN_EXCHANGES, MIN_EACH * work.get("accounts", 0))
    return work.get("parties", 0) >= MIN_ACCOUNTS and work.get("exchanges", 0) >= least


def _silent(weighed: Judgement, work: Mapping[str, int]) -> KeptClear | None:
    """Return what a candidate lacks to be called, whatever the evidence, if it lacks anything."""
    if weighed.members < MIN_ACCOUNTS:
        return KeptClear.FEW_MEMBERS
    if work.get("parties", 0) < MIN_ACCOUNTS:
        return KeptClear.ONE_PARTY
    return None if weighed.heard else KeptClear.LITTLE_WORK


def _judged(weighed: Judgement, silent: KeptClear | None, q_value: float, level: float) -> Judgement:
    """Return the judgement with its verdict, and the reason where that is clear."""
    weighed = replace(weighed, q_value=q_value)
    verdict = Verdict.CLEAR if silent else _verdict(weighed, level)
    kept_clear = None
    if verdict is Verdict.CLEAR:
        kept_clear = silent or _lacking(weighed) or KeptClear.NOT_SURE
    return replace(weighed, verdict=verdict, kept_clear=kept_clear)


def _verdict(weighed: Judgement, level: float) -> Verdict:
    if weighed.resold:
        return Verdict.WATCH
    if weighed.one_work and weighed.margin >= 1 and weighed.q_value <= level:
        return Verdict.CAMPAIGN
    near = not _lacking(weighed) and weighed.q_value <= max(_WATCH_RATE, level)
    return Verdict.WATCH if near else Verdict.CLEAR


def _lacking(weighed: Judgement) -> KeptClear | None:
    """Return what a candidate falls short of to be watched, linking first."""
    if weighed.linking < MIN_LINKING:
        return KeptClear.NOT_LINKED
    if weighed.extraction < WATCH_EXTRACTION:
        return KeptClear.NO_EXTRACTION
    if weighed.apart < MIN_APART:
        return KeptClear.ONE_TEMPLATE
    return KeptClear.NOT_DEALT_OUT if weighed.dispatch < MIN_DISPATCH else None


def _members(membership: pa.Table) -> dict[int, int]:
    chosen = membership.filter(membership["member"]).group_by("candidate").aggregate([([], "count_all")])
    return dict(zip(chosen["candidate"].to_pylist(), chosen["count_all"].to_pylist(), strict=True))


def _by_candidate(findings: pa.Table) -> dict[int, dict[tuple[str, str], float]]:
    """Return each candidate's (facet, signal) -> nats, in their canonical order."""
    found: dict[int, dict[tuple[str, str], float]] = {}
    order = [("candidate", "ascending"), ("facet", "ascending"), ("signal", "ascending")]
    for row in findings.sort_by(order).to_pylist():
        found.setdefault(row["candidate"], {})[row["facet"], row["signal"]] = row["llr"]
    return found


def _facets(signals: Mapping[tuple[str, str], float], limits: Mapping[str, FacetLimit]) -> dict[str, float]:
    """Add up each facet's signals in their order, so that the floats come out the same, within its limits."""
    sums: dict[str, float] = {}
    for (facet, _), llr in signals.items():
        sums[facet] = sums.get(facet, 0.0) + llr
    return {
        name: min(max(value, limits[name].floor), limits[name].cap) for name, value in sorted(sums.items())
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
