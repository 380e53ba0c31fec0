"""Groups: whose accounts are in which candidate, as arrays that compiled functions run over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.engines.engine import Engine

Ints = npt.NDArray[np.int64]

_PARTIES: Final = "SELECT account, party FROM parties ORDER BY account"
_MEMBERS: Final = """
    SELECT m.candidate, m.account FROM members m JOIN parties p ON p.account = m.account
    ORDER BY m.candidate, p.party, m.account
"""


@dataclass(frozen=True)
class Groups:
    """The accounts of each candidate in the relation ``members``, colleagues beside one another."""

    candidates: Ints
    ends: Ints  # where the accounts of each candidate end, after a 0
    accounts: Ints
    party: Ints  # of every account in the relation ``parties``, by its number

    @classmethod
    def read(cls, engine: Engine) -> Groups:
        """Read ``members`` and ``parties``."""
        parties = engine.table(_PARTIES)
        party = np.full(parties["account"].to_numpy().max(initial=-1) + 1, -1)
        party[parties["account"].to_numpy()] = parties["party"].to_numpy()
        members = engine.table(_MEMBERS)
        candidate, account = members["candidate"].to_numpy(), members["account"].to_numpy()
        candidates, counts = np.unique(candidate, return_counts=True)
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(candidates, ends, account.astype(np.int64), party)
