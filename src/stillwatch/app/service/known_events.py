"""Account events that the ledger holds, for whoever looks at one account."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import LedgerError
from stillwatch.ledger.layout import Layout

_SHOWN: Final = ["event", "timestamp", "other_account_id", "source"]
_MOST: Final = 100


def events_of(ledger: Path, account_id: str) -> list[dict[str, Any]]:
    """Return the newest events of an account, newest first, a hundred at most.

    Those of the last seconds, which wait to be sealed, are not among them.

    Raises:
        LedgerError: the table of events is damaged.
    """
    table = Layout(ledger).event_table
    try:
        own = pq.read_table(table, columns=_SHOWN, filters=pc.field("account_id") == account_id)
    except FileNotFoundError:
        return []
    except (pa.ArrowException, OSError) as error:
        raise LedgerError(
            "the table of account events is damaged",
            remedy="The service sets it aside; restore it from a copy",
            file=str(table),
        ) from error
    newest = own.sort_by([("timestamp", "descending"), ("event", "ascending")])
    return list(newest.slice(0, _MOST).to_pylist())
