"""How often values of each sign are held again, and by how many, among all that is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from stillwatch.access.counting import totals

_LEAST: Final = 64
_GROWTH: Final = 20
"""The counts are read again when a twentieth has been added: they change no faster."""

_UNKNOWN: Final[Mapping[int, int]] = {}


class Recurrence:
    """The counts, read from the database now and then; threads may read them twice, to no harm."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._totals: Mapping[str, Mapping[int, int]] = {}
        self._left = 0

    def one_more(self) -> None:
        """Hear of a sign-up."""
        self._left -= 1

    def of(self, connection: Connection, sign: str) -> float:
        """Return the share of those who hold a value of this sign that others hold too, never 0 or 1."""
        every = self._holders(connection, sign, 1)
        return (self._holders(connection, sign, 2) + 1) / (every + 2)

    def as_many(self, connection: Connection, sign: str, holders: int) -> tuple[int, int]:
        """Return how many hold other values of at least half as many holders, and how many any other."""
        before = holders - 1
        as_many = self._holders(connection, sign, (holders + 1) // 2) - before
        return max(as_many, 0), max(self._holders(connection, sign, 1) - before, 0)

    def _holders(self, connection: Connection, sign: str, least: int) -> int:
        """Return how many hold a value of so many holders or more."""
        if self._left <= 0:
            self._totals = totals(connection)
            most = max((_sum(values, 1) for values in self._totals.values()), default=0)
            self._left = max(_LEAST, most // _GROWTH)
        return _sum(self._totals.get(sign, _UNKNOWN), least)


def _sum(values: Mapping[int, int], least: int) -> int:
    return sum(holders * many for holders, many in values.items() if holders >= least)
