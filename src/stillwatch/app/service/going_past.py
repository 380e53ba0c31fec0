"""Whether requests go past the gate, looked at again and again while the service runs.

A window of time is held against what gates told once the gateway's log of it must have come. Only accounts
that were under one decision all the while count, and only those that gates are told of.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.app.service.places import LEDGER, SNAPSHOT
from stillwatch.app.service.reconciling import Decided, Reconciled, held_against, logged_in
from stillwatch.app.service.told_outcomes import ToldOutcomes
from stillwatch.contracts import SKETCH
from stillwatch.decisions.store import Store
from stillwatch.enforce.snapshot import Current
from stillwatch.ledger.layout import HOUR, hour_of
from stillwatch.ledger.locks import visited
from stillwatch.ledger.parts import present

_COLUMNS: Final = ["timestamp", "account_id", "exchange_id", "status"]
_LONGEST: Final = timedelta(minutes=30)
_GRACE: Final = timedelta(seconds=10)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """A stretch of time that was held against what gates told."""

    since: datetime
    until: datetime
    found: Reconciled


class GoingPast:
    """Looks at one window after the other; one thread looks, any may read what was found."""

    def __init__(
        self,
        state: Path,
        store: Store,
        told: ToldOutcomes,
        *,
        lag: timedelta = timedelta(minutes=10),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Look at the ledger of a state folder.

        Args:
            state: holds the ledger and the snapshot.
            store: knows who was under a decision.
            told: what gates told.
            lag: how long the gateway's log may take to come.
            clock: seconds since 1970.
        """
        self._state, self._store, self._told, self._lag, self._clock = state, store, told, lag, clock
        self._looked_until: datetime | None = None
        self.last: Window | None = None
        """The window that was looked at last; None before the first, or while no gate ever told anything."""
        self.unruled = 0
        """Requests that went past the gate, since the service began."""

    def look(self) -> Window | None:
        """Look at the time since the last window; None where there is nothing to hold it against.

        Raises:
            StillwatchError: the store is away, or there is no ledger.
        """
        until = datetime.fromtimestamp(self._clock(), UTC) - self._lag
        since = max(self._looked_until or until - self._lag, until - _LONGEST)
        if since >= until or self._told.refresh().last_at is None:
            return None
        calls = self._told.calls((since - _GRACE).timestamp())
        if calls is None:
            return None
        call_ids, without_id = calls
        decided = {
            account: Decided(0.0, float("inf"))
            for account in self._known_to_gates(self._store.under_decision(since - _GRACE, until))
            if account not in without_id
        }
        with visited(self._state / LEDGER) as layout:
            files = [lies for part, lies in present(layout).items() if _overlaps(hour_of(part), since, until)]
            rows = _rows(files, since, until, decided)
        found = held_against(logged_in(rows), decided, call_ids, grace=0.0)
        self._looked_until, self.last = until, Window(since, until, found)
        self.unruled += found.unruled
        if found.alert:
            _log.warning("%s", found.alert)
        return self.last

    def _known_to_gates(self, accounts: Iterable[str]) -> Iterator[str]:
        """Yield the accounts in the snapshot: of those that are exempt by now gates tell nothing."""
        held = Current(self._state / SNAPSHOT).held
        return (account for account in accounts if held is not None and held.find(account) is not None)


def _overlaps(hour: datetime, since: datetime, until: datetime) -> bool:
    return hour < until and hour + HOUR > since


def _rows(files: Iterable[Path], since: datetime, until: datetime, accounts: Iterable[str]) -> pa.Table:
    """Return the requests that these accounts made in a stretch of time."""
    wanted = pa.array(sorted(accounts), pa.string())
    own = (
        (pc.field("timestamp") >= since)
        & (pc.field("timestamp") < until)
        & pc.field("account_id").isin(wanted)
    )
    found = []
    for file in files:
        with suppress(FileNotFoundError):
            found.append(pq.read_table(file, columns=_COLUMNS, filters=own))
    empty = SKETCH.empty_table().select(_COLUMNS)
    return pa.concat_tables([empty, *(table.cast(empty.schema) for table in found)])
