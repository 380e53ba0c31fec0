"""Account events that the ledger holds, for whoever looks at one account."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.ledger.layout import Layout

_SHOWN: Final = ["event", "timestamp", "other_account_id", "source"]
_MOST: Final = 100


def events_of(ledger: Path, account_id: str) -> list[dict[str, Any]]:
    """Return the newest events of an account, newest first, a hundred at most.

    Those of the last seconds, which wait to be sealed, are not among them.
    """
    table = Layout(ledger).event_table
    with suppress(FileNotFoundError):
        own = pq.read_table(table, columns=_SHOWN, filters=pc.field("account_id") == account_id)
        newest = own.sort_by([("timestamp", "descending"), ("event", "ascending")])
        return list(newest.slice(0, _MOST).to_pylist())
    return []
