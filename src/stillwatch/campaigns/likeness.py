"""Likeness: whether a log is one of those that the stated error rate was measured on.

A reference made of other logs speaks for a log as far as the two are alike. What the candidate search
depends on most is held against the range that the reference covers: how many accounts there are to choose
from, how much of each is seen, for how long, and how many groups the search makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from stillwatch.engines.engine import Engine

Ranges = Mapping[str, tuple[float, float]]
"""The lowest and the highest value in a set of logs, by the name of a quantity of :class:`Traffic`."""

BEYOND: Final = 3.0
"""A log is unlike the reference from so many times beyond its range on: ranges of a few logs are narrow."""

_TOTALS: Final = """
    SELECT CAST(coalesce(sum(exchanges), 0) AS BIGINT) AS exchanges, count(*) AS accounts,
           epoch(max(last_seen)) - epoch(min(first_seen)) AS seconds
    FROM profiles
"""


@dataclass(frozen=True)
class Traffic:
    """A log in the numbers that its likeness goes by."""

    accounts: float  # that made requests
    days: float
    requests_each: float  # of an account
    groups: float  # candidates for each thousand accounts


class Unlike(NamedTuple):
    """A quantity of a log that lies far beyond the reference."""

    quantity: str
    value: float
    low: float
    high: float


def traffic(engine: Engine, candidates: int) -> Traffic | None:
    """Return the traffic in the relation ``profiles``, None where it holds no request."""
    row = engine.table(_TOTALS).to_pylist()[0]
    if not row["exchanges"]:
        return None
    accounts = row["accounts"]
    return Traffic(
        accounts, row["seconds"] / 86_400, row["exchanges"] / accounts, 1_000 * candidates / accounts
    )


def ranges(logs: list[Traffic]) -> dict[str, tuple[float, float]]:
    """Return the range of every quantity over ``logs``."""
    rows = [asdict(log) for log in logs]
    return {name: (min(row[name] for row in rows), max(row[name] for row in rows)) for name in rows[0]}


def unlike(log: Traffic | None, reference: Ranges) -> list[Unlike]:
    """Return what lies more than :data:`BEYOND` times outside of the range that ``reference`` covers."""
    if log is None:
        return []
    values = asdict(log)
    return [
        Unlike(name, values[name], low, high)
        for name, (low, high) in reference.items()
        if not low / BEYOND <= values[name] <= high * BEYOND
    ]
