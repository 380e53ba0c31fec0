"""tempo: accounts whose load rises and falls together, beyond what everybody's does."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

Floats = npt.NDArray[np.float64]

_HOUR: Final = 3600
_BUCKETS: Final = 16
_MIN_EXCHANGES: Final = 200
_MIN_ACCOUNTS: Final = 12
"""Below these the statistic may not speak: its spread is wider than what it measures."""

_DAY: Final = 24
_HABITS: Final = 2 * _DAY
"""A group's habits: its load at each hour of working days, and of weekends."""


class Tempo:
    """One queue behind many accounts."""

    card = FacetCard(
        name="tempo",
        shows="the accounts' load is evened out and rises and falls together, as behind one queue",
        honest_twin="a class in one lab hour; one customer's workers",
        method=(
            "accounts in 16 buckets; covariance of the buckets' hourly load after the ordinary load of the "
            "hour and the group's own habits (hours of working days and of weekends) are taken out, with "
            "the degrees of freedom that the habits cost; z^2 / 2, z from the residuals' own spread"
        ),
        side="linking",
        cap=6.0,
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: synchrony belongs to groups, not to pairs."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of synchronised load."""
        everyone = engine.table(_EVERYONE)
        loads = engine.table(_LOADS)
        sizes = engine.table(_SIZES).to_pylist()
        first, last = int(everyone["hour"][0].as_py()), int(everyone["hour"][-1].as_py())
        ordinary = np.zeros(last - first + 1)
        ordinary[everyone["hour"].to_numpy() - first] = everyone["exchanges"].to_numpy()
        candidate = loads["candidate"].to_numpy()
        found = []
        for size in sizes:
            if size["accounts"] < _MIN_ACCOUNTS or size["exchanges"] < _MIN_EXCHANGES:
                continue
            rows = loads.filter(pa.array(candidate == size["candidate"]))
            series = np.zeros((_BUCKETS, len(ordinary)))
            series[rows["bucket"].to_numpy(), rows["hour"].to_numpy() - first] = rows["exchanges"].to_numpy()
            found.append(
                _finding(size, synchrony(series, np.maximum(ordinary - series.sum(axis=0), 0), first))
            )
        return findings_table(found)


def _finding(size: dict[str, int], z: float) -> Finding:
    return Finding(
        candidate=size["candidate"],
        facet="tempo",
        signal="synchronised",
        side="linking",
        llr=max(z, 0.0) ** 2 / 2,
        observed=z,
        expected=0.0,
        accounts=size["accounts"],
        exchanges=size["exchanges"],
        statement=(
            f"the load of {size['accounts']:,} accounts rises and falls together, beyond the hour's ordinary "
            f"load: {z:.1f} standard deviations"
        ),
    )


def synchrony(series: Floats, ordinary: Floats, first_hour: int) -> float:
    """Return how far the buckets' loads move together, in standard deviations.

    Args:
        series: requests by bucket and hour, shape (buckets, hours).
        ordinary: requests of everybody else, shape (hours,).
        first_hour: hours since the epoch of the first column.
    """
    habit = _habit(series.shape[1], first_hour)
    expected = _expected(series.sum(axis=0), ordinary, habit)
    used = expected > 0
    fitted = len(np.unique(habit[used])) / max(int(used.sum()), 1)
    if fitted >= 1:
        return 0.0
    residual = series[:, used] - np.outer(series.sum(axis=1), expected[used])
    residual /= np.sqrt(expected[used] * series.sum() + 0.5)
    squares = residual**2
    # Independent buckets would give zero, but for three things: the fitted habits take variance from
    # the sum, and a little from each bucket; the ordinary load is itself a count, and shared by all.
    shared_noise = 1 + expected[used] * series.sum() / ordinary[used]
    joint = residual.sum(axis=0) ** 2 / (1 - fitted) / shared_noise
    together = float((joint - squares.sum(axis=0) / (1 - fitted / len(series))).sum())
    spread = float(2 * (squares.sum(axis=0) ** 2 - (squares**2).sum(axis=0)).sum())
    return together / np.sqrt(spread) if spread > 0 else 0.0


def _habit(hours: int, first_hour: int) -> npt.NDArray[np.int64]:
    """Return the habit that each hour falls under; 1 January 1970 was a Thursday."""
    hour = np.arange(hours) + first_hour
    weekend = (hour // _DAY + 3) % 7 >= 5
    return np.asarray(hour % _DAY + _DAY * weekend)


def _expected(group: Floats, ordinary: Floats, habit: npt.NDArray[np.int64]) -> Floats:
    """Return the share of the group's load that each hour would hold if only its habits steered it.

    Habits lie on top of the ordinary load of the very hour.
    """
    own = np.bincount(habit, weights=group, minlength=_HABITS)
    usual = np.bincount(habit, weights=ordinary, minlength=_HABITS)
    tilt = np.divide(own, usual, out=np.zeros(_HABITS), where=usual > 0)
    load = ordinary * tilt[habit]
    return np.asarray(load / load.sum()) if load.sum() else np.zeros_like(load)


_EVERYONE: Final = f"""
    SELECT CAST(floor(epoch(timestamp) / {_HOUR}) AS BIGINT) AS hour, count(*) AS exchanges
    FROM activity GROUP BY hour ORDER BY hour
"""
_LOADS: Final = f"""
    SELECT w.candidate, b.bucket, CAST(floor(epoch(w.timestamp) / {_HOUR}) AS BIGINT) AS hour,
           count(*) AS exchanges
    FROM work w JOIN (
        SELECT candidate, account_id,
               (row_number() OVER (PARTITION BY candidate ORDER BY account_id)) % {_BUCKETS} AS bucket
        FROM members) b ON b.candidate = w.candidate AND b.account_id = w.account_id
    GROUP BY w.candidate, b.bucket, hour ORDER BY w.candidate, b.bucket, hour
"""
_SIZES: Final = """
    SELECT candidate, count(DISTINCT account_id) AS accounts, count(*) AS exchanges
    FROM work GROUP BY candidate ORDER BY candidate
"""
