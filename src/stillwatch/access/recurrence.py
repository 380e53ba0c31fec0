"""How often values of each sign are held again, among all that is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from stillwatch.access.counting import totals

_UNKNOWN: Final = (0, 0)
_LEAST: Final = 64
_GROWTH: Final = 20
"""The counts are read again when a twentieth has been added: they change no faster."""


class Recurrence:
    """The shares, read from the database now and then; threads may read them twice, to no harm."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._totals: Mapping[str, tuple[int, int]] = {}
        self._left = 0

    def one_more(self) -> None:
        """Hear of a sign-up."""
        self._left -= 1

    def of(self, connection: Connection, sign: str) -> float:
        """Return the share of those who hold a value of this sign that others hold too, never 0 or 1."""
        if self._left <= 0:
            self._totals = totals(connection)
            most = max((every for every, _ in self._totals.values()), default=0)
            self._left = max(_LEAST, most // _GROWTH)
        every, shared = self._totals.get(sign, _UNKNOWN)
        return (shared + 1) / (every + 2)
