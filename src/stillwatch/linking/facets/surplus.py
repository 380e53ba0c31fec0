"""Sharing beyond chance: how many parties of a group hold a value that another of them holds too.

For a value with ``k`` holders in the group the surplus is ``k - 1``. Ordinary are the accounts that were at
work in the group's own time and hold any value of the kind (:mod:`stillwatch.linking.facets.windows`). If
the group were drawn at random from the others of these, each taken with probability ``p = group / others``,
a value with ``K`` holders among them would give the surplus ``K p - 1 + (1 - p)^K`` (thinning of a
multinomial). The surplus of rare events is close to Poisson, so the log-likelihood ratio of seeing ``m``
where ``e`` is expected is ``m log(m / e) - (m - e)``, nothing where ``m <= e`` (Kulldorff 1997, spatial scan
statistic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.compiled import compiled
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.groups import Groups, Ints
from stillwatch.linking.facets.windows import Bools, Windows

Floats = npt.NDArray[np.float64]

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
    ordinary: str = "others"  # whose values chance is taken from

    @property
    def llr(self) -> float:
        """Return the log-likelihood ratio in nats."""
        expected = max(self.expected, _LEAST_EXPECTED)
        if self.observed <= expected:
            return 0.0
        return float(self.observed * np.log(self.observed / expected) - (self.observed - expected))


def weigh_surplus(engine: Engine, groups: Groups, windows: Windows, holdings: str) -> dict[int, Surplus]:
    """Return the surplus of every candidate that holds a value, by candidate.

    ``holdings`` is a query of ``fp`` and ``account``, each pair once.
    Holders are counted by party (relation ``parties``): what colleagues share openly links nobody.
    """
    engine.keep("held", _HELD.format(holdings=holdings))
    values = _Values.of(engine.table(_SHARED), engine.table(_EACH), groups.party)
    engine.forget("held")
    found: dict[int, Surplus] = {}
    chosen = windows.choose(groups, values.known)
    for place in np.unique(chosen).tolist():
        numbers = np.flatnonzero(chosen == place)
        found |= _in_window(groups, values, numbers, windows.there(place), windows.told(place))
    return dict(sorted(found.items()))


def _in_window(
    groups: Groups, values: _Values, numbers: Ints, there: Bools, ordinary: str
) -> dict[int, Surplus]:
    """Return the surplus of the groups with these numbers, among the accounts that were there."""
    everywhere = _holders(values.value, values.account, groups.party, there)
    counts, expected = _weigh(
        numbers,
        groups.ends,
        groups.accounts,
        groups.party,
        values.ends,
        values.held,
        values.alone,
        there,
        everywhere,
        _count_parties(groups.party, there & values.known),
    )
    return {
        candidate: Surplus(float(observed), chance, accounts, shared, known, ordinary)
        for candidate, (observed, accounts, shared, known), chance in zip(
            groups.candidates[numbers].tolist(), counts.tolist(), expected.tolist(), strict=True
        )
        if known
    }


def _count_parties(party: Ints, chosen: Bools) -> int:
    return int(np.count_nonzero(np.bincount(party[chosen])))


_HELD: Final = """
    SELECT h.fp, h.account, p.party FROM ({holdings}) h JOIN parties p ON p.account = h.account
"""
_SHARED: Final = """
    SELECT h.fp, h.account, h.party FROM held h
    JOIN (SELECT fp FROM held GROUP BY fp HAVING count(*) > 1) s ON s.fp = h.fp
    ORDER BY h.fp, h.party, h.account
"""
"""Most values have one holder: those are counted, and never leave the engine."""

_EACH: Final = "SELECT account, count(*) AS n FROM held GROUP BY account ORDER BY account"


@dataclass(frozen=True)
class _Values:
    """Who holds which values, numbered."""

    ends: Ints  # where the shared values of each account end, after a 0
    held: Ints  # the shared values of one account after the other
    alone: Ints  # values that nobody else holds, by account
    value: Ints  # each holding of a shared value, by value and party
    account: Ints

    @classmethod
    def of(cls, shared: pa.Table, each: pa.Table, party: Ints) -> _Values:
        """Number the values of ``shared``, which is in order of value and party."""
        account = shared["account"].to_numpy()
        fp, another = shared["fp"].to_numpy(), np.ones(len(account), np.bool_)
        another[1:] = fp[1:] != fp[:-1]  # np.diff takes them for floats, to which neighbours are equal
        value = np.cumsum(another) - 1
        counts = np.bincount(account, minlength=len(party))
        alone = -counts
        alone[each["account"].to_numpy()] += each["n"].to_numpy()
        return cls(
            ends=np.concatenate([[0], np.cumsum(counts)]),
            held=value[np.argsort(account, kind="stable")],
            alone=alone,
            value=value,
            account=account.astype(np.int64),
        )

    @property
    def known(self) -> Bools:
        """Whether each account holds any value."""
        return np.asarray(self.alone + np.diff(self.ends) > 0)


@compiled
def _holders(value: Ints, account: Ints, party: Ints, there: Bools) -> Ints:
    """Return how many parties with an account that was there hold each value; rows by value and party."""
    holders = np.zeros(value[-1] + 1 if len(value) else 0, np.int64)
    last = (-1, -1)
    for row in range(len(value)):
        holding = (value[row], party[account[row]])
        if there[account[row]] and holding != last:
            holders[value[row]], last = holders[value[row]] + 1, holding
    return holders


@compiled
def _weigh(
    numbers: Ints,
    ends: Ints,
    accounts: Ints,
    party: Ints,
    held_ends: Ints,
    held: Ints,
    alone: Ints,
    there: Bools,
    everywhere: Ints,
    population: int,
) -> tuple[Ints, Floats]:
    """Return of each candidate observed, accounts, values and known, and then what chance expects."""
    counts, expected = np.zeros((len(numbers), 4), np.int64), np.zeros(len(numbers))
    holders, newest = np.zeros(len(everywhere), np.int64), np.zeros(len(everywhere), np.int64)
    touched, sizes = np.empty(len(everywhere), np.int64), _sizes(everywhere)
    filled = np.flatnonzero(sizes)  # one value of a million holders makes a long table of few entries
    for row, number in enumerate(numbers):
        found, parties, last = 0, 0, -1
        for account in accounts[ends[number] : ends[number + 1]]:
            if not there[account]:
                continue
            own = held[held_ends[account] : held_ends[account + 1]]
            counts[row, 3] += alone[account]
            if alone[account] + len(own) and party[account] != last:
                parties, last = parties + 1, party[account]
            for value in own:
                if holders[value] == 0:
                    touched[found], found = value, found + 1
                if holders[value] == 0 or newest[value] != party[account]:
                    holders[value], newest[value] = holders[value] + 1, party[account]
        share = min(parties / max(population - parties, 1), 1.0)
        for size in filled:
            expected[row] += sizes[size] * _by_chance(size, share)
        for value in touched[:found]:
            inside, holders[value] = holders[value], 0
            counts[row, 3] += inside
            if inside > 1:
                counts[row, 0] += inside - 1
                counts[row, 1] += inside
                counts[row, 2] += 1
            # What the group holds is no ordinary sharing.
            expected[row] -= _by_chance(everywhere[value], share)
            expected[row] += _by_chance(everywhere[value] - inside, share)
    return counts, expected


@compiled
def _sizes(everywhere: Ints) -> Ints:
    """Return how many values have 0, 1, 2 and so on holders."""
    sizes = np.zeros(everywhere.max() + 1 if len(everywhere) else 1, np.int64)
    for holders in everywhere:
        sizes[holders] += 1
    return sizes


@compiled
def _by_chance(holders: np.int64, share: float) -> float:
    """Return the surplus that a value of so many holders gives a random group; one holder gives none."""
    return holders * share - 1 + (1 - share) ** float(holders) if holders > 1 else 0.0
