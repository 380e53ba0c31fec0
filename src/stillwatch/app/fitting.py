"""Whether detection fits into the memory that a run may take: told before it starts, not when it dies."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import UsageError
from stillwatch.settings import QUERY_PART, memory_bytes

_PROGRAM: Final = 384 * 2**20
"""Bytes of the process with its libraries and compiled code; measured 325 MiB."""

_EACH_ACCOUNT: Final = 7 * 2**10
"""Bytes for each account beside the queries: its rows in candidates, membership, links and shared values.

From the largest case: 57.6 million exchanges of 525,000 accounts held 5.2 GiB in all, and 5.8 are reckoned.
"""

_EACH_EXCHANGE: Final = 8
"""Bytes for each exchange: the counts by which frequent fingerprints are found."""

_GIB: Final = 2**30


def refuse_too_large(profiles: pa.Table, memory: str) -> None:
    """Refuse to look into the log of PROFILES where that takes more than ``memory`` in all.

    Raises:
        UsageError: it does; the remedy says how much it takes.
    """
    exchanges, accounts = pc.sum(profiles["exchanges"]).as_py() or 0, profiles.num_rows
    needed, given = memory_needed(exchanges, accounts), memory_bytes(memory)
    if needed > given:
        raise UsageError(
            f"{exchanges:,} exchanges of {accounts:,} accounts take {needed / _GIB:.1f} GiB of memory, and "
            f"the run may take {given / _GIB:.1f}",
            field="--memory",
            remedy=f"Give {-(-needed // _GIB)}GiB, or take a shorter window with --since and --until",
        )


def memory_needed(exchanges: int, accounts: int) -> int:
    """Return the bytes that a run over so many exchanges and accounts takes in all, queries included."""
    beside = _PROGRAM + accounts * _EACH_ACCOUNT + exchanges * _EACH_EXCHANGE
    return round(beside / (1 - QUERY_PART))
