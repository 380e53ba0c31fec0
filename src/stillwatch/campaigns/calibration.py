"""Calibration: how often ordinary traffic reaches as far as a candidate does.

Candidates are what a search picked, so their evidence is not that of groups drawn at random. The reference
is therefore made of the margins of candidates that the very same search found in logs without any campaign
(``scripts/make_calibration.py``). Far out, where no log of the reference reaches, the tail goes on as an
exponential one, the limit of excesses over a high threshold of every distribution with a light tail
(Pickands 1975, Statistical inference using extreme order statistics); its scale is the mean excess, one
standard error added. Analysts' labels add groups that they called honest.

Hardly any candidate of an ordinary log reaches anywhere. Chances are therefore counted with one more in the
tail than was seen (Davison & Hinkley 1997, Bootstrap methods and their application, 4.2), and the scale has a
least value, set by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Final, Self

from stillwatch.campaigns.likeness import Ranges

_LEAST_SCALE: Final = 0.1
"""Margin over which the tail falls to a third, at least: what it was when judging asked for less."""

_LEAST: Final = 1e-12
"""No number of simulated logs speaks for a smaller chance."""


@dataclass(frozen=True)
class Reference:
    """Margins of the candidates of logs without campaigns."""

    candidates: int  # that the search looked at
    threshold: float  # where the tail begins
    excesses: tuple[float, ...]  # of the margins at or beyond the threshold, largest first
    covers: Ranges = field(default_factory=dict, hash=False)  # what the logs that it is made of were like

    @classmethod
    def of(cls, margins: Iterable[float], candidates: int, threshold: float) -> Self:
        """Make a reference of ``margins``, those of all ``candidates`` or at least of the far ones."""
        beyond = sorted((margin - threshold for margin in margins if margin >= threshold), reverse=True)
        return cls(candidates, threshold, tuple(beyond))

    @property
    def scale(self) -> float:
        """Return the mean excess over the threshold, one standard error added, or the least scale."""
        count = len(self.excesses)
        measured = math.fsum(self.excesses) / count * (1 + 1 / math.sqrt(count)) if count else 0.0
        return max(measured, _LEAST_SCALE)

    def p_value(self, margin: float) -> float:
        """Return the chance that an ordinary candidate reaches ``margin``; 1 below the threshold."""
        if margin < self.threshold or not self.candidates:
            return 1.0
        reached = (len(self.excesses) + 1) / (self.candidates + 1)
        return min(1.0, max(reached * math.exp((self.threshold - margin) / self.scale), _LEAST))

    def with_honest(self, margins: Iterable[float]) -> Reference:
        """Return the reference with the margins of groups that an analyst called honest counted in."""
        added = list(margins)
        further = [margin - self.threshold for margin in added if margin >= self.threshold]
        excesses = tuple(sorted([*self.excesses, *further], reverse=True))
        return replace(self, candidates=self.candidates + len(added), excesses=excesses)


@cache
def shipped_reference() -> Reference:
    """Return the reference that comes with stillwatch."""
    content = json.loads(files(__package__).joinpath("reference.json").read_text(encoding="utf-8"))
    covers = {name: (low, high) for name, (low, high) in content["covers"].items()}
    return Reference(content["candidates"], content["threshold"], tuple(content["excesses"]), covers)


def benjamini_hochberg(p_values: Mapping[int, float]) -> dict[int, float]:
    """Return q-values: the k-th smallest of m p-values is significant at level a when it is at most k a / m.

    Benjamini & Hochberg, Controlling the false discovery rate, JRSS B 1995; it holds under positive
    dependence (Benjamini & Yekutieli 2001), and candidates that share accounts reach far together.
    """
    ranked = sorted(p_values, key=lambda number: (p_values[number], number))
    least, q_values = 1.0, dict[int, float]()
    for rank in range(len(ranked), 0, -1):
        number = ranked[rank - 1]
        least = min(least, p_values[number] * len(ranked) / rank)
        q_values[number] = least
    return q_values
