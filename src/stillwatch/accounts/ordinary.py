"""Ordinary traffic, which account signals learn from: everybody's, without labels, campaigns included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa

from stillwatch.accounts.behaviour import Behaviour, Ints
from stillwatch.engines.engine import Engine

_MIN_ACCOUNTS: Final = 8
"""Accounts from which on a scaffold shows how those who use one differ from each other."""

_USES: Final = f"""
    SELECT u.family, u.exchanges, p.exchanges AS total
    FROM uses u JOIN profiles p ON p.account = u.account
    JOIN (SELECT family FROM uses WHERE family >= 0 GROUP BY family HAVING count(*) >= {_MIN_ACCOUNTS}) f
    ON f.family = u.family ORDER BY u.family, u.account
"""


def scaffold_uses(engine: Engine) -> pa.Table:
    """Return ``family``, ``exchanges`` and ``total``: what each account did with each scaffold, and in all.

    Reads the relations ``uses`` (USES) and ``profiles`` (PROFILES); scaffolds of few accounts are left out.
    """
    return engine.table(_USES)


@dataclass(frozen=True, eq=False)
class Uses:
    """One row for each account and scaffold that it uses, by scaffold."""

    family: Ints
    exchanges: Ints
    total: Ints  # of the account, whatever it did

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Take the rows of :func:`scaffold_uses` in their order."""
        return cls(**{name: table[name].to_numpy() for name in ("family", "exchanges", "total")})

    def by_scaffold(self) -> Iterator[Ints]:
        """Yield the accounts' exchanges for each scaffold."""
        if len(self.family):
            yield from np.split(self.exchanges, np.flatnonzero(np.diff(self.family)) + 1)


@dataclass(frozen=True, eq=False)
class Ordinary:
    """What all accounts of a log do: over their whole traffic, and with each scaffold that they use."""

    whole: Behaviour
    uses: Uses
