"""A backlog of sign-ups as arrays: when each was, to whom it belongs, what it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.access.company import Company, Ints, Knowledge, company
from stillwatch.access.signs import Kind, Sign

NOTHING = -1
"""Number of a value that is not there."""


@dataclass(frozen=True)
class Population:
    """Sign-ups in order of time and account; those without a time are in nobody's company."""

    table: pa.Table  # SIGNUP
    seconds: Ints  # since 1970
    timed: npt.NDArray[np.bool_]
    knowledge: Knowledge

    @classmethod
    def of(cls, signups: pa.Table, knowledge: Knowledge) -> Population:
        """Put sign-ups in order, so that nothing depends on how they came."""
        table = signups.sort_by([("created_at", "ascending"), ("account_id", "ascending")]).combine_chunks()
        moments = table["created_at"].cast(pa.int64())
        seconds = pc.fill_null(moments, 0).to_numpy() // 1_000_000
        return cls(table, seconds, moments.is_valid().to_numpy(), knowledge)

    def shuffled(self) -> Population:
        """Return the same people and things with the times dealt out anew: coincidence alone."""
        rows = np.flatnonzero(self.timed)
        by_name = rows[np.argsort(self.table["account_id"].to_numpy(zero_copy_only=False)[rows])]
        seconds = self.seconds.copy()
        seconds[np.random.default_rng(0).permutation(by_name)] = self.seconds[by_name]
        return replace(self, seconds=seconds)

    @property
    def size(self) -> int:
        """How many sign-ups there are."""
        return len(self.seconds)

    def values(self, sign: Sign) -> Ints:
        """Return the number of the value that each holds of a sign."""
        return _numbered(self.table[sign.column])

    def parties(self, sign: Sign) -> Ints:
        """Return to which party each belongs: a campus answers for its network, and for nobody's card."""
        of_things = sign.kind in (Kind.THING, Kind.MOMENT)
        return self._of_firms if of_things else self._of_firms_and_campuses

    def company(self, values: Ints, parties: Ints) -> Company:
        """Count the company of each; of one that holds nothing or has no time there is none."""
        holders = np.flatnonzero((values != NOTHING) & self.timed)
        found = company(values[holders], self.seconds[holders], parties[holders], self.knowledge)
        others, elsewhere = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)
        others[holders], elsewhere[holders] = found
        return Company(others, elsewhere)

    @cached_property
    def everybody(self) -> Company:
        """Return how many parties signed up in each one's spell, and how many beyond it."""
        return self.company(np.zeros(self.size, np.int64), self._of_firms_and_campuses)

    @cached_property
    def _of_firms(self) -> Ints:
        firms = _numbered(self.table["organization_fp"])
        return np.where(firms == NOTHING, np.arange(self.size), self.size + firms)

    @cached_property
    def _of_firms_and_campuses(self) -> Ints:
        campuses = _numbered(self.table["campus_fp"])
        alone = (self._of_firms < self.size) & (campuses != NOTHING)
        return np.where(alone, 2 * self.size + campuses, self._of_firms)


def _numbered(column: pa.ChunkedArray) -> Ints:
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(pc.fill_null(encoded.indices, NOTHING).to_numpy(zero_copy_only=False)).astype(np.int64)
