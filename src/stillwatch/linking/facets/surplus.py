"""Sharing beyond chance: how many parties of a group hold a value that another of them holds too.

For a value with ``k`` holders in the group the surplus is ``k - 1``. If the group were drawn at random
from the other accounts, each taken with probability ``p = group / others``, a value with ``K`` holders
among them would give the surplus ``K p - 1 + (1 - p)^K`` (thinning of a multinomial). The surplus of
rare events is close to Poisson, so the log-likelihood ratio of seeing ``m`` where ``e`` is expected is
``m log(m / e) - (m - e)``, nothing where ``m <= e`` (Kulldorff 1997, spatial scan statistic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.engines.engine import Engine

_LEAST_EXPECTED: Final = 0.5
"""Chance is never taken for less than half an account: an empty population proves nothing."""


@dataclass(frozen=True)
class Surplus:
    """Sharing of one candidate, observed and expected, with the holders involved."""

    observed: float  # accounts whose value another account of the group holds
    expected: float
    accounts: int  # accounts that hold a shared value
    values: int  # shared values
    known: int  # values known of the group's accounts: as many as accounts where each has one

    @property
    def llr(self) -> float:
        """Return the log-likelihood ratio in nats."""
        expected = max(self.expected, _LEAST_EXPECTED)
        if self.observed <= expected:
            return 0.0
        return float(self.observed * np.log(self.observed / expected) - (self.observed - expected))


def weigh_surplus(engine: Engine, holdings: str) -> dict[int, Surplus]:
    """Return the surplus of every candidate in ``members``, by candidate.

    ``holdings`` is a query of ``fp`` and ``account``, one row for each value that an account holds.
    Holders are counted by party (relation ``parties``): what colleagues share openly links nobody.
    """
    engine.keep("held", _HELD.format(holdings=holdings))
    inside, everywhere, groups = engine.table(_INSIDE), engine.table(_EVERYWHERE), engine.table(_GROUPS)
    population = engine.table(_POPULATION)["n"][0].as_py()
    parties = dict(zip(groups["candidate"].to_pylist(), groups["n"].to_pylist(), strict=True))
    sizes = dict(zip(everywhere["holders"].to_pylist(), everywhere["fps"].to_pylist(), strict=True))
    return {
        candidate: _surplus(rows, sizes, parties[candidate] / max(population - parties[candidate], 1))
        for candidate, rows in _by_candidate(inside).items()
    }


_HELD: Final = """
    WITH h AS (
        SELECT DISTINCT h.fp, h.account, p.party FROM ({holdings}) h JOIN parties p ON p.account = h.account
    )
    SELECT h.fp, h.account, h.party, e.everywhere FROM h
    JOIN (SELECT fp, count(DISTINCT party) AS everywhere FROM h GROUP BY fp) e ON e.fp = h.fp
"""
_POPULATION: Final = "SELECT count(DISTINCT party) AS n FROM held ORDER BY n"
_GROUPS: Final = """
    SELECT m.candidate, count(DISTINCT h.party) AS n FROM held h JOIN members m ON m.account = h.account
    GROUP BY m.candidate ORDER BY m.candidate
"""
_INSIDE: Final = """
    SELECT candidate, holders, everywhere, count(*) AS fps FROM (
        SELECT m.candidate, h.fp, count(DISTINCT h.party) AS holders, max(h.everywhere) AS everywhere
        FROM held h JOIN members m ON m.account = h.account
        GROUP BY m.candidate, h.fp) g
    GROUP BY candidate, holders, everywhere ORDER BY candidate, holders, everywhere
"""
_EVERYWHERE: Final = """
    SELECT everywhere AS holders, count(DISTINCT fp) AS fps FROM held GROUP BY everywhere ORDER BY everywhere
"""


def _by_candidate(inside: pa.Table) -> dict[int, list[tuple[int, int, int]]]:
    grouped: dict[int, list[tuple[int, int, int]]] = {}
    for row in inside.to_pylist():
        grouped.setdefault(row["candidate"], []).append((row["holders"], row["everywhere"], row["fps"]))
    return grouped


def _surplus(rows: list[tuple[int, int, int]], sizes: dict[int, int], group: float) -> Surplus:
    """Return the surplus of a group that is so many times as large as all others together."""
    outside, share = dict(sizes), min(group, 1.0)
    for holders, everywhere, fps in rows:  # what the group holds is no ordinary sharing
        outside[everywhere] -= fps
        outside[everywhere - holders] = outside.get(everywhere - holders, 0) + fps
    expected = sum(
        fps * (holders * share - 1 + (1 - share) ** holders)
        for holders, fps in sorted(outside.items())
        if holders
    )
    return Surplus(
        observed=float(sum((holders - 1) * fps for holders, _, fps in rows)),
        expected=float(expected),
        accounts=sum(holders * fps for holders, _, fps in rows if holders > 1),
        values=sum(fps for holders, _, fps in rows if holders > 1),
        known=sum(holders * fps for holders, _, fps in rows),
    )
