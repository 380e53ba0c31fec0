"""How many exchanges each of the last hours has in the ledger, from the footers of its parts."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stillwatch.ledger.layout import HOUR, Layout, hour_of
from stillwatch.ledger.parts import present

_HOURS: Final = 24


class LedgerHours:
    """Counts rows hour by hour; a part is never changed, so that its footer is read once."""

    def __init__(self, ledger: Path) -> None:
        """Read in the folder ``ledger``, which need not be there."""
        self._layout = Layout(ledger)
        self._lock = threading.Lock()
        self._rows: dict[Path, int] = {}

    def last(self, hours: int = _HOURS) -> list[tuple[datetime, int]]:
        """Return the last hours up to the newest that holds anything, oldest first, with their exchanges."""
        with self._lock:
            parts = present(self._layout)
            if not parts:
                return []
            newest = max(hour_of(part) for part in parts)
            oldest = newest - timedelta(hours=hours - 1)
            own = {part: lies for part, lies in parts.items() if hour_of(part) >= oldest}
            self._rows = {part: self._rows.get(part) or _rows(lies) for part, lies in own.items()}
            told = Counter[datetime]()
            for part, rows in self._rows.items():
                told[hour_of(part)] += rows
        return [(oldest + number * HOUR, told[oldest + number * HOUR]) for number in range(hours)]


def _rows(part: Path) -> int:
    try:
        return int(pq.read_metadata(part).num_rows)
    except (OSError, ValueError):  # compacted away a moment ago, or damaged
        return 0
