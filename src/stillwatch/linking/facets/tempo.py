"""tempo: accounts whose load rises and falls together, beyond what everybody's does."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, each_candidate, findings_table, no_links

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BUCKETS: Final = 16
_MIN_EXCHANGES: Final = 200
_MIN_ACCOUNTS: Final = 12
"""Below these the statistic may not speak: its spread is wider than what it measures."""

_DAY: Final = 24
_FITTING_ROUNDS: Final = 8
_CERTAIN: Final = 1e9
"""A baseline that is no count has no noise of its own."""

_MOST: Final = 4.0
"""The most that synchrony alone may say: people rush together as well."""

_HONEST_SPREAD: Final = 2.0
"""Standard score that honest groups reach by ordinary means: outages, releases, a lesson, a rush."""


class Tempo:
    """One queue behind many accounts."""

    card = FacetCard(
        name="tempo",
        shows="the accounts' load is evened out and rises and falls together, as behind one queue",
        honest_twin="a class in one lab hour; one customer's workers",
        method=(
            "min((z / 2)^2 / 2, 4), z being the standard score of the products of the hourly loads of "
            "different buckets, the accounts dealt out to 16, after what is expected was taken out by "
            "iterative proportional fitting (Deming & Stephan 1940); the statistic is our own. Ordinary "
            "traffic: the number of accounts at work outside the group in the same hour, times the group's "
            "own days and habits (hours of working days and of weekends); and these days and habits alone, "
            "the lesser z of both. By hand: the 2, which honest groups are taken to reach, the 4, the "
            "buckets, at least 12 accounts and 200 requests"
        ),
        side="either",
        cap=8.0,
        dispatch=True,
        floor=-2.0,
        signals=(
            FacetSignal(
                "synchronised",
                "the accounts' load rises and falls together, hour by hour",
                "a class in one lab hour; one customer's workers; outages and releases",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: synchrony belongs to groups, not to pairs."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of synchronised load."""
        everyone = engine.table(_EVERYONE)
        if not everyone.num_rows:
            return findings_table([])
        engine.bind("sizes", heard := engine.table(_SIZES))
        sizes = {row["candidate"]: row for row in heard.to_pylist()}
        first, last = int(everyone["hour"][0].as_py()), int(everyone["hour"][-1].as_py())
        ordinary = np.zeros(last - first + 1)
        ordinary[everyone["hour"].to_numpy() - first] = everyone["accounts"].to_numpy()
        found = []
        for candidate, rows in each_candidate(engine.stream(_LOADS)):
            series = np.zeros((_BUCKETS, len(ordinary)))
            series[rows["bucket"].to_numpy(), rows["hour"].to_numpy() - first] = rows["exchanges"].to_numpy()
            z = synchrony(series, np.maximum(ordinary - series.sum(axis=0), 0), first)
            found.append(_finding(sizes[candidate], z))
        return findings_table(found)


def _finding(size: dict[str, int], z: float) -> Finding:
    return Finding(
        candidate=size["candidate"],
        facet="tempo",
        signal="synchronised",
        side="either",
        llr=min((max(z, 0.0) / _HONEST_SPREAD) ** 2 / 2, _MOST),
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

    What moves together with everybody's load, or with the group's own habits, is no queue: the lesser
    of both readings counts. Days are taken as they are, since a day's interest is common to strangers.

    Args:
        series: requests by bucket and hour, shape (buckets, hours).
        ordinary: accounts at work outside the group, shape (hours,).
        first_hour: hours since the epoch of the first column.
    """
    habits = np.ones(series.shape[1])
    return min(_co_movement(series, baseline, first_hour) for baseline in (ordinary, habits * _CERTAIN))


def _co_movement(series: Floats, baseline: Floats, first_hour: int) -> float:
    habit, day = _habit(series.shape[1], first_hour), _day(series.shape[1], first_hour)
    expected = _expected(series.sum(axis=0), baseline, habit, day)
    used = expected > 0
    parameters = len(np.unique(habit[used])) + len(np.unique(day[used])) - 1
    fitted = parameters / max(int(used.sum()), 1)
    if fitted >= 1:
        return 0.0
    residual = series[:, used] - np.outer(series.sum(axis=1), expected[used])
    residual /= np.sqrt(expected[used] * series.sum() + 0.5)
    squares = residual**2
    # Independent buckets would give zero, but for three things: the fitted habits take variance from
    # the sum, and a little from each bucket; the baseline is itself a count, and shared by all.
    shared_noise = 1 + expected[used] * series.sum() / baseline[used]
    joint = residual.sum(axis=0) ** 2 / (1 - fitted) / shared_noise
    together = float((joint - squares.sum(axis=0) / (1 - fitted / len(series))).sum())
    spread = float(2 * (squares.sum(axis=0) ** 2 - (squares**2).sum(axis=0)).sum())
    return together / np.sqrt(spread) if spread > 0 else 0.0


def _habit(hours: int, first_hour: int) -> Ints:
    """Return the habit that each hour falls under; 1 January 1970 was a Thursday."""
    hour = np.arange(hours) + first_hour
    weekend = (hour // _DAY + 3) % 7 >= 5
    return np.asarray(hour % _DAY + _DAY * weekend)


def _day(hours: int, first_hour: int) -> Ints:
    return np.asarray((np.arange(hours) + first_hour) // _DAY - first_hour // _DAY)


def _expected(group: Floats, baseline: Floats, habit: Ints, day: Ints) -> Floats:
    """Return each hour's share of the group's load if baseline, habits and days alone steered it.

    Iterative proportional fitting (Deming & Stephan 1940) of the baseline to the group's totals by
    habit and by day.
    """
    load = baseline.copy()
    for _ in range(_FITTING_ROUNDS):
        for part in (habit, day):
            held = np.bincount(part, weights=load)
            wanted = np.bincount(part, weights=group, minlength=len(held))
            load = load * np.divide(wanted, held, out=np.zeros(len(held)), where=held > 0)[part]
    return np.asarray(load / load.sum()) if load.sum() else np.zeros_like(load)


_EVERYONE: Final = """
    SELECT hour, count(DISTINCT account) AS accounts FROM hours GROUP BY hour ORDER BY hour
"""
_SIZES: Final = f"""
    SELECT w.candidate, count(DISTINCT w.account) AS accounts, CAST(sum(u.exchanges) AS BIGINT) AS exchanges
    FROM work w JOIN uses u ON u.account = w.account AND u.family = w.family
    GROUP BY w.candidate
    HAVING count(DISTINCT w.account) >= {_MIN_ACCOUNTS} AND sum(u.exchanges) >= {_MIN_EXCHANGES}
    ORDER BY w.candidate
"""
_LOADS: Final = f"""
    SELECT w.candidate, b.bucket, h.hour, CAST(sum(h.exchanges) AS BIGINT) AS exchanges
    FROM work w JOIN hours h ON h.account = w.account AND h.family = w.family
    JOIN (
        SELECT candidate, account,
               (row_number() OVER (PARTITION BY candidate ORDER BY account)) % {_BUCKETS} AS bucket
        FROM members) b
    ON b.candidate = w.candidate AND b.account = w.account
    JOIN sizes s ON s.candidate = w.candidate
    GROUP BY w.candidate, b.bucket, h.hour ORDER BY w.candidate, b.bucket, h.hour
"""
