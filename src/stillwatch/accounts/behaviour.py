"""BEHAVIOUR rows as arrays, which account signals compute on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


_COUNTS: Final = ("exchanges", "total", "colleagues", "resumed", "standalone", "tied", "tied_holders")


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Accounts as rows; counts as in the contract BEHAVIOUR, hours of the day of shape (accounts, 24).

    Two of them are the same only where they are one object: what is computed of it is remembered by that.
    """

    exchanges: Ints
    total: Ints
    colleagues: Ints
    resumed: Ints
    standalone: Ints
    tied: Ints
    tied_holders: Ints
    hours: Ints
    elsewhere: Ints
    first_seen: Ints  # microseconds since the epoch
    last_seen: Ints

    @classmethod
    def of(cls, table: pa.Table) -> Behaviour:
        """Take the rows of a BEHAVIOUR table in their order."""
        days = {
            name: pc.list_flatten(table[name]).to_numpy().reshape(-1, 24) for name in ("hours", "elsewhere")
        }
        counts = {name: table[name].to_numpy() for name in _COUNTS}
        times = {name: table[name].cast(pa.int64()).to_numpy() for name in ("first_seen", "last_seen")}
        return cls(**counts, **days, **times)

    def __len__(self) -> int:
        return len(self.exchanges)

    def where(self, chosen: npt.NDArray[np.bool_] | slice) -> Behaviour:
        """Return the chosen rows."""
        return Behaviour(**{name: column[chosen] for name, column in vars(self).items()})
