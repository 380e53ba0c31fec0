"""How a group's reasons add up to its score, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stillwatch.evidence.case import Case, Reason, Side
from stillwatch.evidence.phrases import ENGLISH, Phrases

LIMIT: Final = "limit"
_SAME: Final = 1e-6


@dataclass(frozen=True)
class Step:
    """One bar of the waterfall; ``side`` is a :class:`Side` or :data:`LIMIT`."""

    label: str
    side: str
    llr: float
    start: float

    @property
    def end(self) -> float:
        """The running total after this step."""
        return self.start + self.llr


def steps(case: Case, phrases: Phrases = ENGLISH) -> tuple[Step, ...]:
    """Steps from zero to ``case.score``: each reason of any weight, then what the limits per facet took.

    A facet counts no more than its limit, so that no single one decides; where its reasons weigh
    more than the facet's stored value, the difference is a step of its own. The last step ends at
    the score whatever the reasons say, and says so where they do not explain it.
    """
    running, result = 0.0, []
    for label, side, llr in _parts(case, phrases):
        result.append(Step(label, side, llr, running))
        running += llr
    return tuple(result)


def side_totals(case: Case) -> dict[str, float]:
    """Sum of the steps on each side that has any; the values add up to the score."""
    totals: dict[str, float] = {}
    for step in steps(case):
        totals[step.side] = totals.get(step.side, 0.0) + step.llr
    return totals


def _parts(case: Case, phrases: Phrases) -> Iterator[tuple[str, str, float]]:
    names: dict[str, int] = {}
    for reason in (reason for side in Side for reason in case.reasons_on(side)):
        names[reason.signal] = names.get(reason.signal, 0) + 1
        yield _name(reason, names[reason.signal], phrases), reason.side.value, reason.llr
    stored = dict(case.facets)
    summed = {facet: _sum(case, facet) for facet in sorted({reason.facet for reason in case.reasons})}
    for facet, total in summed.items():
        if facet in stored and abs(stored[facet] - total) > _SAME:
            yield phrases.say("step.limit", facet=phrases.label(facet)), LIMIT, stored[facet] - total
            summed[facet] = stored[facet]
    rest = case.score - sum(summed.values())
    if abs(rest) > _SAME:
        yield phrases.say("step.rest"), LIMIT, rest


def _sum(case: Case, facet: str) -> float:
    return sum(reason.llr for reason in case.reasons if reason.facet == facet)


def _name(reason: Reason, occurrence: int, phrases: Phrases) -> str:
    name = phrases.label(reason.signal)
    return name if occurrence == 1 else f"{name} ({occurrence})"
