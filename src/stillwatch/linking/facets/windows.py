"""Windows: whom a group is compared with, the accounts that were at work in its own time.

What is ordinary changes with time: a launch, a term, a new client. The log is cut into halves, quarters and
eighths, and once more half a width later, so that no short group falls into a wide window because it lies
across a cut. A group belongs to the narrowest of these that holds nine tenths of its accounts' work. There
are so few that what is ordinary in each is counted once, for all its groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.groups import Groups, Ints

Bools = npt.NDArray[np.bool_]

CELLS: Final = 16
"""Half an eighth of the log: every window is a run of cells."""

WINDOWS: Final = tuple(
    (start, start + width)
    for width in (CELLS // 8, CELLS // 4, CELLS // 2, CELLS)
    for start in range(0, CELLS - width + 1, width // 2)
)
"""First cell, and the first one after it; the narrow windows first, the whole log last."""

WHOLE: Final = len(WINDOWS) - 1

SAME_TIME: Final = (
    "The same time: the narrowest of half-overlapping halves, quarters and eighths of the log, or all of it, "
    "that holds all work of nine tenths of the group, and four other accounts for each of its own"
)
"""What the cards of the facets that go by windows say of them."""

_MOST: Final = 9
"""Of ten accounts of a group, how many must have done all their work in its window: strays widen nothing."""

_OTHERS: Final = 4
"""Accounts outside for each of the group, at least: fewer tell their own luck, not what is ordinary."""


@dataclass(frozen=True)
class Windows:
    """When each account was at work, in cells, and when each account of each group was at the group's."""

    hours: tuple[int, int]  # since the epoch: the log's first, and the one after its last
    first: Ints  # by account; after the last cell for one that the log does not show
    last: Ints
    begun: Ints  # of each account in Groups.accounts
    ended: Ints

    @classmethod
    def read(cls, engine: Engine, groups: Groups) -> Windows:
        """Read ``profiles``, and of ``spans`` when the work was done."""
        presence = engine.table(_PRESENCE)
        seen, left = presence["since"].to_numpy(), presence["until"].to_numpy()
        hours = (int(seen.min(initial=left.max(initial=0))), int(left.max(initial=0)) + 1)
        account = presence["account"].to_numpy()
        first, last = np.full(len(groups.party), CELLS), np.full(len(groups.party), -1)
        first[account], last[account] = _cells(seen, hours), _cells(left, hours)
        work = engine.table(_WORK)
        begun, ended = (_cells(work[name].to_numpy(), hours) for name in ("since", "until"))
        return cls(hours, first, last, begun, ended)

    def there(self, place: int) -> Bools:
        """Return of each account whether it was at work in the window at this place of WINDOWS.

        In the whole log everybody is, those included whom only the account records name.
        """
        start, end = WINDOWS[place]
        return np.asarray(((self.first < end) & (self.last >= start)) | (place == WHOLE))

    def choose(self, groups: Groups, known: Bools) -> Ints:
        """Return the place of each candidate's window, where only accounts that are ``known`` count."""
        sizes = np.diff(groups.ends)
        number = np.repeat(np.arange(len(sizes)), sizes)
        chosen = np.full(len(sizes), WHOLE)
        for place in reversed(range(WHOLE)):
            start, end = WINDOWS[place]
            held = np.bincount(number[(self.begun >= start) & (self.ended < end)], minlength=len(sizes))
            enough = np.count_nonzero(self.there(place) & known) >= (1 + _OTHERS) * sizes
            chosen[(10 * held >= _MOST * sizes) & enough] = place
        return chosen

    def edges(self, place: int) -> tuple[int, int]:
        """Return the first hour of the window, and the first one after it."""
        first, length = self.hours[0], self.hours[1] - self.hours[0]
        start, end = (first + -(-cell * length // CELLS) for cell in WINDOWS[place])
        return start, end

    def told(self, place: int) -> str:
        """Return who is ordinary, in words."""
        if place == WHOLE:
            return "accounts of the log"
        start, end = self.edges(place)
        first, last = (f"{_EPOCH + timedelta(hours=hour):%Y-%m-%d}" for hour in (start, end - 1))
        return f"accounts at work on {first}" if first == last else f"accounts at work from {first} to {last}"


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_PRESENCE: Final = """
    SELECT account, CAST(floor(epoch(first_seen) / 3600) AS BIGINT) AS since,
           CAST(floor(epoch(last_seen) / 3600) AS BIGINT) AS until FROM profiles ORDER BY account
"""
_SPANS: Final = """
    SELECT m.candidate, m.account, coalesce(s.since, -1) AS since, coalesce(s.until, -1) AS until
    FROM members m LEFT JOIN (
        SELECT w.candidate, w.account, CAST(floor(epoch(min(u.first_seen)) / 3600) AS BIGINT) AS since,
               CAST(floor(epoch(max(u.last_seen)) / 3600) AS BIGINT) AS until
        FROM work w JOIN uses u ON u.account = w.account AND u.family = w.family
        GROUP BY w.candidate, w.account) s
    ON s.candidate = m.candidate AND s.account = m.account
"""
_WORK: Final = """
    SELECT s.since, s.until FROM spans s JOIN parties p ON p.account = s.account
    ORDER BY s.candidate, p.party, s.account
"""
"""In the order of Groups.accounts."""


def keep_spans(engine: Engine) -> None:
    """Make ``spans``: from when until when each of ``members`` was at its candidate's ``work``."""
    engine.keep("spans", _SPANS)


def _cells(hours: Ints, log: tuple[int, int]) -> Ints:
    return np.asarray((hours - log[0]) * CELLS // (log[1] - log[0]))
